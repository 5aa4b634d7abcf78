/*
 * window.h: the steps of a window, put together from what a store can count: whole steps from a
 * tally, and what lies in the window of the two that it begins and ends within. For stores alone;
 * facts.h says what comes of it.
 */
#ifndef BEACOND_STORE_WINDOW_H
#define BEACOND_STORE_WINDOW_H

#include "store/facts.h"

/* Where the counts come from, all of one moment. A store_status each. */
struct window_source {
    /* The events of [first, last]. */
    int (*count)(void *arg, int64_t first, int64_t last, int64_t *events, struct error *err);
    /* The steps of out->step that begin in [from, to), newest first, by window_add, until there are
     * too many. */
    int (*steps)(void *arg, struct store_steps *out, int64_t from, int64_t to, struct error *err);
    void *arg;
};

/* Fills in out, whose facts are there and all else is zero. */
int window_fill(struct store_steps *out, const struct store_steps_ask *ask,
                const struct window_source *source, struct error *err) MUST_CHECK;

void window_add(struct store_steps *out, int64_t at, int64_t events);

#endif
