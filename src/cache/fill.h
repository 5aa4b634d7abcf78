/*
 * fill.h: events read from the database, to move the ring's floor down or its ceiling up.
 *
 * In this order: begin, take a snapshot of the database (fill_snapshot), add the events of it that
 * lie below fill_high, newest first, end with the place down to which they are complete, and have
 * the writer publish it. The ring keeps what is told about the range meanwhile, and adds of it what
 * the snapshot did not hold. The fill becomes void, and all was for nothing, when something is
 * erased, or when the edge it began at has moved.
 *
 * One fill belongs to one thread at a time; beginning and dropping it may be done on any.
 */
#ifndef BEACOND_CACHE_FILL_H
#define BEACOND_CACHE_FILL_H

#include "cache/gzip.h"
#include "cache/ring.h"

struct fill;

/* Begins one that ends at the floor. NULL when out of memory, or when the ring holds all there is
 * below the ceiling. */
struct fill *fill_down(struct ring *ring) MUST_CHECK;

/* Begins one from the ceiling up to that millisecond, which is the new ceiling. NULL when out of
 * memory, or when the ceiling is as high already. */
struct fill *fill_up(struct ring *ring, int64_t ceiling_ms) MUST_CHECK;

/* Drops it at any time but while it is published. NULL is fine. */
void fill_free(struct fill *fill);

struct range_place fill_high(const struct fill *fill); /* all events are below it */

/* The old ceiling, at which an upward one ends; PLACE_LOWEST for a downward one. */
struct range_place fill_low(const struct fill *fill);

/* Whether it can't be published any more. Any time: saves reading on. */
bool fill_void(struct fill *fill);

/* What the snapshot says, which was taken after the fill began: its newest seq, and the highest
 * place of any event in it, PLACE_LOWEST for none. */
void fill_snapshot(struct fill *fill, int64_t max_seq, struct range_place top);

/* Adds an event below those before, with seq <= max_seq, in [fill_low, fill_high). 0, or -1 when
 * out of memory: drop it. */
int fill_add(struct fill *fill, struct gzip_pieces *pieces, struct range_place place,
             const char *text, size_t len) MUST_CHECK;

/* The events from low on are complete: PLACE_LOWEST when none is left, in a downward one else the
 * last event's place; fill_low in an upward one. 0, or -1 when out of memory: drop it. */
int fill_end(struct fill *fill, struct gzip_pieces *pieces, struct range_place low) MUST_CHECK;

size_t fill_count(const struct fill *fill); /* events added */

enum fill_status {
    FILL_DONE = 0,  /* the edge has moved */
    FILL_FULL = 1,  /* and the ring is full: what lies deeper would not stay */
    FILL_VOID = -1, /* nothing has changed; begin anew */
};

/* Moves the edge, and frees the fill. The writer, having told the ring every commit so far. */
enum fill_status fill_publish(struct fill *fill, int64_t now_ms) MUST_CHECK;

#endif
