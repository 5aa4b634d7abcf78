/*
 * place.h: comparing places in the order (ts, seq). Inline, pure.
 *
 * Ranges of places are half-open here: [low, high).
 */
#ifndef BEACOND_CACHE_PLACE_H
#define BEACOND_CACHE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/range.h"

/* Below and above every event's place. */
#define PLACE_LOWEST ((struct range_place){INT64_MIN, INT64_MIN})
#define PLACE_HIGHEST ((struct range_place){INT64_MAX, INT64_MAX})

/* Whether a is older: it comes later in an answer. */
static inline bool place_before(struct range_place a, struct range_place b)
{
    return a.ts != b.ts ? a.ts < b.ts : a.seq < b.seq;
}

static inline bool place_equal(struct range_place a, struct range_place b)
{
    return a.ts == b.ts && a.seq == b.seq;
}

static inline struct range_place place_later(struct range_place a, struct range_place b)
{
    return place_before(a, b) ? b : a;
}

static inline struct range_place place_earlier(struct range_place a, struct range_place b)
{
    return place_before(a, b) ? a : b;
}

/* The place right above that of an event. */
static inline struct range_place place_above(struct range_place place)
{
    return (struct range_place){place.ts, place.seq + 1};
}

/* The lowest place of a millisecond, and the lowest one behind it. */
static inline struct range_place place_of_ms(int64_t ts)
{
    return (struct range_place){ts, INT64_MIN};
}

static inline struct range_place place_behind_ms(int64_t ts)
{
    return ts == INT64_MAX ? PLACE_HIGHEST : place_of_ms(ts + 1);
}

#endif
