/*
 * ring_glue.h: what a reader makes of a cut: the text, and the gzip stream glued from its parts.
 */
#ifndef BEACOND_TESTS_RING_GLUE_H
#define BEACOND_TESTS_RING_GLUE_H

#include <string.h>
#include <zlib.h>

#include "cache/cut.h"
#include "unit.h"

#define GLUE_HEAD "{\"events\":["
#define GLUE_TAIL "]}"

/* The scratch of one thread. */
struct glue {
    struct gzip_pieces *pieces;
    struct bytes scratch, text, stream, back;
    struct gzip_sum sum;
    struct range_place last; /* of the last document */
    size_t whole;            /* segments glued as they were */
};

static inline void glue_init(struct glue *glue)
{
    *glue = (struct glue){.pieces = gzip_pieces_new(1)};
    ck_assert_ptr_nonnull(glue->pieces);
}

static inline void glue_clear(struct glue *glue)
{
    gzip_pieces_free(glue->pieces);
    bytes_clear(&glue->scratch);
    bytes_clear(&glue->text);
    bytes_clear(&glue->stream);
    bytes_clear(&glue->back);
}

static inline void glue_piece(struct glue *glue, const char *text, size_t len)
{
    uint32_t crc;
    ck_assert_int_eq(gzip_piece(glue->pieces, text, len, &glue->stream, &crc), 0);
    gzip_sum_add(&glue->sum, crc, len);
}

static inline void glue_part(struct glue *glue, const struct cut *cut, size_t n)
{
    struct cut_part *part = &cut->parts[n];
    bool last = n + 1 == cut->part_count;
    ck_assert_int_eq(cut_last(cut, part, &glue->last), 0);
    if (part->whole) {
        const struct segment *segment = part->segment;
        size_t len = last ? segment->deflated_last : segment->deflated_len;
        ck_assert_int_eq(bytes_append(&glue->stream, segment->deflated, len), 0);
        if (last)
            gzip_sum_add(&glue->sum, segment->crc_last, segment->plain_len - 1);
        else
            gzip_sum_stride(&glue->sum, segment->crc, segment->plain_len, segment->stride);
        glue->whole++;
        return;
    }
    glue->text.len = 0;
    ck_assert_int_eq(cut_text(cut, part, &glue->scratch, &glue->text), 0);
    glue_piece(glue, glue->text.data, glue->text.len - last);
}

/* zlib reads stream as one member, whole, into back. */
static inline void glue_read(struct glue *glue)
{
    z_stream stream = {0};
    size_t plain = (size_t)glue->sum.plain;
    ck_assert_int_eq(inflateInit2(&stream, 31), Z_OK);
    glue->back.len = 0;
    ck_assert_int_eq(bytes_reserve(&glue->back, plain + 16), 0);
    stream.next_in = (unsigned char *)glue->stream.data;
    stream.avail_in = (uInt)glue->stream.len;
    stream.next_out = (unsigned char *)glue->back.data;
    stream.avail_out = (uInt)plain + 16;
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.avail_in, 0);
    glue->back.len = stream.total_out;
    ck_assert_uint_eq(glue->back.len, plain);
    inflateEnd(&stream);
}

/* Glues a document from the cut and inflates it into back. */
static inline void glue_document(struct glue *glue, const struct cut *cut)
{
    unsigned char trailer[GZIP_TRAILER_BYTES];
    glue->stream.len = 0;
    glue->sum = (struct gzip_sum){0, 0};
    ck_assert_int_eq(bytes_append(&glue->stream, gzip_header, GZIP_HEADER_BYTES), 0);
    glue_piece(glue, GLUE_HEAD, strlen(GLUE_HEAD));
    for (size_t n = 0; n < cut->part_count; n++)
        glue_part(glue, cut, n);
    glue_piece(glue, GLUE_TAIL, strlen(GLUE_TAIL));
    gzip_trailer(trailer, &glue->sum);
    ck_assert_int_eq(bytes_append(&glue->stream, trailer, sizeof trailer), 0);
    glue_read(glue);
}

#endif
