#include "cache/gzip.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_MEMORY_LEVEL 8                 /* zlib's default */
#define GZIP_PART_BYTES (UINT32_C(1) << 30) /* zlib counts in 32 bits */
/* So little is stored as it is: to make a compressor ready takes longer than all the rest. */
#define GZIP_STORED_BYTES 32

/* Deflate, no flags, no time, no extra flags, an unknown system: the same bytes everywhere. */
const unsigned char gzip_header[GZIP_HEADER_BYTES] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

struct gzip_pieces {
    z_stream stream;
};

static void gzip_little_endian(unsigned char out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

void gzip_trailer(unsigned char out[GZIP_TRAILER_BYTES], const struct gzip_sum *sum)
{
    out[0] = 0x03; /* an empty block of fixed codes, the last one */
    out[1] = 0x00;
    gzip_little_endian(out + 2, sum->crc);
    gzip_little_endian(out + 6, (uint32_t)sum->plain); /* modulo 2^32: RFC 1952, 2.3.1 */
}

void gzip_sum_add(struct gzip_sum *sum, uint32_t crc, uint64_t plain)
{
    sum->crc = (uint32_t)crc32_combine(sum->crc, crc, (z_off_t)plain);
    sum->plain += plain;
}

#if ZLIB_VERNUM >= 0x12c0
uint32_t gzip_stride(uint64_t plain)
{
    return (uint32_t)crc32_combine_gen((z_off_t)plain);
}

void gzip_sum_stride(struct gzip_sum *sum, uint32_t crc, uint64_t plain, uint32_t stride)
{
    sum->crc = (uint32_t)crc32_combine_op(sum->crc, crc, stride);
    sum->plain += plain;
}
#else
uint32_t gzip_stride(uint64_t plain)
{
    (void)plain;
    return 0;
}

void gzip_sum_stride(struct gzip_sum *sum, uint32_t crc, uint64_t plain, uint32_t stride)
{
    (void)stride;
    gzip_sum_add(sum, crc, plain);
}
#endif

struct gzip_pieces *gzip_pieces_new(int level)
{
    struct gzip_pieces *pieces = calloc(1, sizeof *pieces);
    if (pieces == NULL)
        return NULL;
    /* A negative window: raw deflate, no header of its own. */
    if (deflateInit2(&pieces->stream, level, Z_DEFLATED, -15, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(pieces);
        return NULL;
    }
    return pieces;
}

void gzip_pieces_free(struct gzip_pieces *pieces)
{
    if (pieces == NULL)
        return;
    deflateEnd(&pieces->stream);
    free(pieces);
}

/* Deflates one part and flushes it: fully at the end of the piece, so that nothing behind it refers
 * to bytes within. */
static int gzip_part(z_stream *stream, const unsigned char *plain, uInt len, int flush,
                     struct bytes *out)
{
    stream->next_in = (unsigned char *)(uintptr_t)plain; /* zlib takes it without const */
    stream->avail_in = len;
    do {
        uLong room = deflateBound(stream, stream->avail_in) + 16; /* the flush's empty block */
        if (bytes_reserve(out, room) != 0)
            return -1;
        stream->next_out = (unsigned char *)out->data + out->len;
        stream->avail_out = (uInt)room;
        deflate(stream, flush); /* Z_BUF_ERROR: nothing was left to do */
        out->len += room - stream->avail_out;
    } while (stream->avail_out == 0);
    return 0;
}

/* A stored block, and the empty one that every flush leaves (RFC 1951, 3.2.4). */
static int gzip_store(const void *plain, size_t len, struct bytes *out)
{
    static const unsigned char flush[5] = {0, 0, 0, 0xff, 0xff};
    unsigned char head[5] = {0, (unsigned char)len, 0, (unsigned char)~len, 0xff};
    if (bytes_reserve(out, sizeof head + len + sizeof flush) != 0 ||
        bytes_append(out, head, sizeof head) != 0 || bytes_append(out, plain, len) != 0)
        return -1;
    return bytes_append(out, flush, sizeof flush);
}

int gzip_piece(struct gzip_pieces *pieces, const void *plain, size_t len, struct bytes *out,
               uint32_t *crc)
{
    *crc = (uint32_t)crc32_z(0, plain, len);
    if (len == 0) /* no bytes are a piece as well */
        return 0;
    if (len <= GZIP_STORED_BYTES)
        return gzip_store(plain, len, out);
    /* The flush has left nothing of the piece before, unless that one failed half-way. */
    deflateReset(&pieces->stream);
    const unsigned char *at = plain;
    for (; len > GZIP_PART_BYTES; len -= GZIP_PART_BYTES, at += GZIP_PART_BYTES)
        if (gzip_part(&pieces->stream, at, GZIP_PART_BYTES, Z_NO_FLUSH, out) != 0)
            return -1;
    return gzip_part(&pieces->stream, at, (uInt)len, Z_FULL_FLUSH, out);
}
