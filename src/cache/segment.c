#include "cache/segment.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void segment_hold(struct segment *segment)
{
    (void)atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
}

void segment_drop(struct segment *segment)
{
    if (segment != NULL && atomic_fetch_sub(&segment->references, 1) == 1)
        free(segment);
}

/* --- columns ---------------------------------------------------------------------------------- */

static unsigned char column_width(uint64_t greatest)
{
    return greatest <= UINT16_MAX ? 2 : greatest <= UINT32_MAX ? 4 : 8;
}

static uint64_t column_get(const unsigned char *column, unsigned char width, size_t n)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 2:
        memcpy(&two, column + n * 2, 2);
        return two;
    case 4:
        memcpy(&four, column + n * 4, 4);
        return four;
    default:
        memcpy(&eight, column + n * 8, 8);
        return eight;
    }
}

static void column_put(unsigned char *column, unsigned char width, size_t n, uint64_t value)
{
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    switch (width) {
    case 2:
        memcpy(column + n * 2, &two, 2);
        break;
    case 4:
        memcpy(column + n * 4, &four, 4);
        break;
    default:
        memcpy(column + n * 8, &value, 8);
        break;
    }
}

/* a - b, a >= b: as unsigned numbers no distance overflows. */
static uint64_t column_above(int64_t a, int64_t b)
{
    return (uint64_t)a - (uint64_t)b;
}

struct range_place segment_place(const struct segment *segment, size_t n)
{
    uint64_t ts = column_get(segment->ts, segment->ts_width, n);
    uint64_t seq = column_get(segment->seqs, segment->seq_width, n);
    return (struct range_place){(int64_t)((uint64_t)segment->lowest.ts + ts),
                                (int64_t)((uint64_t)segment->lowest_seq + seq)};
}

size_t segment_end(const struct segment *segment, size_t n)
{
    return (size_t)column_get(segment->ends, segment->end_width, n);
}

size_t segment_begin(const struct segment *segment, size_t n)
{
    return n == 0 ? 0 : segment_end(segment, n - 1);
}

size_t segment_from(const struct segment *segment, struct range_place place)
{
    size_t from = 0, to = segment->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (place_before(segment_place(segment, middle), place))
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

/* --- inflating -------------------------------------------------------------------------------- */

#define SEGMENT_STEP_BYTES (UINT32_C(1) << 30) /* zlib counts in 32 bits on some machines */

/* Stands behind every piece, outside of it, so that inflating comes to an end: an empty block of
 * fixed codes, the last one. */
static const unsigned char segment_last_block[2] = {0x03, 0x00};

static uInt segment_step(size_t len)
{
    return len < SEGMENT_STEP_BYTES ? (uInt)len : SEGMENT_STEP_BYTES;
}

int segment_inflate(const struct segment *segment, size_t len, struct bytes *out)
{
    z_stream stream = {0};
    if (bytes_reserve(out, len) != 0 || inflateInit2(&stream, -15) != Z_OK)
        return -1;
    size_t in_left = segment->deflated_len + sizeof segment_last_block, out_left = len;
    stream.next_in =
        (unsigned char *)(uintptr_t)segment->deflated; /* zlib takes it without const */
    stream.next_out = (unsigned char *)out->data + out->len;
    int status = Z_OK;
    while (out_left > 0 && status == Z_OK) {
        uInt give = segment_step(in_left), room = segment_step(out_left);
        stream.avail_in = give;
        stream.avail_out = room;
        /* Finished in one go, zlib needs no window. */
        status = inflate(&stream, give == in_left && room == out_left ? Z_FINISH : Z_SYNC_FLUSH);
        in_left -= give - stream.avail_in;
        out_left -= room - stream.avail_out;
    }
    inflateEnd(&stream);
    if (out_left > 0) /* out of memory: the piece is our own */
        return -1;
    out->len += len;
    return 0;
}

/* --- drafts ----------------------------------------------------------------------------------- */

void draft_init(struct draft *draft)
{
    *draft = (struct draft){0};
}

void draft_clear(struct draft *draft)
{
    bytes_clear(&draft->plain);
    bytes_clear(&draft->packed);
    free(draft->marks);
    draft_init(draft);
}

int draft_add(struct draft *draft, struct range_place place, const char *text, size_t len)
{
    if (draft->count == draft->room) {
        size_t room = draft->room == 0 ? SEGMENT_EVENTS : draft->room * 2;
        struct segment_mark *marks = realloc(draft->marks, room * sizeof *marks);
        if (marks == NULL)
            return -1;
        draft->marks = marks;
        draft->room = room;
    }
    if (bytes_reserve(&draft->plain, len + 1) != 0)
        return -1;
    memcpy(draft->plain.data + draft->plain.len, text, len);
    draft->plain.data[draft->plain.len + len] = ',';
    draft->plain.len += len + 1;
    draft->marks[draft->count++] = (struct segment_mark){place, draft->plain.len};
    return 0;
}

/* Sets what the marks add up to. */
static void draft_measure(const struct draft *draft, struct segment *segment)
{
    const struct segment_mark *marks = draft->marks;
    segment->count = draft->count;
    segment->plain_len = draft->plain.len;
    segment->deflated_len = draft->packed.len;
    segment->highest = marks[0].place;
    segment->lowest = marks[draft->count - 1].place;
    segment->lowest_seq = segment->highest_seq = marks[0].place.seq;
    for (size_t i = 1; i < draft->count; i++) {
        int64_t seq = marks[i].place.seq;
        if (seq < segment->lowest_seq)
            segment->lowest_seq = seq;
        if (seq > segment->highest_seq)
            segment->highest_seq = seq;
    }
    segment->ts_width = column_width(column_above(segment->highest.ts, segment->lowest.ts));
    segment->seq_width = column_width(column_above(segment->highest_seq, segment->lowest_seq));
    segment->end_width = column_width(segment->plain_len);
}

struct segment *draft_seal(struct draft *draft, struct gzip_pieces *pieces)
{
    struct segment shape = {.references = 1};
    uint32_t comma;
    draft->packed.len = 0;
    if (gzip_piece(pieces, draft->plain.data, draft->plain.len - 1, &draft->packed,
                   &shape.crc_last) != 0)
        return NULL;
    shape.deflated_last = draft->packed.len;
    if (gzip_piece(pieces, ",", 1, &draft->packed, &comma) != 0)
        return NULL;
    shape.stride = gzip_stride(draft->plain.len);
    shape.crc = (uint32_t)crc32_z(shape.crc_last, (const unsigned char *)",", 1);
    draft_measure(draft, &shape);
    size_t columns = shape.count * ((size_t)shape.ts_width + shape.seq_width + shape.end_width);
    /* One block for all: two thousand of them are a full cache. */
    size_t size = sizeof shape + columns + shape.deflated_len + sizeof segment_last_block;
    shape.memory = size + SEGMENT_BLOCK_BYTES;
    struct segment *segment = malloc(size);
    if (segment == NULL)
        return NULL;
    unsigned char *ts = (unsigned char *)(segment + 1);
    unsigned char *seqs = ts + shape.count * shape.ts_width;
    unsigned char *ends = seqs + shape.count * shape.seq_width;
    unsigned char *deflated = ends + shape.count * shape.end_width;
    for (size_t i = 0; i < shape.count; i++) {
        const struct segment_mark *mark = &draft->marks[i];
        column_put(ts, shape.ts_width, i, column_above(mark->place.ts, shape.lowest.ts));
        column_put(seqs, shape.seq_width, i, column_above(mark->place.seq, shape.lowest_seq));
        column_put(ends, shape.end_width, i, mark->end);
    }
    memcpy(deflated, draft->packed.data, shape.deflated_len);
    memcpy(deflated + shape.deflated_len, segment_last_block, sizeof segment_last_block);
    shape.ts = ts;
    shape.seqs = seqs;
    shape.ends = ends;
    shape.deflated = deflated;
    *segment = shape;
    draft->plain.len = 0;
    draft->count = 0;
    return segment;
}
