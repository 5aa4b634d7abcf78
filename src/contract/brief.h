/*
 * brief.h: one event as a line for a person. Pure.
 */
#ifndef BEACOND_CONTRACT_BRIEF_H
#define BEACOND_CONTRACT_BRIEF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Appends "TIME LEVEL TYPE APP: what the payload tells", without a newline. Of the payload its
 * message, name, url, status and the like, or its JSON text; all of it cut to a few dozen
 * characters and, like line_append_plain, unable to move a terminal's cursor. ts: milliseconds
 * since 1970. Any bytes may be passed. 0, or -1 when out of memory. */
int brief_append(struct bytes *out, int64_t ts, const char *text, size_t len) MUST_CHECK;

#endif
