/*
 * slot.h: what the ring holds of one stretch of the order. Internal to the ring; guarded by its
 * mutex, except while only one thread knows the slot.
 *
 * A slot has a sealed segment, or loose events, or both: a segment with what came late, or has
 * been erased, above it. Slots of a ring do not overlap.
 */
#ifndef BEACOND_CACHE_SLOT_H
#define BEACOND_CACHE_SLOT_H

#include "base/list.h"
#include "cache/blend.h"

struct sealing;

struct slot {
    struct list node;       /* in one of the ring's lists, or in none */
    struct segment *sealed; /* NULL while open */
    struct loose **loose;   /* ascending */
    size_t loose_count, loose_room;
    size_t loose_bytes; /* their memory */
    size_t live;        /* events */
    /* No event lies outside of [low, high] or has a higher seq. The bounds are exact until
     * something is erased; then they may be wider. */
    struct range_place low, high;
    int64_t highest_seq;
    int64_t loose_since_ms;  /* when it was put into the list */
    bool due;                /* in the list of those that need no waiting */
    struct sealing *sealing; /* someone seals it at the moment */
    unsigned changes;        /* counts what makes a sealing in progress useless: anything but
                              * additions */
};

struct slot *slot_new(void) MUST_CHECK; /* empty; NULL when out of memory */

/* Takes over the reference. NULL when out of memory (the reference is still the caller's). */
struct slot *slot_new_sealed(struct segment *segment) MUST_CHECK;

void slot_free(struct slot *slot); /* NULL is fine */

size_t slot_memory(const struct slot *slot); /* bytes, the segment's and the events' included */

/* Adds an event, taking over the reference. 0, or -1 when out of memory (nothing has changed). */
int slot_add(struct slot *slot, struct loose *loose) MUST_CHECK;

/* Moves the upper half of an open slot's events to a new one. NULL when out of memory (nothing has
 * changed). At least two events. */
struct slot *slot_split(struct slot *slot) MUST_CHECK;

/* Erases the events in [low, high). 0, or -1 when out of memory (some are erased then). */
int slot_erase(struct slot *slot, struct range_place low, struct range_place high) MUST_CHECK;

#endif
