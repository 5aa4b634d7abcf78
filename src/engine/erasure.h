/*
 * erasure.h: events go: by age and size (prune), or all of one user or session (forget).
 *
 * Each call blocks its thread, which must not be the writer's, until all is done. The work is done
 * on the writer's thread in small slices between commits, each a transaction of its own, and while
 * events come in it leaves the writer free for three quarters of the time. Cut off at any moment,
 * by progress, by an error or by kill -9, it has erased a part and left everything whole; the same
 * call again does the rest.
 *
 * Readers in mid-answer come to an end, with fewer events than they had announced. The cache is
 * told slice by slice. Whoever follows has been sent what was erased before that.
 */
#ifndef BEACOND_ENGINE_ERASURE_H
#define BEACOND_ENGINE_ERASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/progress.h"

struct engine;

/* What was done, also when the call failed later on. */
struct erasure {
    int64_t events, rejects;
    int64_t receipts;    /* forget: of bodies that held what was erased */
    int64_t freed_bytes; /* by which the database has become smaller */
    bool stopped;        /* progress wanted no more */
    bool scrubbed;       /* forget: no trace is left in the files */
};

/* Erases all events dated before before_ms and makes the file smaller. A store_status. */
int engine_prune(struct engine *engine, int64_t before_ms, const struct progress *progress,
                 struct erasure *out, struct error *err) MUST_CHECK;

/* Once what the options retain_ms, retain_bytes and min_free_bytes say (engine.h). A store_status;
 * STORE_REFUSED when none of them is set. */
int engine_retain(struct engine *engine, const struct progress *progress, struct erasure *out,
                  struct error *err) MUST_CHECK;

/* Whose events. */
struct forget_who {
    bool session;   /* by sessionId, else by userId */
    const char *id; /* after unescaping; of one character or more */
    size_t len;
};

/* Erases what was stored before the call of every event with a top level member of that name and
 * value: the events, the rejects (where they are no JSON objects: those that hold the ID anywhere),
 * and the receipts of all bodies that held one of them, so that a retry is taken for new. Then
 * empties the WAL, and looks for what was erased in the unused space of the file. A store_status;
 * STORE_BUSY and everything but scrubbed set when another program keeps the WAL from being emptied.
 */
int engine_forget(struct engine *engine, const struct forget_who *who,
                  const struct progress *progress, struct erasure *out,
                  struct error *err) MUST_CHECK;

#endif
