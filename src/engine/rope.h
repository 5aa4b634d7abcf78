/*
 * rope.h: the bytes of an answer, or of a stretch of it, without copying what the cache holds.
 *
 * A rope is a row of pieces: texts of its own, and references to the deflated bytes of segments. It
 * belongs to one thread at a time.
 */
#ifndef BEACOND_ENGINE_ROPE_H
#define BEACOND_ENGINE_ROPE_H

#include <stddef.h>

#include "base/bytes.h"
#include "cache/segment.h"
#include "engine/leases.h"

struct rope_piece {
    struct segment *segment; /* held; its first len deflated bytes. NULL: text */
    size_t len;              /* of the segment */
    struct bytes text;
};

struct rope {
    struct rope_piece *pieces;
    size_t count, room;
    /* Not NULL: a lease on so many bytes of the pieces. Who takes the pieces over gives it back
     * when it lets go of the last. */
    struct leases *leases;
    size_t leased;
};

/* Zero it or rope_init it; rope_clear it. */
void rope_init(struct rope *rope);
void rope_clear(struct rope *rope); /* gives the lease back as well */

/* The last piece's text, to be appended to; a new piece where the last one is none. NULL when out
 * of memory. */
struct bytes *rope_text(struct rope *rope) MUST_CHECK;

/* Adds the first len deflated bytes of a segment. 0, or -1 when out of memory. */
int rope_segment(struct rope *rope, struct segment *segment, size_t len) MUST_CHECK;

size_t rope_len(const struct rope *rope); /* bytes of all pieces */

/* Moves what from holds to an empty rope. */
void rope_move(struct rope *rope, struct rope *from);

#endif
