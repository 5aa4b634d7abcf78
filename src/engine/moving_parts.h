/*
 * moving_parts.h: the inside of moving.h, for its own files alone.
 */
#ifndef BEACOND_ENGINE_MOVING_PARTS_H
#define BEACOND_ENGINE_MOVING_PARTS_H

#include "engine/moving.h"
#include "store/take.h"

struct moving {
    const struct moving_ask *ask;
    struct moving_report *report;
    struct store *source; /* when no daemon has it; else NULL */
    struct store_reader *reader;
    struct store_taker *taker;
    struct store_survey survey; /* of the source, when the run began */
};

/* Tells how far it is. STORE_OK, or STORE_BUSY: it is to stop. */
int moving_step(struct moving *moving, const char *what, int64_t done, int64_t total,
                struct error *err) MUST_CHECK;

/* Who is handed the source's rows: row one after the other, within a page of the store, where it
 * must not wait; pause now and then, and behind the last one (last), outside of any. row returns 0,
 * 1 for a pause, or -1: no memory. pause returns a store_status. */
struct moving_walk {
    int (*row)(struct moving *moving, void *arg, const struct store_row *row);
    int (*pause)(struct moving *moving, void *arg, bool last, struct error *err);
    void *arg;
};

/* The rows of a stretch: in the order of their numbers, or where it is bounded in time in that of
 * time. */
int moving_each(struct moving *moving, const struct store_take_stretch *stretch,
                const struct moving_walk *walk, struct error *err) MUST_CHECK;

/* moving_days.c: compares all up to mark->seq and copies anew what is not equal; sets what the next
 * run need not compare. */
int moving_compare(struct moving *moving, struct store_take_mark *mark,
                   struct error *err) MUST_CHECK;

#endif
