/* Pages in the order of numbers: events, rejects and receipts. */

#include "store/postgres/postgres_reader_parts.h"
#include "store/step.h"

/* Rows of one statement where all partitions must be looked at, which costs milliseconds. */
#define ROWS_AT_LARGE 5000

/* --- events ----------------------------------------------------------------------------------- */

struct rows_page {
    struct postgres_reader *reader;
    int64_t after; /* the page goes on behind it */
    int64_t max_seq;
    /* The stretch that is being read: its numbers go up to last, its timestamps are in [low, high].
     */
    int64_t last, low, high;
    bool named; /* the stretch is of some commits: it is not all that is left */
    size_t limit;
    store_seq_fn *row;
    void *arg;
};

static int rows_row(void *arg, const PGresult *result)
{
    struct rows_page *page = arg;
    struct store_row row;
    postgres_reader_row(result, &row);
    page->after = row.place.seq;
    return page->row(page->arg, &row);
}

enum { RANGE_REACHES, RANGE_LAST, RANGE_LOW, RANGE_HIGH };

/* The next stretch. *any: there is one. */
static int rows_find_range(struct rows_page *page, bool *any, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    PGresult *result;
    pg_put_int(params, page->after);
    pg_put_int(params, page->max_seq);
    pg_put_int(params, (int64_t)page->limit);
    int status = postgres_reader_ask(page->reader, SQL_READ_SEQ_RANGE, &result, err);
    if (status != STORE_OK)
        return status;
    page->named = pg_bool(result, 0, RANGE_REACHES);
    *any = !page->named || !PQgetisnull(result, 0, RANGE_LAST);
    page->last = page->named ? pg_int(result, 0, RANGE_LAST) : page->max_seq;
    page->low = page->named ? pg_int(result, 0, RANGE_LOW) : STEP_FIRST_MS;
    page->high = page->named ? pg_int(result, 0, RANGE_HIGH) : STEP_LAST_MS;
    if (page->last > page->max_seq)
        page->last = page->max_seq;
    if (!page->named)
        page->limit = ROWS_AT_LARGE;
    PQclear(result);
    return STORE_OK;
}

static int rows_portion(struct rows_page *page, struct postgres_stream *rows, struct error *err)
{
    struct pg_params *params = &page->reader->params;
    pg_put_int(params, page->after);
    pg_put_int(params, page->last);
    pg_put_int(params, page->low);
    pg_put_int(params, page->high);
    pg_put_int(params, (int64_t)page->limit);
    return postgres_reader_stream(page->reader, SQL_READ_SEQ, rows, err);
}

int postgres_reader_page_seq(struct store_reader *base, int64_t after_seq, int64_t max_seq,
                             store_seq_fn *row, void *arg, bool *more, struct error *err)
{
    struct rows_page page = {.reader = postgres_reader_of(base),
                             .after = after_seq,
                             .max_seq = max_seq,
                             .row = row,
                             .arg = arg};
    struct postgres_stream rows = {.row = rows_row, .arg = &page};
    bool any = true, within = false;
    page.limit = postgres_reader_limit(&rows);
    int status = postgres_reader_settle(page.reader, &page.max_seq, err);
    while (status == STORE_OK && !rows.ended && page.after < page.max_seq) {
        if (!within)
            status = rows_find_range(&page, &any, err);
        if (status != STORE_OK || !any)
            break;
        status = rows_portion(&page, &rows, err);
        within = rows.count == page.limit;
        if (rows.count > 0 && page.named)
            page.limit = postgres_reader_limit(&rows);
        if (!within && !rows.ended)
            page.after = page.last;
    }
    *more = rows.ended;
    return status;
}

/* The count-th newest number from last downwards, of a stretch. *found: there is one. */
static int rows_back(struct postgres_reader *reader, int64_t first, int64_t last, int64_t low,
                     int64_t high, int64_t count, bool *found, int64_t *seq, struct error *err)
{
    PGresult *result;
    const int64_t values[] = {first, last, low, high, count};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        pg_put_int(&reader->params, values[i]);
    int status = postgres_reader_ask(reader, SQL_READ_BACK, &result, err);
    if (status != STORE_OK)
        return status;
    *found = PQntuples(result) == 1;
    *seq = *found ? pg_int(result, 0, 0) : 0;
    PQclear(result);
    return STORE_OK;
}

int postgres_reader_seq_back(struct store_reader *base, int64_t count, int64_t *seq,
                             struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    struct store_moment moment;
    PGresult *result;
    bool found = false;
    int status = postgres_reader_moment(base, &moment, err);
    if (status != STORE_OK)
        return status;
    pg_put_int(&reader->params, moment.last_seq);
    pg_put_int(&reader->params, count);
    status = postgres_reader_ask(reader, SQL_READ_BACK_RANGE, &result, err);
    if (status != STORE_OK)
        return status;
    if (!PQgetisnull(result, 0, 0))
        status = rows_back(reader, pg_int(result, 0, 0), moment.last_seq, pg_int(result, 0, 1),
                           pg_int(result, 0, 2), count, &found, seq, err);
    PQclear(result);
    /* The log does not go back so far, or some of its events are no more. */
    if (status == STORE_OK && !found)
        status = rows_back(reader, INT64_MIN, moment.last_seq, STEP_FIRST_MS, STEP_LAST_MS, count,
                           &found, seq, err);
    return status;
}

/* --- rejects and receipts --------------------------------------------------------------------- */

struct rows_table {
    enum sql_statement name;
    int64_t after;
    store_reject_fn *reject; /* or */
    store_receipts_fn *receipts;
    void *arg;
    struct bytes reason; /* ended by a NUL */
    bool failed;         /* no memory for it */
};

static int rows_reject(struct rows_table *table, const PGresult *result)
{
    struct store_reject reject = {.n = table->after, .received = pg_int(result, 0, 1)};
    size_t len;
    const char *reason = pg_bytes(result, 0, 2, &len);
    table->reason.len = 0;
    table->failed =
        bytes_append(&table->reason, reason, len) != 0 || bytes_append(&table->reason, "", 1) != 0;
    if (table->failed)
        return 1;
    reject.reason = table->reason.data;
    reject.text = pg_bytes(result, 0, 3, &reject.len);
    return table->reject(table->arg, &reject);
}

static int rows_table_row(void *arg, const PGresult *result)
{
    struct rows_table *table = arg;
    size_t len;
    table->after = pg_int(result, 0, 0);
    if (table->reject != NULL)
        return rows_reject(table, result);
    const char *data = pg_bytes(result, 0, 2, &len);
    return table->receipts(table->arg, table->after, pg_int(result, 0, 1), data, len);
}

static int rows_table(struct store_reader *base, struct rows_table *table, bool *more,
                      struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    struct postgres_stream rows = {.row = rows_table_row, .arg = table};
    int status = STORE_OK;
    size_t limit;
    bytes_init(&table->reason);
    do {
        limit = postgres_reader_limit(&rows);
        pg_put_int(&reader->params, table->after);
        pg_put_int(&reader->params, (int64_t)limit);
        status = postgres_reader_stream(reader, table->name, &rows, err);
    } while (status == STORE_OK && !rows.ended && rows.count == limit);
    *more = rows.ended;
    if (table->failed) {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    }
    bytes_clear(&table->reason);
    return status;
}

int postgres_reader_page_rejects(struct store_reader *base, int64_t after_n, store_reject_fn *row,
                                 void *arg, bool *more, struct error *err)
{
    struct rows_table table = {
        .name = SQL_READ_REJECTS, .after = after_n, .reject = row, .arg = arg};
    return rows_table(base, &table, more, err);
}

int postgres_reader_page_receipts(struct store_reader *base, int64_t after_row,
                                  store_receipts_fn *row, void *arg, bool *more, struct error *err)
{
    struct rows_table table = {
        .name = SQL_READ_RECEIPTS, .after = after_row, .receipts = row, .arg = arg};
    return rows_table(base, &table, more, err);
}
