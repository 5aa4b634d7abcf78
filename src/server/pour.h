/*
 * pour.h: hands memory to evbuffers without copying it.
 */
#ifndef BEACOND_SERVER_POUR_H
#define BEACOND_SERVER_POUR_H

#include <event2/buffer.h>

#include "base/bytes.h"
#include "engine/rope.h"

/* Appends a run of bytes, which is taken over and emptied. 0, or -1 when out of memory. */
int pour_bytes(struct evbuffer *buffer, struct bytes *bytes) MUST_CHECK;

/* Appends a rope, which is taken over and emptied, its lease ending when the last byte has been
 * drained. 0, or -1 when out of memory: buffer may hold some of it then. */
int pour_rope(struct evbuffer *buffer, struct rope *rope) MUST_CHECK;

#endif
