/*
 * csv.h: events as rows of comma-separated values (RFC 4180). Pure.
 *
 * The columns: seq, received, timestamp, level, type, appId, sessionId, userId, groupId, id, event.
 * received and timestamp are in UTC with milliseconds. Of the members the last of a name counts; a
 * string stands there unescaped, anything else as its JSON text, and what is absent is empty. event
 * is the whole of it, on one line (line.h). Rows end in CR LF, as the RFC has it.
 *
 * The output is UTF-8 without NUL: halves of surrogate pairs and \u0000 in a member become U+FFFD;
 * event has them as they were sent.
 */
#ifndef BEACOND_CONTRACT_CSV_H
#define BEACOND_CONTRACT_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* All 0, or -1 when out of memory: out may hold half of it then. */

int csv_append_header(struct bytes *out) MUST_CHECK;

/* One event: its number, its times in milliseconds since 1970, its text as stored. */
int csv_append_event(struct bytes *out, int64_t seq, int64_t received, int64_t ts, const char *text,
                     size_t len) MUST_CHECK;

/* One field, quoted when it must be. */
int csv_append_field(struct bytes *out, const char *text, size_t len) MUST_CHECK;

#endif
