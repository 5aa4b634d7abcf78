/*
 * timestamp.h: ISO 8601 / RFC 3339 text to milliseconds and back. Pure.
 *
 * Accepted: YYYY-MM-DD, then optionally T, t or a space and hh:mm[:ss[.f…|,f…]], then optionally Z,
 * z, ±hh:mm, ±hhmm or ±hh. Years 0000 to 9999 as written, the proleptic Gregorian calendar. Without
 * an offset (or without a time) it is UTC. Any number of fraction digits; what is finer than a
 * millisecond is cut towards the past. 24:00:00 is the end of its day. A second of 60 is taken at
 * 23:59:60 UTC alone, as the first second of the next day (a leap second has no number of its own
 * in Unix time). Everything else is refused, white space around the value too.
 */
#ifndef BEACOND_CONTRACT_TIMESTAMP_H
#define BEACOND_CONTRACT_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TIMESTAMP_SIZE 32 /* room for timestamp_format's text and its NUL */

/* 0 and *ms (milliseconds since 1970-01-01T00:00:00Z, negative before), or -1. */
int timestamp_parse(const char *text, size_t len, int64_t *ms) MUST_CHECK;

/* Writes "YYYY-MM-DDThh:mm:ss.mmmZ" and a NUL. A year outside 0000 to 9999 is clamped to the first
 * or last millisecond of that span. */
void timestamp_format(char out[TIMESTAMP_SIZE], int64_t ms);

/* The same for any moment within some thousand years of those: what lies outside has a year of six
 * digits and a sign, "-000001-12-31T…", as browsers read and write it. Where an event's offset took
 * it across, or a step of time begins before its first event. */
void timestamp_format_any(char out[TIMESTAMP_SIZE], int64_t ms);

#endif
