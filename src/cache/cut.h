/*
 * cut.h: what the ring holds of a window, as references. Pure.
 *
 * A cut is a list of parts that stand in the order of an answer, newest first. A part is either a
 * whole segment, to be glued as it is, or a run of single events whose text is made by cut_text,
 * unlocked and at the reader's leisure: at the edges of the window, where events are not compressed
 * yet, and where a segment holds events the reader must not see. All text is events each followed
 * by a comma.
 *
 * Cuts belong to one thread at a time and outlive the ring.
 */
#ifndef BEACOND_CACHE_CUT_H
#define BEACOND_CACHE_CUT_H

#include "cache/ring.h"
#include "cache/segment.h"

struct loose;

struct cut_ask {
    int64_t since, until;     /* milliseconds, inclusive */
    struct range_place start; /* begin strictly behind it; PLACE_HIGHEST for the window's begin */
    int64_t max_seq;          /* leave out what was stored later; at most ring_last_seq */
    uint64_t skip, limit;     /* pass over so many events, then take so many at most */
    uint64_t bytes; /* not 0: take no more when the taken ones have about so many bytes of text */
    bool part;      /* don't count what is not taken: total is of no use */
    bool at_once;   /* don't wait for other threads: -1 when one has the ring */
    uint64_t whole_loose; /* not 0: wanted is one cut with all that the window has, or limit takes,
                           * of which at most so many bytes are not whole segments; else the cut is
                           * short, soon found out */
};

struct cut_part {
    struct segment *segment; /* whole: all of it. Else what the events of it are taken from, NULL
                              * when all are loose */
    bool whole;
    size_t count; /* events of this part, 1 or more */

    size_t skip;       /* events of the part's stretch that come before */
    size_t loose_from; /* in cut.loose */
    size_t loose_count;
};

struct cut {
    struct cut_part *parts;
    size_t part_count, part_room;
    struct loose **loose; /* of all parts, held */
    size_t loose_count, loose_room;
    struct range_place low, high; /* what of the window (from start on) it covers: [low, high) */
    int64_t max_seq;              /* of the ask, or the ring's ring_last_seq when that is less */
    int64_t erasures;             /* see ring_set_erasures */
    bool all;                     /* every stored event is in the window that was asked for, */
    uint64_t stored;              /* and so many there are with seq <= the ring's ring_last_seq */
    bool above;     /* there may be events of the window at high or above, in the database alone */
    bool below;     /* there may be some below low, in the database alone */
    bool more;      /* limit or bytes have left events out, or may have: between the last and low */
    uint64_t total; /* events in [low, high) with seq <= max_seq */
    uint64_t skipped;     /* of these, in front of the first taken */
    uint64_t count;       /* taken */
    uint64_t bytes;       /* of their text, about, and rather more than less */
    uint64_t loose_bytes; /* of these, those of parts that are not whole segments */
};

/* 0, or -1 when out of memory or not at_once (the cut is empty then). Any thread. cut is
 * overwritten; cut_clear it. */
int ring_cut(struct ring *ring, const struct cut_ask *ask, struct cut *cut) MUST_CHECK;
void cut_clear(struct cut *cut);

/* Appends the text of a part, whole or not, to out; scratch is emptied and used. 0, or -1 when out
 * of memory. */
int cut_text(const struct cut *cut, const struct cut_part *part, struct bytes *scratch,
             struct bytes *out) MUST_CHECK;

/* Hands out the events of a part, newest first, without the comma; text is valid during the call.
 * scratch is emptied and used. 0, -1 when out of memory, or what fn returned that was not 0. */
typedef int cut_event_fn(void *arg, struct range_place place, const char *text, size_t len);
int cut_each(const struct cut *cut, const struct cut_part *part, struct bytes *scratch,
             cut_event_fn *fn, void *arg) MUST_CHECK;

/* The place of a part's last event into *place. 0, or -1 when out of memory. */
int cut_last(const struct cut *cut, const struct cut_part *part,
             struct range_place *place) MUST_CHECK;

#endif
