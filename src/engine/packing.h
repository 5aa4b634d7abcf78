/*
 * packing.h: makes the bytes of a chunk: plain, or deflated pieces and the cache's own segments.
 *
 * Reads of the answer only what does not change once its first chunk has been fetched, and for the
 * last chunk what its cursor says: so the next chunk may be fetched meanwhile.
 */
#ifndef BEACOND_ENGINE_PACKING_H
#define BEACOND_ENGINE_PACKING_H

#include "engine/answer.h"
#include "engine/readers.h"
#include "engine/rope.h"

/* Makes bytes of the chunk, which is empty afterwards, using the desk's scratch. sum gets what the
 * text adds up to. A gzip stream's header is part of its first chunk; its trailer, which needs the
 * sum of all, is packing_end's. 0, or -1 when out of memory. */
int packing_chunk(const struct answer *answer, struct answer_chunk *chunk,
                  struct readers_desk *desk, struct rope *rope, struct gzip_sum *sum) MUST_CHECK;

/* Adds the trailer to the last chunk. total: of all chunks. 0, or -1 when out of memory. */
int packing_end(const struct answer *answer, struct rope *rope,
                const struct gzip_sum *total) MUST_CHECK;

#endif
