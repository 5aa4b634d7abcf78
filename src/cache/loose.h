/*
 * loose.h: one event in plain text, or the mark that one is gone. Pure.
 *
 * Immutable and shared: any thread may read it and hold or drop a reference. Runs of them are
 * arrays of pointers in ascending order, oldest first.
 */
#ifndef BEACOND_CACHE_LOOSE_H
#define BEACOND_CACHE_LOOSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cache/place.h"

struct loose {
    atomic_uint references;
    bool gone; /* no event: the one of this place in the segment below is erased; no text */
    struct range_place place;
    size_t len; /* of the text; a comma follows it */
    char text[];
};

/* A copy of text[0..len). NULL when out of memory. */
struct loose *loose_new(struct range_place place, const char *text, size_t len) MUST_CHECK;
struct loose *loose_new_gone(struct range_place place) MUST_CHECK; /* NULL when out of memory */

void loose_hold(struct loose *loose); /* any thread */
void loose_drop(struct loose *loose); /* any thread; NULL is fine */

size_t loose_memory(const struct loose *loose); /* bytes, malloc's share included */

/* The first of run[0..count) that stands at place or above; count when there is none. */
size_t loose_from(struct loose *const *run, size_t count, struct range_place place);

#endif
