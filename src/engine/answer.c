#include "engine/answer.h"

#include <inttypes.h>

void answer_init(struct answer *answer, const struct range *range, const struct reading_form *form,
                 const unsigned char *secret, uint64_t epoch)
{
    *answer = (struct answer){.range = *range, .form = *form, .secret = secret, .epoch = epoch};
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
    struct store_survey survey = {0};
    const struct range *range = &answer->range;
    /* Of a chain only the erasures are new: an empty window is asked for. */
    int64_t since = range->resumed ? 1 : range->since, until = range->resumed ? 0 : range->until;
    if (store_survey(reader, since, until, range->resumed ? 0 : answer_skip(range), &survey, err) !=
        STORE_OK)
        return -1;
    if (!range->resumed) {
        answer->total = survey.total;
        answer->max_seq = survey.max_seq;
        answer->place = survey.start;
    }
    etag_make(answer->tag, answer->epoch, survey.erasures, answer->total, answer->secret);
    answer->same = etag_matches(answer->form.known, answer->tag);
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

static int answer_begin(struct answer *answer, struct bytes *plain)
{
    if (bytes_append(plain, answer->form.head, answer->form.head_len) != 0)
        return -1;
    return bytes_append_text(plain, "{\"events\":[");
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
    if (bytes_append(plain, "}", 1) != 0)
        return -1;
    return answer->form.tail == NULL ? 0 : bytes_append_text(plain, answer->form.tail);
}

static int answer_gzip(struct answer *answer, struct gzip_pieces *pieces, const struct bytes *plain,
                       bool first, struct bytes *out)
{
    uint32_t crc;
    unsigned char trailer[GZIP_TRAILER_BYTES];
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

static int answer_deflate(struct answer *answer, struct gzip_pieces *pieces,
                          const struct bytes *plain, struct bytes *out)
{
    uint32_t crc;
    if (gzip_piece(pieces, plain->data, plain->len, out, &crc) != 0)
        return -1;
    /* The last chunk holds the document's end: its piece is not empty. */
    if (answer->done)
        out->len -= GZIP_FLUSH_BYTES;
    return 0;
}

static int answer_pack(struct answer *answer, struct gzip_pieces *pieces, const struct bytes *plain,
                       bool first, struct bytes *out)
{
    switch (answer->form.coding) {
    case READING_GZIP:
        return answer_gzip(answer, pieces, plain, first, out);
    case READING_DEFLATE:
        return answer_deflate(answer, pieces, plain, out);
    case READING_PLAIN:
    default:
        return bytes_append(out, plain->data, plain->len);
    }
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
        answer->done = answer->same;
        if (answer->same)
            return 0;
        if (answer_begin(answer, plain) != 0)
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
