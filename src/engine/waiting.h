/*
 * waiting.h: the submissions that wait for the writer, first come first served. No locks: the
 * writer guards it.
 */
#ifndef BEACOND_ENGINE_WAITING_H
#define BEACOND_ENGINE_WAITING_H

#include "engine/engine.h"

/* Start with {NULL, NULL}. A submission is in it as long as its queued is set. */
struct waiting {
    struct submission *first, *last;
};

void waiting_append(struct waiting *waiting, struct submission *submission);
void waiting_prepend(struct waiting *waiting, struct submission *submission);
void waiting_remove(struct waiting *waiting, struct submission *submission);

#endif
