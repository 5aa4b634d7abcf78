/* Pages of events along the time. */

#include "store/postgres/postgres_reader_parts.h"
#include "store/step.h"

/* Rows of a page's first statement: as many as a client mostly asks for. The next ones may have so
 * many bytes, by what the rows were so far. */
#define PAGE_FIRST 100
#define PAGE_MOST 5000
#define PAGE_BYTES ((size_t)1 << 20)

struct page {
    struct postgres_reader *reader;
    int64_t since;
    int64_t max_seq;
    struct range_place place; /* the page goes on strictly behind it */
    int64_t low;              /* of the stretch of days that is being read */
    size_t limit;             /* rows of one statement */
    store_row_fn *row;
    void *arg;
};

enum { PAGE_TS, PAGE_SEQ, PAGE_EVENT };

static int page_row(void *arg, const PGresult *row)
{
    struct page *page = arg;
    size_t len;
    const char *text = pg_bytes(row, 0, PAGE_EVENT, &len);
    page->place = (struct range_place){pg_int(row, 0, PAGE_TS), pg_int(row, 0, PAGE_SEQ)};
    return page->row(page->arg, page->place, text, len);
}

/* How many rows the next statement is asked for. */
static size_t page_limit(const struct postgres_rows *rows)
{
    size_t each = rows->count == 0 ? PAGE_BYTES : rows->bytes / rows->count + 1;
    size_t limit = PAGE_BYTES / each + 1;
    return limit < PAGE_MOST ? limit : PAGE_MOST;
}

/* Where the next stretch of days ends. */
static int page_find_low(struct page *page, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    PGresult *result;
    pg_put_int(params, page->since);
    pg_put_int(params, page->place.ts);
    pg_put_int(params, (int64_t)page->limit);
    int status = postgres_reader_ask(page->reader, SQL_READ_PAGE_LOW, &result, err);
    if (status != STORE_OK)
        return status;
    page->low = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

/* One statement's rows. */
static int page_portion(struct page *page, struct postgres_rows *rows, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    pg_put_int(params, page->low);
    pg_put_int(params, page->place.ts);
    pg_put_int(params, page->place.seq);
    pg_put_int(params, page->max_seq);
    pg_put_int(params, (int64_t)page->limit);
    return postgres_reader_stream(page->reader, SQL_READ_PAGE, rows, err);
}

/* *more: row has ended it. */
static int page_walk(struct page *page, bool *more, struct error *err)
{
    struct postgres_rows rows = {.row = page_row, .arg = page};
    int status = STORE_OK;
    bool whole = page->place.seq == INT64_MAX; /* the stretch before has been read to its end */
    page->low = step_floor(STEP_DAY, page->place.ts);
    if (page->low < page->since)
        page->low = page->since;
    while (status == STORE_OK && page->place.ts >= page->since) {
        if (whole)
            status = page_find_low(page, err);
        if (status == STORE_OK)
            status = page_portion(page, &rows, err);
        if (status != STORE_OK || rows.ended)
            break;
        whole = rows.count < page->limit;
        if (rows.count > 0)
            page->limit = page_limit(&rows);
        if (whole)
            page->place = (struct range_place){page->low - 1, INT64_MAX};
    }
    *more = rows.ended;
    return status;
}

int postgres_reader_page(struct store_reader *base, int64_t since, int64_t max_seq,
                         struct range_place place, store_row_fn *row, void *arg, bool *more,
                         struct error *err)
{
    struct page page = {
        .reader = postgres_reader_of(base),
        .since = step_clamp(since),
        .max_seq = max_seq,
        .place = {step_clamp(place.ts), place.seq},
        .limit = PAGE_FIRST,
        .row = row,
        .arg = arg,
    };
    *more = false;
    int status = postgres_reader_settle(page.reader, &page.max_seq, err);
    return status == STORE_OK ? page_walk(&page, more, err) : status;
}

static int page_newest(void *arg, struct range_place place, const char *text, size_t len)
{
    struct store_newest *newest = arg;
    (void)text;
    (void)len;
    newest->any = true;
    newest->top = place;
    return 1;
}

int postgres_reader_newest(struct store_reader *base, struct store_newest *out, struct error *err)
{
    struct store_moment moment;
    *out = (struct store_newest){0};
    int status = postgres_reader_moment(base, &moment, err);
    if (status != STORE_OK)
        return status;
    struct page page = {
        .reader = postgres_reader_of(base),
        .since = STEP_FIRST_MS,
        .max_seq = moment.last_seq,
        .place = {STEP_LAST_MS, INT64_MAX},
        .limit = 1,
        .row = page_newest,
        .arg = out,
    };
    bool more;
    status = page_walk(&page, &more, err);
    out->max_seq = out->any ? moment.last_seq : 0;
    return status;
}
