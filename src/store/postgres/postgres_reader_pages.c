/* Pages of events along the time. */

#include "store/postgres/postgres_reader_parts.h"
#include "store/step.h"

/* Rows of a page's first statement: as many as a client mostly asks for, or somewhat more than the
 * page before took, since one answer is read by many of them. Each next one may have twice as many,
 * and so many bytes, by what the rows were so far: what is sent and not wanted is thrown away. */
#define PAGE_FIRST 100
#define PAGE_FIRST_MOST 1000
#define PAGE_MOST 5000
#define PAGE_BYTES ((size_t)1 << 20)

/*
 * A page is read in stretches of whole days, one behind the other, and each stretch in portions, a
 * statement each. place and edge are where the next portion begins and the stretch ends.
 */
struct page {
    struct postgres_reader *reader;
    bool up;
    int64_t end; /* of the window: since, or going up until */
    int64_t max_seq;
    struct range_place place; /* the page goes on strictly behind it */
    int64_t edge;             /* the last millisecond of the stretch that is being read */
    size_t limit;             /* rows of one portion */
    store_seq_fn *row;
    void *arg;
};

enum { PAGE_TS, PAGE_SEQ, PAGE_RECEIVED, PAGE_GIVEN, PAGE_EVENT };

void postgres_reader_row(const PGresult *result, struct store_row *out)
{
    *out = (struct store_row){
        .place = {pg_int(result, 0, PAGE_TS), pg_int(result, 0, PAGE_SEQ)},
        .received = pg_int(result, 0, PAGE_RECEIVED),
        .given = pg_bool(result, 0, PAGE_GIVEN),
    };
    out->text = pg_bytes(result, 0, PAGE_EVENT, &out->len);
}

size_t postgres_reader_limit(const struct postgres_stream *rows)
{
    if (rows->count == 0)
        return PAGE_FIRST;
    size_t limit = PAGE_BYTES / (rows->bytes / rows->count + 1) + 1;
    return limit < PAGE_MOST ? limit : PAGE_MOST;
}

static int page_row(void *arg, const PGresult *result)
{
    struct page *page = arg;
    struct store_row row;
    postgres_reader_row(result, &row);
    page->place = row.place;
    return page->row(page->arg, &row);
}

/* Where the next stretch ends. */
static int page_find_edge(struct page *page, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    PGresult *result;
    pg_put_int(params, page->up ? page->place.ts : page->end);
    pg_put_int(params, page->up ? page->end : page->place.ts);
    pg_put_int(params, (int64_t)page->limit);
    int status =
        postgres_reader_ask(page->reader, page->up ? SQL_READ_HIGH : SQL_READ_LOW, &result, err);
    if (status != STORE_OK)
        return status;
    page->edge = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

static int page_portion(struct page *page, struct postgres_stream *rows, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    pg_put_int(params, page->edge);
    pg_put_int(params, page->place.ts);
    pg_put_int(params, page->place.seq);
    pg_put_int(params, page->max_seq);
    pg_put_int(params, (int64_t)page->limit);
    return postgres_reader_stream(page->reader, page->up ? SQL_READ_UP : SQL_READ_DOWN, rows, err);
}

/* The first stretch of a page that goes on in the midst of a day is what is left of that: who reads
 * on mostly finds enough there. */
static bool page_begin(struct page *page)
{
    int64_t day = step_floor(STEP_DAY, page->place.ts), last = day + step_ms[STEP_DAY] - 1;
    if (page->up)
        page->edge = last < page->end ? last : page->end;
    else
        page->edge = day > page->end ? day : page->end;
    return page->place.seq > 0 && page->place.seq < INT64_MAX;
}

/* Behind the stretch that has been read. */
static void page_turn(struct page *page)
{
    page->place = page->up ? (struct range_place){page->edge + 1, INT64_MIN}
                           : (struct range_place){page->edge - 1, INT64_MAX};
}

static bool page_over(const struct page *page)
{
    return page->up ? page->place.ts > page->end : page->place.ts < page->end;
}

static size_t page_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int page_walk(struct page *page, bool *more, struct error *err)
{
    struct postgres_stream rows = {.row = page_row, .arg = page};
    bool within = page_begin(page);
    int status = STORE_OK;
    size_t taken = 0;
    while (status == STORE_OK && !rows.ended && !page_over(page)) {
        if (!within)
            status = page_find_edge(page, err);
        if (status == STORE_OK)
            status = page_portion(page, &rows, err);
        within = rows.count == page->limit;
        taken += rows.count;
        if (rows.count > 0)
            page->limit = page_least(postgres_reader_limit(&rows), page->limit * 2);
        if (!within)
            page_turn(page);
    }
    page->reader->page_rows = taken + taken / 8;
    *more = rows.ended;
    return status;
}

/* Clamps what there is to clamp and walks. */
static int page_read(struct store_reader *base, struct page *page, bool *more, struct error *err)
{
    *more = false;
    page->reader = postgres_reader_of(base);
    page->end = step_clamp(page->end);
    page->place.ts = step_clamp(page->place.ts);
    size_t first = page_least(page->reader->page_rows, PAGE_FIRST_MOST);
    if (page->limit == 0)
        page->limit = first > PAGE_FIRST ? first : PAGE_FIRST;
    int status = postgres_reader_settle(page->reader, &page->max_seq, err);
    return status == STORE_OK ? page_walk(page, more, err) : status;
}

int postgres_reader_page_up(struct store_reader *base, int64_t until, int64_t max_seq,
                            struct range_place place, store_seq_fn *row, void *arg, bool *more,
                            struct error *err)
{
    struct page page = {
        .up = true, .end = until, .max_seq = max_seq, .place = place, .row = row, .arg = arg};
    return page_read(base, &page, more, err);
}

int postgres_reader_page_down(struct store_reader *base, int64_t since, int64_t max_seq,
                              struct range_place place, store_seq_fn *row, void *arg, bool *more,
                              struct error *err)
{
    struct page page = {.end = since, .max_seq = max_seq, .place = place, .row = row, .arg = arg};
    return page_read(base, &page, more, err);
}

/* Who wants the text alone. */
struct page_plain {
    store_row_fn *row;
    void *arg;
};

static int page_plain_row(void *arg, const struct store_row *row)
{
    const struct page_plain *plain = arg;
    return plain->row(plain->arg, row->place, row->text, row->len);
}

int postgres_reader_page(struct store_reader *base, int64_t since, int64_t max_seq,
                         struct range_place place, store_row_fn *row, void *arg, bool *more,
                         struct error *err)
{
    struct page_plain plain = {row, arg};
    return postgres_reader_page_down(base, since, max_seq, place, page_plain_row, &plain, more,
                                     err);
}

static int page_newest(void *arg, const struct store_row *row)
{
    struct store_newest *newest = arg;
    newest->any = true;
    newest->top = row->place;
    return 1;
}

int postgres_reader_newest(struct store_reader *base, struct store_newest *out, struct error *err)
{
    struct store_moment moment;
    bool more;
    *out = (struct store_newest){0};
    int status = postgres_reader_moment(base, &moment, err);
    if (status != STORE_OK)
        return status;
    struct page page = {
        .end = INT64_MIN,
        .max_seq = moment.last_seq,
        .place = {INT64_MAX, INT64_MAX},
        .limit = 1,
        .row = page_newest,
        .arg = out,
    };
    status = page_read(base, &page, &more, err);
    out->max_seq = out->any ? moment.last_seq : 0;
    return status;
}
