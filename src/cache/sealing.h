/*
 * sealing.h: turns what is loose in the ring into segments, on a thread of its own. Pure.
 *
 * take, work, give: take and give are short and locked, work compresses what was taken without
 * anyone waiting for it. What comes meanwhile stays loose above the new segment; a result that an
 * erasure has overtaken is thrown away and the slot taken again. Any number of threads may do this.
 */
#ifndef BEACOND_CACHE_SEALING_H
#define BEACOND_CACHE_SEALING_H

#include "cache/ring.h"
#include "cache/slot.h"

/* What a sealing thread needs. Zero it or sealer_init it; sealer_clear it. */
struct sealer {
    struct gzip_pieces *pieces;
    struct draft draft;
    struct bytes plain; /* scratch */
};

int sealer_init(struct sealer *sealer, int level) MUST_CHECK; /* 0, or -1 when out of memory */
void sealer_clear(struct sealer *sealer);

/* One slot on its way. The contents are references, and its own. */
struct sealing {
    struct slot *slot; /* NULL once the ring has dropped it; the ring's mutex guards it */
    unsigned changes;  /* the slot's when it was taken */
    struct segment *segment;
    struct loose **loose;
    size_t loose_count;
    struct slot **slots; /* the result: one or more, in ascending order; NULL before */
    size_t slot_count;
};

/* Takes the next slot that is due: one that was read, has many late events, or has been loose for
 * settle_ms. NULL when there is none, or no memory; then *wait_ms tells in how many milliseconds
 * one will be, -1 when that depends on what is told to the ring: look at it every settle_ms, and
 * when ring_options.wake says so. */
struct sealing *sealing_take(struct ring *ring, int64_t now_ms, int64_t *wait_ms) MUST_CHECK;

/* Compresses. 0, or -1 when out of memory: give it back all the same. */
int sealing_work(const struct ring *ring, struct sealing *sealing,
                 struct sealer *sealer) MUST_CHECK;

/* Puts the result in place, if it is one and still fits, and frees the sealing. True when it has.
 */
bool sealing_give(struct ring *ring, struct sealing *sealing, int64_t now_ms);

#endif
