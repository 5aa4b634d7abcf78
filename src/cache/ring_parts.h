/*
 * ring_parts.h: the inside of the ring, for ring.c, fill.c, cut.c and sealing.c alone.
 */
#ifndef BEACOND_CACHE_RING_PARTS_H
#define BEACOND_CACHE_RING_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/ring.h"
#include "cache/slot.h"

/* So many late events above a segment, and it is sealed anew without waiting. */
#define RING_OVERLAY_EVENTS 32
#define RING_OVERLAY_BYTES (64 << 10)
/* Where sealing is not quick enough: with more of them each insertion moves too much. */
#define RING_OVERLAY_MOST 8192
/* What is loose in total before everything is sealed without waiting: this share of max_bytes. */
#define RING_LOOSE_SHARE 8

/* A slot, and what of it decides whether to look at it at all: to walk over thousands of them is
 * dear as soon as each is touched. */
struct ring_entry {
    struct slot *slot;
    struct range_place low, high;
    int64_t highest_seq;
    size_t live;
};

/*
 * entries[first .. first + count) stand in ascending order and do not overlap; every event of the
 * ring is in one of them, above the floor and below the ceiling. A slot with something loose in it
 * is in exactly one place: aging (in the order of loose_since_ms), due, or the hands of a sealing.
 */
struct ring {
    struct ring_options options;
    pthread_mutex_t mutex; /* guards all down to wake */
    struct ring_entry *entries;
    size_t first, count, room;
    /* The writer alone changes these two, and may read them unlocked. */
    struct range_place floor, ceiling;
    struct range_place shed; /* slots up to here go at the next trim; PLACE_LOWEST: none */
    struct range_place top;  /* no stored event is higher; PLACE_HIGHEST: that is unknown */
    int64_t told_seq;        /* the newest event's */
    int64_t last_seq;        /* the newest commit's that is wholly told */
    uint64_t stored;         /* events in the database behind that commit */
    int64_t erasures;
    uint64_t generation; /* of what is stored: another one when something was erased */
    struct list aging, due;
    struct list fills;    /* in flight */
    size_t events, bytes; /* of the slots; bytes with the array of them */
    size_t loose_bytes;   /* of bytes */
    bool wake;            /* options.wake is to be called */

    atomic_uint filling; /* how many fills there are */

    /* The writer's own. */
    struct loose **work;
};

static inline struct slot *ring_slot(const struct ring *ring, size_t n)
{
    return ring->entries[ring->first + n].slot;
}

static inline const struct ring_entry *ring_entry(const struct ring *ring, size_t n)
{
    return &ring->entries[ring->first + n];
}

void ring_lock(struct ring *ring);
bool ring_trylock(struct ring *ring); /* whether it is locked now */
void ring_unlock(struct ring *ring);  /* calls options.wake when that is due */

/* All of these are called locked. */

/* Brings slot n's entry up to date after a change. */
void ring_note(struct ring *ring, size_t n);

/* Whether all events of slot n are in the window. False is possible even so, after an erasure. */
bool ring_within(const struct ring *ring, size_t n, const struct blend_window *window);

/* How many events of slot n are in the window. */
size_t ring_count_in(const struct ring *ring, size_t n, const struct blend_window *window);

/* How many events slots [from, to) have. */
size_t ring_sum(const struct ring *ring, size_t from, size_t to);

/* The last slot that begins at place or below; count when there is none. */
size_t ring_find(const struct ring *ring, struct range_place place);

/* Makes room for more slots. 0, or -1 when out of memory. */
int ring_reserve(struct ring *ring, size_t more) MUST_CHECK;

/* Puts slots[0..count) in front of slot n, oldest first; there is room. */
void ring_enter(struct ring *ring, size_t n, struct slot *const *slots, size_t count);

/* Takes slot n out, and its sealing's hands off it. It is the caller's. */
struct slot *ring_leave(struct ring *ring, size_t n);

/* Adds an event in [floor, ceiling), taking over the reference also when that fails. 0, or -1 when
 * out of memory: the ring is to be emptied then. */
int ring_insert(struct ring *ring, struct loose *loose, int64_t now_ms) MUST_CHECK;

/* Puts a slot that has something loose into the list where it belongs, unless it is in one or is
 * being sealed. n: its number. */
void ring_queue(struct ring *ring, size_t n, int64_t now_ms);

/* Moves a slot to the list of those that need no waiting, unless it is being sealed. */
void ring_hurry(struct ring *ring, struct slot *slot);

/* Whether an open slot has as many events as a segment should have. */
bool ring_full(const struct ring *ring, const struct slot *slot);

/* Whether slot n is the newest and open and still to be filled: nothing to seal. */
bool ring_growing(const struct ring *ring, size_t n);

/* Whether much is loose: seal without waiting. */
bool ring_pressed(const struct ring *ring);

/* Drops the oldest until the bounds hold; they go to garbage, to be freed unlocked. The writer. */
void ring_trim(struct ring *ring, struct list *garbage);

/* Empties it, see ring_clear. The writer. */
void ring_empty(struct ring *ring, struct list *garbage);

void ring_free_slots(struct list *garbage); /* unlocked */

/* An event outside of [floor, ceiling) for the fills it may belong to (fill.c). */
void fill_tell(struct ring *ring, struct loose *loose);
/* Erased events: the fills that may hold some of them become void (fill.c). */
void fill_erased(struct ring *ring, struct range_place low, struct range_place high);
/* Any event stored meanwhile (fill.c). */
void fill_tell_top(struct ring *ring, struct range_place place);

#endif
