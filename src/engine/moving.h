/*
 * moving.h: a database is moved into another one, while its daemon goes on: `beacond migrate`.
 *
 * One run brings the target forward to what the source held when it began, and compares the two.
 * Any number of runs may be made, and each may be killed at any time: the next one goes on. When
 * one finds that no daemon has the source open it keeps it so, brings the rest, and finishes: from
 * then on beacond can be started on the target.
 *
 * Events that the source has erased between two runs (or what somebody has changed by hand there)
 * are found by comparing: a day that is not the same is copied anew. While the source has counted
 * no erasure since a comparison that came out well, what was compared then is not compared again:
 * rows are never changed, and nobody else writes to the target.
 *
 * The calling thread does all the work.
 */
#ifndef BEACOND_ENGINE_MOVING_H
#define BEACOND_ENGINE_MOVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/progress.h"
#include "store/store.h"

struct moving_ask {
    struct store_options source; /* a file */
    const char *target;
    bool whole; /* compare everything, whatever was compared before */
    const struct progress *progress;
    /* Hears of a day whose copy is not equal to the original. */
    void (*differs)(void *arg, int64_t at_ms, int64_t source_events, int64_t target_events);
    void *arg;
};

struct moving_report {
    bool running;            /* a daemon, or a command, has the source open */
    int64_t copied;          /* events that were new */
    int64_t again, again_of; /* days copied anew, and their events */
    int64_t rejects, receipts;
    int64_t compared, days; /* events, and the days they lie in */
    int64_t differing;      /* days that are not equal after all */
    bool erased;            /* and the source has erased events meanwhile, which may be why */
    int64_t events;         /* that the source holds */
    bool finished;
};

/* STORE_OK, also where days differ; STORE_UNFIT: source or target is none; STORE_BUSY, also where
 * it was stopped. *out is valid in any case, and what was committed is kept. */
int moving_run(const struct moving_ask *ask, struct moving_report *out,
               struct error *err) MUST_CHECK;

#endif
