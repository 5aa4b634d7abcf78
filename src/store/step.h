/*
 * step.h: the four steps of the tally and their arithmetic. Pure.
 *
 * Flooring, not cutting towards zero: 23:59:59.999 of 1969 belongs to the second before 1970.
 */
#ifndef BEACOND_STORE_STEP_H
#define BEACOND_STORE_STEP_H

#include <stdint.h>

enum step { STEP_SECOND, STEP_MINUTE, STEP_HOUR, STEP_DAY, STEP_COUNT };

static const int64_t step_ms[STEP_COUNT] = {1000, 60000, 3600000, 86400000};

static const char *const step_names[STEP_COUNT] = {"second", "minute", "hour", "day"};

/* Open windows are clamped to this before any arithmetic; all timestamps lie within. */
#define STEP_FIRST_MS (-400000000000000)
#define STEP_LAST_MS 400000000000000

/* The first millisecond of the step that holds ms. */
static inline int64_t step_floor(enum step step, int64_t ms)
{
    int64_t rest = ms % step_ms[step];
    return ms - (rest < 0 ? rest + step_ms[step] : rest);
}

/* The first step that begins at ms or later. */
static inline int64_t step_ceil(enum step step, int64_t ms)
{
    int64_t floor = step_floor(step, ms);
    return floor == ms ? ms : floor + step_ms[step];
}

static inline int64_t step_clamp(int64_t ms)
{
    return ms < STEP_FIRST_MS ? STEP_FIRST_MS : ms > STEP_LAST_MS ? STEP_LAST_MS : ms;
}

/* How many steps [since, until] touches, both clamped; 0 when it is empty. */
static inline int64_t step_count(enum step step, int64_t since, int64_t until)
{
    if (since > until)
        return 0;
    return (step_floor(step, until) - step_floor(step, since)) / step_ms[step] + 1;
}

/* The finest step of which [since, until] touches at most so many; days when none is coarse enough.
 */
static inline enum step step_finest(int64_t since, int64_t until, int64_t most)
{
    int step = STEP_SECOND;
    while (step < STEP_DAY && step_count((enum step)step, since, until) > most)
        step++;
    return (enum step)step;
}

#endif
