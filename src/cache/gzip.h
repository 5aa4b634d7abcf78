/*
 * gzip.h: one gzip stream glued from pieces that were compressed on their own. Pure, zlib only.
 *
 * A piece is raw-deflate blocks ended by a full flush, so pieces may stand in any order between a
 * header and a trailer; the checksum is folded together with crc32_combine. One gzip_pieces (a
 * compressor) belongs to one thread at a time; a gzip_sum to one answer.
 */
#ifndef BEACOND_CACHE_GZIP_H
#define BEACOND_CACHE_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* What a run of pieces adds up to. Start with {0, 0}. */
struct gzip_sum {
    uint32_t crc;   /* of the plain bytes so far */
    uint64_t plain; /* how many they are */
};

#define GZIP_HEADER_BYTES 10
#define GZIP_TRAILER_BYTES 10 /* an empty final block, checksum, length */
#define GZIP_FLUSH_BYTES 4    /* 00 00 ff ff, the last bytes of every piece that is not empty */

extern const unsigned char gzip_header[GZIP_HEADER_BYTES];
void gzip_trailer(unsigned char out[GZIP_TRAILER_BYTES], const struct gzip_sum *sum);

/* Adds a piece whose plain text has that checksum and length to the sum. */
void gzip_sum_add(struct gzip_sum *sum, uint32_t crc, uint64_t plain);

/* The same with a stride, which is made once for a length and saves most of the work. */
uint32_t gzip_stride(uint64_t plain);
void gzip_sum_stride(struct gzip_sum *sum, uint32_t crc, uint64_t plain, uint32_t stride);

struct gzip_pieces;

struct gzip_pieces *gzip_pieces_new(int level) MUST_CHECK; /* NULL when out of memory */
void gzip_pieces_free(struct gzip_pieces *pieces);

/* Appends the compressed piece of plain[0..len) to out and its checksum to *crc. len may be 0: then
 * there is nothing to append. 0, or -1 when out of memory (out may hold part of it then). */
int gzip_piece(struct gzip_pieces *pieces, const void *plain, size_t len, struct bytes *out,
               uint32_t *crc) MUST_CHECK;

#endif
