/*
 * segment.h: a run of events in compressed form. Pure, zlib only.
 *
 * A segment holds the texts of some hundred events, newest first, each followed by a comma, as
 * pieces of a gzip stream (gzip.h), and beside it where each event stands: its place in the order
 * and the end of its text. The last comma is a piece of its own, to be left off where a document
 * ends. The plain text is not kept; inflating gives it back.
 *
 * Immutable and shared: any thread may read it and hold or drop a reference.
 */
#ifndef BEACOND_CACHE_SEGMENT_H
#define BEACOND_CACHE_SEGMENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cache/gzip.h"
#include "cache/place.h"

/* Events and plain bytes after which a segment is full. Smaller ones compress worse (256 events
 * cost 2.7 % against one stream, 64 cost 9.3 %), larger ones cost more where only a part is
 * wanted. */
#define SEGMENT_EVENTS 256
#define SEGMENT_BYTES (512 << 10)

/* What malloc is taken to add to a block, for the bound in bytes. */
#define SEGMENT_BLOCK_BYTES 16

struct segment {
    atomic_uint references;
    uint32_t crc;      /* of the plain text */
    uint32_t crc_last; /* of it without the last comma */
    uint32_t stride;   /* of the plain text (gzip.h) */
    size_t count;      /* events, 1 or more */
    size_t plain_len;
    const unsigned char *deflated;      /* the pieces */
    size_t deflated_len;                /* of both */
    size_t deflated_last;               /* without that of the last comma */
    struct range_place lowest, highest; /* of the events: the last one's and the first one's */
    int64_t lowest_seq, highest_seq;
    size_t memory; /* bytes of this block, malloc's share included */

    /* Columns of count numbers, each as wide as the column's greatest needs. */
    const unsigned char *ts;   /* above lowest.ts */
    const unsigned char *seqs; /* above lowest_seq */
    const unsigned char *ends; /* of the texts, behind the comma */
    unsigned char ts_width, seq_width, end_width;
};

void segment_hold(struct segment *segment); /* any thread */
void segment_drop(struct segment *segment); /* any thread; NULL is fine */

/* The place of event n, 0 being the newest. n < count. */
struct range_place segment_place(const struct segment *segment, size_t n);

/* Where the text of event n ends in the plain text, its comma included; it begins where that of
 * event n - 1 ends. n < count. */
size_t segment_end(const struct segment *segment, size_t n);
size_t segment_begin(const struct segment *segment, size_t n); /* n <= count */

/* How many of its events stand at place or above: those of [low, high) are segment_from(high) to
 * segment_from(low) - 1. */
size_t segment_from(const struct segment *segment, struct range_place place);

/* Appends the first len bytes of the plain text to out. 0, or -1 when out of memory. */
int segment_inflate(const struct segment *segment, size_t len, struct bytes *out) MUST_CHECK;

/* What a segment is made from; one thread's. Zero it or draft_init it; draft_clear it. */
struct segment_mark {
    struct range_place place;
    size_t end;
};
struct draft {
    struct bytes plain;
    struct bytes packed; /* scratch */
    struct segment_mark *marks;
    size_t count, room;
};

void draft_init(struct draft *draft);
void draft_clear(struct draft *draft);

/* Adds an event, older than those before; the comma is added by it. 0, or -1 when out of memory
 * (the draft is unchanged then). */
int draft_add(struct draft *draft, struct range_place place, const char *text,
              size_t len) MUST_CHECK;

/* Compresses what the draft holds, at least one event, and empties it. NULL when out of memory (the
 * draft is unchanged then). */
struct segment *draft_seal(struct draft *draft, struct gzip_pieces *pieces) MUST_CHECK;

#endif
