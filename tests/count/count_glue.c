/*
 * count_glue.c: cutting a window of 2,000 sealed segments out of the ring, and adding them up to
 * one gzip stream: all that an answer from memory costs, but for sending it. Folding the checksums
 * takes most of that, so the cut is made several times, lest a slower one be lost in it.
 */
#include <string.h>

#include "cache/cut.h"
#include "cache/fill.h"
#include "count.h"

#define GLUE_SEGMENTS 2000
#define GLUE_CUTS 20
#define GLUE_EVENTS 4 /* a segment: the cost is one of segments */
#define GLUE_TEXT 500 /* bytes of an event */

static struct ring *glue_ring;
static struct cut glue_cut;
static struct gzip_sum glue_sum;
static size_t glue_whole, glue_packed;

void count_subject(void)
{
    const struct cut_ask ask = {.since = INT64_MIN,
                                .until = INT64_MAX,
                                .start = PLACE_HIGHEST,
                                .max_seq = INT64_MAX,
                                .limit = UINT64_MAX};
    for (int i = 0; i < GLUE_CUTS; i++) {
        cut_clear(&glue_cut);
        count_must(ring_cut(glue_ring, &ask, &glue_cut) == 0, "out of memory");
    }
    for (size_t i = 0; i < glue_cut.part_count; i++) {
        const struct cut_part *part = &glue_cut.parts[i];
        if (!part->whole)
            continue;
        gzip_sum_stride(&glue_sum, part->segment->crc, part->segment->plain_len,
                        part->segment->stride);
        glue_packed += part->segment->deflated_len;
        glue_whole++;
    }
}

/* Fills the ring as a start does, from the newest event down. */
static void glue_fill(struct gzip_pieces *pieces)
{
    const int64_t most = (int64_t)GLUE_SEGMENTS * GLUE_EVENTS;
    char text[GLUE_TEXT + 1];
    struct fill *fill = fill_down(glue_ring);
    count_must(fill != NULL, "out of memory");
    fill_snapshot(fill, most, (struct range_place){most, most});
    for (int64_t seq = most; seq > 0; seq--) {
        memset(text, 'x', sizeof text);
        snprintf(text, sizeof text, "{\"n\":%lld,\"text\":\"", (long long)seq);
        text[strlen(text)] = 'x';
        memcpy(text + GLUE_TEXT - 2, "\"}", 2);
        count_must(fill_add(fill, pieces, (struct range_place){seq, seq}, text, GLUE_TEXT) == 0,
                   "out of memory");
    }
    count_must(fill_end(fill, pieces, PLACE_LOWEST) == 0, "out of memory");
    count_must(fill_publish(fill, 0) == FILL_DONE, "the fill is not taken");
}

int main(void)
{
    const struct ring_options options = {.max_events = SIZE_MAX / 2,
                                         .max_bytes = SIZE_MAX / 2,
                                         .segment_events = GLUE_EVENTS,
                                         .ceiling_ms = INT64_C(1) << 40,
                                         .last_seq = (int64_t)GLUE_SEGMENTS * GLUE_EVENTS};
    struct gzip_pieces *pieces = gzip_pieces_new(1);
    glue_ring = ring_new(&options);
    count_must(glue_ring != NULL && pieces != NULL, "out of memory");
    glue_fill(pieces);
    count_run();
    count_must(glue_whole == GLUE_SEGMENTS && glue_packed > 0, "segments are missing");
    count_must(glue_sum.plain == (uint64_t)GLUE_SEGMENTS * GLUE_EVENTS * (GLUE_TEXT + 1),
               "bytes are missing");
    cut_clear(&glue_cut);
    ring_free(glue_ring);
    gzip_pieces_free(pieces);
    return count_done();
}
