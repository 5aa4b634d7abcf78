#include "engine/packing.h"

#include <inttypes.h>

/* Text that is compressed in one piece, about. */
#define PACKING_PIECE_BYTES (256 << 10)

struct packing {
    const struct answer *answer;
    struct readers_desk *desk;
    struct rope *rope;
    struct gzip_sum *sum;
    struct bytes *text; /* where text goes: the rope's own when plain, else to be deflated yet */
};

static int packing_finish_document(const struct answer *answer, struct bytes *text)
{
    char cursor[RANGE_CURSOR_SIZE];
    if (bytes_append_format(text, "],\"total\":%" PRId64 ",\"page\":%" PRId64 ",\"limit\":%" PRId64,
                            answer->total, answer->range.page, answer->range.limit) != 0)
        return -1;
    if (answer->more) {
        range_cursor_write(cursor, &answer->range, answer->total, answer->max_seq, answer->place,
                           answer->source->secret);
        if (bytes_append_format(text, ",\"nextCursor\":\"%s\"", cursor) != 0)
            return -1;
    }
    if (bytes_append(text, "}", 1) != 0)
        return -1;
    return answer->form.tail == NULL ? 0 : bytes_append_text(text, answer->form.tail);
}

static bool packing_is_plain(const struct packing *packing)
{
    return packing->answer->form.coding == READING_PLAIN;
}

/* Deflates the text that waits. */
static int packing_flush(struct packing *packing)
{
    uint32_t crc;
    if (packing_is_plain(packing) || packing->text->len == 0)
        return 0;
    struct bytes *out = rope_text(packing->rope), *scratch = &packing->desk->plain;
    /* By way of the scratch: zlib wants room for the worst case, and this waits for a socket. */
    scratch->len = 0;
    if (out == NULL ||
        gzip_piece(packing->desk->pieces, packing->text->data, packing->text->len, scratch, &crc) !=
            0 ||
        bytes_append(out, scratch->data, scratch->len) != 0)
        return -1;
    gzip_sum_add(packing->sum, crc, packing->text->len);
    packing->text->len = 0;
    return 0;
}

/* A segment as it is; last: of the chunk, where the comma is left off. */
static int packing_glue(struct packing *packing, struct segment *segment, bool last)
{
    if (packing_flush(packing) != 0 ||
        rope_segment(packing->rope, segment,
                     last ? segment->deflated_last : segment->deflated_len) != 0)
        return -1;
    if (last)
        gzip_sum_add(packing->sum, segment->crc_last, segment->plain_len - 1);
    else
        gzip_sum_stride(packing->sum, segment->crc, segment->plain_len, segment->stride);
    return 0;
}

static int packing_part(struct packing *packing, const struct cut *cut, size_t n)
{
    const struct cut_part *part = &cut->parts[n];
    bool last = n + 1 == cut->part_count;
    if (part->whole && !packing_is_plain(packing))
        return packing_glue(packing, part->segment, last);
    if (cut_text(cut, part, &packing->desk->scratch, packing->text) != 0)
        return -1;
    if (last)
        packing->text->len--; /* the comma */
    return packing->text->len < PACKING_PIECE_BYTES ? 0 : packing_flush(packing);
}

static int packing_parts(struct packing *packing, const struct answer_chunk *chunk)
{
    for (size_t n = 0; n < chunk->cut.part_count; n++)
        if (packing_part(packing, &chunk->cut, n) != 0)
            return -1;
    if (chunk->last && packing_finish_document(packing->answer, packing->text) != 0)
        return -1;
    return packing_flush(packing);
}

static int packing_begin(struct packing *packing, struct answer_chunk *chunk)
{
    struct bytes *out = rope_text(packing->rope);
    if (out == NULL)
        return -1;
    if (packing_is_plain(packing)) {
        *out = chunk->text; /* which is the begin of all */
        bytes_init(&chunk->text);
        packing->text = out;
        return 0;
    }
    packing->text = &chunk->text;
    if (chunk->first && packing->answer->form.coding == READING_GZIP)
        return bytes_append(out, gzip_header, GZIP_HEADER_BYTES);
    return 0;
}

int packing_chunk(const struct answer *answer, struct answer_chunk *chunk,
                  struct readers_desk *desk, struct rope *rope, struct gzip_sum *sum)
{
    struct packing packing = {.answer = answer, .desk = desk, .rope = rope, .sum = sum};
    *sum = (struct gzip_sum){0, 0};
    rope_init(rope);
    int status = packing_begin(&packing, chunk);
    if (status == 0)
        status = packing_parts(&packing, chunk);
    if (chunk->whole) {
        rope->leases = answer->source->leases;
        rope->leased = chunk->leased;
        chunk->whole = false;
    }
    answer_chunk_clear(chunk, answer->source);
    if (status != 0)
        rope_clear(rope);
    return status;
}

int packing_end(const struct answer *answer, struct rope *rope, const struct gzip_sum *total)
{
    unsigned char trailer[GZIP_TRAILER_BYTES];
    /* The document's end is text: the last piece is. */
    struct bytes *text = rope_text(rope);
    if (text == NULL)
        return -1;
    switch (answer->form.coding) {
    case READING_GZIP:
        gzip_trailer(trailer, total);
        return bytes_append(text, trailer, sizeof trailer);
    case READING_DEFLATE:
        text->len -= GZIP_FLUSH_BYTES;
        return 0;
    case READING_PLAIN:
    default:
        return 0;
    }
}
