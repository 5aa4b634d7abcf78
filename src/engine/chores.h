/*
 * chores.h: what a person asks for beside ingest and reads. Each call blocks until it is done; any
 * thread but the engine's own. What changes the database is done on the writer's thread, between
 * two commits.
 */
#ifndef BEACOND_ENGINE_CHORES_H
#define BEACOND_ENGINE_CHORES_H

#include "contract/batch.h"
#include "engine/engine.h"
#include "engine/progress.h"

/* Makes the tally anew from the events. The cache begins anew as well. *total: the events there
 * are. STORE_OK or STORE_BUSY. */
int engine_recount(struct engine *engine, int64_t *total, struct error *err) MUST_CHECK;

/* What became of rejects, also when the call failed later on. */
struct chores_rejects {
    int64_t stored;    /* retried: events now */
    int64_t duplicate; /* retried: the event had been stored before */
    int64_t kept;      /* retried in vain: it has the reason as it is now */
    int64_t dropped;
    int64_t missing; /* of the numbers that were given: there is no such reject */
    bool stopped;    /* progress wanted no more */
};

/* Reads rejects anew, within these limits: those of count numbers (ascending, none twice), or with
 * count 0 all that there were when it began. An event comes in and its reject goes in one
 * transaction, some dozens at a time; cache and followers hear of it like of any event. Its time of
 * receipt is the reject's. STORE_OK or STORE_BUSY. */
int engine_retry_rejects(struct engine *engine, const int64_t *numbers, size_t count,
                         const struct batch_limits *limits, const struct progress *progress,
                         struct chores_rejects *out, struct error *err) MUST_CHECK;

/* Deletes them. */
int engine_drop_rejects(struct engine *engine, const int64_t *numbers, size_t count,
                        const struct progress *progress, struct chores_rejects *out,
                        struct error *err) MUST_CHECK;

#endif
