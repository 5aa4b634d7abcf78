/*
 * measures.h: what the engine counts of itself, for expose.c to show.
 *
 * The writer's thread writes all of it but for what retention's does. Any thread reads.
 */
#ifndef BEACOND_ENGINE_MEASURES_H
#define BEACOND_ENGINE_MEASURES_H

#include <stddef.h>

#include "base/counter.h"
#include "contract/batch.h"
#include "store/store.h"

/* Why an event was put aside: a batch_reason, or one of these two. */
enum measures_reason {
    MEASURES_REFUSED = BATCH_NOT_JSON + 1, /* by the database */
    MEASURES_NOT_KEPT,                     /* nobody knows: see BATCH_REJECTS_KEPT */
    MEASURES_REASONS,
};
const char *measures_reason_text(enum measures_reason reason);

struct measures {
    struct counter saved;      /* events stored anew */
    struct counter duplicates; /* events that had been stored before, and were skipped */
    struct counter rejects[MEASURES_REASONS];
    struct counter erased; /* events, by whomever */

    struct histogram commit_us; /* how long each commit of batches took */
    struct histogram commit_events, commit_batches;
    struct counter failures;       /* tries to commit that failed */
    struct gauge failing_since_ms; /* wall clock; 0: commits work */
    struct gauge last_commit_ms;   /* wall clock; 0: not yet */
    struct gauge stored;           /* events in the database */
    struct gauge receipts, receipts_bytes;
    struct gauge receipts_oldest_ms; /* when the oldest was taken; 0: there is none */
    struct gauge checkpoints, checkpoints_failed, checkpoint_ms, checkpoint_spoilt;

    /* Of retention's thread. */
    struct counter retention_runs, retention_failures;
    struct gauge retention_ms;    /* when it last did all that it should, by the wall clock */
    struct gauge retention_short; /* 1: the disk has less room than min-free-disk all the same */
    struct gauge database_bytes;  /* of one that is no file; 0: not known yet */
};

extern const struct histogram_form measures_seconds; /* of commit_us */
extern const struct histogram_form measures_events, measures_batches;

/* Items [0..count) have been committed, which took so long. */
void measures_commit(struct measures *measures, const struct store_item *items, size_t count,
                     int64_t took_us);

#endif
