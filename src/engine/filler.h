/*
 * filler.h: where the ring begins and ends: fills it from the database, in portions, newest first,
 * and moves its ceiling on with the clock.
 *
 * The keeper's thread; what only the writer may do to the ring is done as its errands.
 */
#ifndef BEACOND_ENGINE_FILLER_H
#define BEACOND_ENGINE_FILLER_H

#include <stdatomic.h>

#include "cache/gzip.h"
#include "cache/ring.h"
#include "store/store.h"

struct writer;

/* Zero it and set the first five, which are the owner's and outlive it. */
struct filler {
    struct ring *ring;
    const struct ring_options *options; /* of the ring */
    struct writer *writer;
    struct store_reader *reader; /* used on the writer's thread, too, while this one waits for it */
    struct gzip_pieces *pieces;
    atomic_bool stopping; /* any thread: what is under way is not wanted any more */

    bool full;                      /* what lies deeper did not stay when it was filled in, */
    size_t full_events, full_bytes; /* and the ring was left with so much */
    bool filled;                    /* told once that it is */
    int64_t again_ms;               /* not before, by the monotonic clock */
};

/* Where the ceiling belongs at this moment: events dated later are left to the database, since
 * clients' clocks run wild, and such events must not push out the present. */
int64_t filler_ceiling_ms(void);

/* Moves the ceiling when that is due, or has an empty ring, or one the clock has left, begin anew.
 * Returns whether anything was due. */
bool filler_place(struct filler *filler);

/* Fills in one portion of what is older, if the ring may have room for it. Returns whether anything
 * was due. */
bool filler_deepen(struct filler *filler);

#endif
