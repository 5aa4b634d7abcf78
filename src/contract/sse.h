/*
 * sse.h: stored events as Server-Sent Events (the HTML standard, 9.2), and where to go on. Pure.
 */
#ifndef BEACOND_CONTRACT_SSE_H
#define BEACOND_CONTRACT_SSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* A comment, which says that the connection lives. */
#define SSE_PING ":\n\n"

/* How a stream begins: how soon a client is to come again, and the number that it has then, though
 * no event has come. 0, or -1 when out of memory. */
int sse_append_hello(struct bytes *out, int64_t seq) MUST_CHECK;

/* One event: its number as the id, its text on one line (line.h) as the data. 0, or -1 when out of
 * memory. */
int sse_append_event(struct bytes *out, int64_t seq, const char *text, size_t len) MUST_CHECK;

/* Reads an id. 0 and *seq, or -1 when it is none of ours. */
int sse_read_id(const char *text, int64_t *seq) MUST_CHECK;

#endif
