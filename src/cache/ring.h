/*
 * ring.h: the newest events, in memory and mostly compressed. Pure.
 *
 * The ring holds every stored event in [floor, ceiling), places in the order (ts, seq); what is
 * below or above is in the database alone. It is bounded by events and bytes: the oldest are
 * dropped first and the floor rises with them. An event that is told while it lies outside is left
 * out; fill.h moves floor and ceiling outwards, cut.h reads, sealing.h compresses.
 *
 * Threads: only one thread, the writer of the database, tells, erases and publishes fills; it does
 * so in commit order, after the commit and before anyone is told of it. Everything else may be
 * called from any thread. One mutex guards all; it is held for moving pointers, never while
 * something is compressed, inflated or copied. Readers get references: what they hold stays as it
 * was, and is not counted in the ring's bytes any more once the ring has dropped it.
 *
 * Memory: where it runs out while the ring is told something, the ring empties itself, for what it
 * holds must be complete.
 */
#ifndef BEACOND_CACHE_RING_H
#define BEACOND_CACHE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/place.h"
#include "contract/batch.h"

struct ring;

struct ring_options {
    size_t max_events; /* the newest so many are kept, and up to four segments' worth beyond */
    size_t max_bytes; /* resident, everything counted; what sealing adds is seen to when the ring is
                       * told something again */
    size_t segment_events;   /* 0 for SEGMENT_EVENTS */
    int64_t ceiling_ms;      /* the ceiling to begin with: events from then on are left out */
    int64_t last_seq;        /* the newest event's that is stored already; 0 for none */
    uint64_t stored;         /* how many events are stored, all of which are outside of it yet */
    int64_t erasures;        /* see ring_set_erasures */
    int64_t settle_ms;       /* how long an open segment waits before it is sealed unread */
    void (*wake)(void *arg); /* NULL, or told that sealing_take has something that need not wait, or
                              * that the ring was emptied; on the thread that caused it, unlocked */
    void *wake_arg;
};

/* Empty: floor and ceiling are the same. NULL when out of memory. */
struct ring *ring_new(const struct ring_options *options) MUST_CHECK;

/* No fill and no sealing may be alive; cuts may. NULL is fine. */
void ring_free(struct ring *ring);

/* Tells events of one commit, in ascending order of seq; those with seq 0 were not stored and are
 * passed over. now_ms: a monotonic clock. Then ring_told. The writer. */
void ring_tell(struct ring *ring, const struct batch_event *events, size_t count, int64_t now_ms);

/* All events of a commit have been told: from here on readers see them. What the database has now,
 * what the ring was not told of included: last_seq, the newest event's or higher, and stored, how
 * many events. The writer. */
void ring_told(struct ring *ring, int64_t last_seq, uint64_t stored);

/* Events in [low, high) have been erased from the database. Fills in flight that reach there
 * become void. The writer. */
void ring_erase(struct ring *ring, struct range_place low, struct range_place high);

/* The same for single events. */
void ring_erase_places(struct ring *ring, const struct range_place *places, size_t count);

/* Forgets everything, for when the database was changed by someone else, or the clock has jumped:
 * floor and ceiling are at that millisecond afterwards, fills in flight void. The writer. */
void ring_clear(struct ring *ring, int64_t ceiling_ms);

/* Behind ring_clear: numbers go on behind this one, which may be lower than what was told. The
 * writer. */
void ring_renumber(struct ring *ring, int64_t last_seq);

/* Where floor and ceiling are the same: nothing is stored in [floor, ceiling), and nothing above
 * top, so that what comes from now on is kept. The writer, having told every commit so far. */
void ring_open(struct ring *ring, struct range_place floor, struct range_place top);

/* How often events have been erased: a cut tells it, so that who has seen the database with another
 * number does not use the cut. The writer, as soon as the ring has been told the erasure. */
void ring_set_erasures(struct ring *ring, int64_t erasures);

/* The newest seq that readers see: it knows all events up to it. */
int64_t ring_last_seq(struct ring *ring);

struct ring_survey {
    struct range_place floor, ceiling;
    int64_t last_seq;
    size_t events;
    size_t bytes;        /* resident */
    size_t loose_events; /* of events, those not compressed (yet), and marks of erased ones */
    size_t segments;     /* sealed ones */
};
void ring_survey(struct ring *ring, struct ring_survey *out);

/* The same in no time, without loose_events and segments. */
void ring_bounds(struct ring *ring, struct ring_survey *out);

#endif
