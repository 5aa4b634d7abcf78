/*
 * wary.h: the wall clock for what erases: one that jumps ahead is not believed at once.
 *
 * A clock that a battery, a virtual machine or a wrong time server has put years ahead must not
 * make everything old in one moment, for what is erased does not come back when the clock does. So
 * time is taken to go on from the last moment that was believed, at the pace of the monotonic
 * clock, until the wall clock has been ahead of that for a whole day. A clock that goes back is
 * believed: it makes nothing old. Pure; the caller's thread.
 */
#ifndef BEACOND_BASE_WARY_H
#define BEACOND_BASE_WARY_H

#include <stdbool.h>
#include <stdint.h>

/* So long a clock that has jumped ahead is not believed. */
#define WARY_DOUBT_MS (INT64_C(24) * 3600 * 1000)
/* So far from one look to the next it may run ahead of the monotonic clock: a machine that slept, a
 * time server that corrects. */
#define WARY_SLACK_MS (INT64_C(3600) * 1000)
/* So far at the start from what was known: a daemon may have been off. */
#define WARY_OFF_MS (INT64_C(7) * 24 * 3600 * 1000)
/* Nothing was known. */
#define WARY_UNKNOWN INT64_MIN

struct wary {
    int64_t wall_ms, mono_ms; /* the last moment that was believed, by either clock */
    int64_t doubted_ms;       /* when doubt began, by the monotonic clock; while doubts */
    bool doubts;
};

/* known_ms: the newest moment that is known from before the start; WARY_UNKNOWN: none. */
void wary_begin(struct wary *wary, int64_t known_ms, int64_t wall_ms, int64_t mono_ms);

/* What the time is held to be, given what the clocks say; wall_ms or earlier. slack_ms: at most
 * WARY_SLACK_MS, less where an hour is much. wary->doubts says whether it is earlier. */
int64_t wary_now(struct wary *wary, int64_t wall_ms, int64_t mono_ms, int64_t slack_ms);

#endif
