#include "engine/answer.h"

#include <inttypes.h>

void answer_init(struct answer *answer, const struct range *range, bool gzip,
                 const unsigned char *secret)
{
    *answer = (struct answer){.range = *range, .gzip = gzip, .secret = secret};
    if (range->resumed) {
        answer->total = range->total;
        answer->max_seq = range->max_seq;
        answer->place = range->after;
    }
}

/* How many events lie in front of the page; a page beyond all numbers is beyond all events. */
static int64_t answer_skip(const struct range *range)
{
    if (range->limit == 0 || range->page <= 1)
        return 0;
    return range->page - 1 > INT64_MAX / range->limit ? INT64_MAX
                                                      : (range->page - 1) * range->limit;
}

static int answer_survey(struct answer *answer, struct store_reader *reader, struct error *err)
{
    struct store_survey survey;
    if (answer->range.resumed)
        return 0;
    if (store_survey(reader, answer->range.since, answer->range.until, answer_skip(&answer->range),
                     &survey, err) != STORE_OK)
        return -1;
    answer->total = survey.total;
    answer->max_seq = survey.max_seq;
    answer->place = survey.start;
    return 0;
}

struct answer_page {
    struct answer *answer;
    struct bytes *plain;
    size_t max_bytes;
    bool failed; /* out of memory */
};

static int answer_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct answer_page *page = arg;
    struct answer *answer = page->answer;
    if (answer->sent == answer->range.limit) {
        answer->more = true;
        return 1;
    }
    if ((answer->sent > 0 && bytes_append(page->plain, ",", 1) != 0) ||
        bytes_append(page->plain, text, len) != 0) {
        page->failed = true;
        return 1;
    }
    answer->sent++;
    answer->place = place;
    return page->plain->len >= page->max_bytes;
}

static int answer_rows(struct answer *answer, struct store_reader *reader, struct bytes *plain,
                       size_t max_bytes, bool *more, struct error *err)
{
    struct answer_page page = {answer, plain, max_bytes, false};
    *more = false;
    if (answer->range.limit == 0 || answer->range.since > answer->range.until)
        return 0;
    if (store_page(reader, answer->range.since, answer->max_seq, answer->place, answer_row, &page,
                   more, err) != STORE_OK)
        return -1;
    if (page.failed) {
        error_set(err, "out of memory");
        return -1;
    }
    *more = *more && !answer->more;
    return 0;
}

static int answer_end(struct answer *answer, struct bytes *plain)
{
    char cursor[RANGE_CURSOR_SIZE];
    if (bytes_append_format(plain,
                            "],\"total\":%" PRId64 ",\"page\":%" PRId64 ",\"limit\":%" PRId64,
                            answer->total, answer->range.page, answer->range.limit) != 0)
        return -1;
    if (answer->more) {
        range_cursor_write(cursor, &answer->range, answer->total, answer->max_seq, answer->place,
                           answer->secret);
        if (bytes_append_format(plain, ",\"nextCursor\":\"%s\"", cursor) != 0)
            return -1;
    }
    return bytes_append(plain, "}", 1);
}

static int answer_pack(struct answer *answer, struct gzip_pieces *pieces, const struct bytes *plain,
                       bool first, struct bytes *out)
{
    uint32_t crc;
    unsigned char trailer[GZIP_TRAILER_BYTES];
    if (!answer->gzip)
        return bytes_append(out, plain->data, plain->len);
    if (first && bytes_append(out, gzip_header, GZIP_HEADER_BYTES) != 0)
        return -1;
    if (gzip_piece(pieces, plain->data, plain->len, out, &crc) != 0)
        return -1;
    gzip_sum_add(&answer->sum, crc, plain->len);
    if (!answer->done)
        return 0;
    gzip_trailer(trailer, &answer->sum);
    return bytes_append(out, trailer, sizeof trailer);
}

int answer_next(struct answer *answer, struct store_reader *reader, struct gzip_pieces *pieces,
                struct bytes *plain, size_t max_bytes, struct bytes *out, struct error *err)
{
    bool first = !answer->begun, more = false;
    plain->len = 0;
    out->len = 0;
    if (first) {
        if (answer_survey(answer, reader, err) != 0)
            return -1;
        answer->begun = true;
        if (bytes_append_text(plain, "{\"events\":[") != 0)
            goto memory;
    }
    if (answer_rows(answer, reader, plain, max_bytes, &more, err) != 0)
        return -1;
    answer->done = !more;
    if (answer->done && answer_end(answer, plain) != 0)
        goto memory;
    if (answer_pack(answer, pieces, plain, first, out) == 0)
        return 0;
memory:
    error_set(err, "out of memory");
    return -1;
}
