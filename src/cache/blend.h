/*
 * blend.h: the events of a segment and of a loose run above it, in one order. Pure.
 */
#ifndef BEACOND_CACHE_BLEND_H
#define BEACOND_CACHE_BLEND_H

#include "cache/loose.h"
#include "cache/segment.h"

/* Which events count: those in [low, high) with seq <= max_seq. */
struct blend_window {
    struct range_place low, high;
    int64_t max_seq;
};

/* One event: loose, or number n of the segment. */
struct blend_event {
    const struct loose *loose; /* NULL: of the segment */
    size_t n;
};

static inline bool blend_holds(const struct blend_window *window, struct range_place place)
{
    return place.seq <= window->max_seq && !place_before(place, window->low) &&
           place_before(place, window->high);
}

/* Writes the events that count into out, newest first, and returns how many they are: at most
 * those of both. segment may be NULL. What a gone mark stands for does not count. */
size_t blend(const struct segment *segment, struct loose *const *run, size_t run_count,
             const struct blend_window *window, struct blend_event *out);

/* The same without writing them down. */
size_t blend_count(const struct segment *segment, struct loose *const *run, size_t run_count,
                   const struct blend_window *window);

struct range_place blend_place(const struct segment *segment, const struct blend_event *event);

/* How much of the segment's plain text the texts of events[0..count) need. */
size_t blend_depth(const struct segment *segment, const struct blend_event *events, size_t count);

size_t blend_len(const struct segment *segment, const struct blend_event *event); /* of its text */

/* The event's text without a comma, though one follows it; plain is the segment's plain text, as
 * deep as it is needed. */
const char *blend_text(const struct segment *segment, const char *plain,
                       const struct blend_event *event);

#endif
