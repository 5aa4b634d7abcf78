/*
 * batch_build.h: the inside of batch.h and lines.h: a batch while it is made, event by event. Pure.
 *
 * Events point into the arena all along; when it has to grow, the pointers are moved with it
 * (rarely: it starts as large as nearly every body needs). -1 is out of memory everywhere: abandon
 * the batch then.
 */
#ifndef BEACOND_CONTRACT_BATCH_BUILD_H
#define BEACOND_CONTRACT_BATCH_BUILD_H

#include "contract/batch.h"

/* Makes the id of an event that came without: raw is its text. 0, or -1. */
typedef int build_name_fn(void *arg, const char *raw, size_t len, int64_t ts, char out[UUID_LEN]);

/* Zero it, set what is the caller's. */
struct batch_builder {
    /* The caller's. */
    const char *text; /* what the slices of the events are places in; may change between them */
    size_t text_len;  /* bytes that are to be read in all: how much memory to begin with */
    const struct batch_limits *limits;
    struct uuid_source *uuids; /* of ids, where name is NULL */
    build_name_fn *name;       /* ids that depend on the event alone: they count as given */
    void *name_arg;
    const unsigned char *secret; /* of the marks, NULL for none */

    struct batch *batch;
    size_t arena_used;
    size_t arena_size;
    size_t event_room;
    size_t reject_room;
};

int build_begin(struct batch_builder *b, int64_t now_ms) MUST_CHECK;
void build_abandon(struct batch_builder *b); /* frees the batch */
struct batch *build_finish(struct batch_builder *b) MUST_CHECK;

/* Forgets all events so far. */
void build_restart(struct batch_builder *b);

/* Can the event be stored? 0 and *ts; 1 and *reason; -1. */
int build_judge(struct batch_builder *b, const struct scan_event *event, int64_t *ts,
                enum batch_reason *reason) MUST_CHECK;

/* Adds an event that can, or one that can't. */
int build_keep(struct batch_builder *b, const struct scan_event *event, int64_t ts) MUST_CHECK;
int build_refuse(struct batch_builder *b, const struct scan_event *event,
                 enum batch_reason reason) MUST_CHECK;

/* All of it. */
int build_take(struct batch_builder *b, const struct scan_event *event) MUST_CHECK;

#endif
