/* Tables in the order of their numbers, a page at a time: rejects and receipts. */

#include "store/sqlite/sqlite_reader_parts.h"

/* Who gets the rows of one call. */
struct pages_call {
    store_reject_fn *reject; /* or */
    store_receipts_fn *receipts;
    void *arg;
    bool failed; /* no memory for a row */
};

static int pages_reject(struct pages_call *call, sqlite3_stmt *row)
{
    struct store_reject reject = {
        .n = sqlite3_column_int64(row, 0),
        .received = sqlite3_column_int64(row, 1),
        .reason = (const char *)sqlite3_column_text(row, 2),
        .text = sqlite3_column_blob(row, 3),
        .len = (size_t)sqlite3_column_bytes(row, 3),
    };
    if (reject.text == NULL && reject.len == 0)
        reject.text = ""; /* an empty blob has no address */
    call->failed = reject.reason == NULL || reject.text == NULL;
    return call->failed ? 1 : call->reject(call->arg, &reject);
}

static int pages_receipts(struct pages_call *call, sqlite3_stmt *row)
{
    const void *data = sqlite3_column_blob(row, 2);
    size_t len = (size_t)sqlite3_column_bytes(row, 2);
    call->failed = data == NULL && len > 0;
    return call->failed ? 1
                        : call->receipts(call->arg, sqlite3_column_int64(row, 0),
                                         sqlite3_column_int64(row, 1), data, len);
}

static int pages_row(struct pages_call *call, sqlite3_stmt *row)
{
    return call->reject != NULL ? pages_reject(call, row) : pages_receipts(call, row);
}

static int pages_walk(struct db *db, sqlite3_stmt *rows, struct pages_call *call, bool *more,
                      struct error *err)
{
    int code = SQLITE_ROW, status = STORE_OK;
    *more = false;
    while (!*more && (code = sqlite3_step(rows)) == SQLITE_ROW)
        *more = pages_row(call, rows) != 0;
    if (call->failed) {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    } else if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)db_failure(db, err);
        status = STORE_BUSY;
    }
    (void)sqlite3_reset(rows);
    return status;
}

/* Binds where the page begins and walks it. */
static int pages_from(struct store_reader *base, enum sql_statement name, int64_t after,
                      struct pages_call *call, bool *more, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *rows = db_statement(db, name);
    if (rows == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    db_bind_int(rows, ":after", after);
    return pages_walk(db, rows, call, more, err);
}

int sqlite_reader_page_rejects(struct store_reader *base, int64_t after_n, store_reject_fn *row,
                               void *arg, bool *more, struct error *err)
{
    struct pages_call call = {.reject = row, .arg = arg};
    return pages_from(base, SQL_PAGE_REJECTS, after_n, &call, more, err);
}

int sqlite_reader_page_receipts(struct store_reader *base, int64_t after_row,
                                store_receipts_fn *row, void *arg, bool *more, struct error *err)
{
    struct pages_call call = {.receipts = row, .arg = arg};
    return pages_from(base, SQL_PAGE_RECEIPTS, after_row, &call, more, err);
}
