/* Tables in the order of their numbers, a page at a time: rejects and receipts. */

#include <stdlib.h>
#include <string.h>

#include "store/sqlite/sqlite_facts.h"
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

/* --- what a database is known by -------------------------------------------------------------- */

int sqlite_reader_origin(struct store_reader *base, struct store_origin *out, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *secret = db_statement(db, SQL_SECRET);
    sqlite3_stmt *reject = db_statement(db, SQL_LAST_REJECT);
    int status = STORE_OK;
    if (secret == NULL || reject == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    int code = sqlite3_step(secret);
    if (code == SQLITE_ROW && sqlite3_column_bytes(secret, 0) == SIPHASH_KEY_BYTES) {
        memcpy(out->secret, sqlite3_column_blob(secret, 0), SIPHASH_KEY_BYTES);
    } else if (code == SQLITE_ROW || code == SQLITE_DONE) {
        error_set(err, "its table meta holds no secret of 16 bytes");
        status = STORE_UNFIT;
    } else {
        (void)db_failure(db, err);
        status = STORE_BUSY;
    }
    (void)sqlite3_reset(secret);
    if (status == STORE_OK && db_number(db, reject, &out->last_reject, err) != STORE_OK)
        status = STORE_BUSY;
    return status;
}

/* --- what is shown of rejects ----------------------------------------------------------------- */

static int pages_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

static int pages_reasons(struct db *db, const struct store_rejects_ask *ask,
                         struct store_rejects_show *show, struct error *err)
{
    int code = SQLITE_DONE, status = STORE_OK;
    sqlite3_stmt *rows = db_statement(db, SQL_REJECT_REASONS);
    if (rows == NULL)
        return db_failure(db, err);
    db_bind_int(rows, ":most", (int64_t)ask->reasons);
    while (status == STORE_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *reason = (const char *)sqlite3_column_text(rows, 0);
        size_t len = (size_t)sqlite3_column_bytes(rows, 0);
        if (reason == NULL ||
            show->reason(show->arg, reason, len, sqlite3_column_int64(rows, 1)) != 0)
            status = pages_no_memory(err);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(rows);
    return status;
}

/* Reads the beginning of a reject's text and nothing behind it, be it megabytes. *head has room. */
static int pages_head(struct db *db, int64_t n, char *head, size_t len, struct error *err)
{
    sqlite3_blob *blob = NULL;
    int status = STORE_OK;
    if (sqlite3_blob_open(db->handle, "main", "rejects", "event", n, 0, &blob) != SQLITE_OK ||
        sqlite3_blob_read(blob, head, (int)len, 0) != SQLITE_OK)
        status = db_failure(db, err);
    (void)sqlite3_blob_close(blob); /* NULL is fine */
    return status;
}

static int pages_show_reject(struct db *db, sqlite3_stmt *row, const struct store_rejects_ask *ask,
                             struct store_rejects_show *show, char *head, struct error *err)
{
    int64_t bytes = sqlite3_column_int64(row, 3);
    struct store_reject reject = {
        .n = sqlite3_column_int64(row, 0),
        .received = sqlite3_column_int64(row, 1),
        .reason = (const char *)sqlite3_column_text(row, 2),
        .text = head,
        .len = bytes < (int64_t)ask->head_bytes ? (size_t)bytes : ask->head_bytes,
    };
    if (reject.reason == NULL)
        return pages_no_memory(err);
    int status = pages_head(db, reject.n, head, reject.len, err);
    if (status == STORE_OK && show->reject(show->arg, &reject, bytes) != 0)
        status = pages_no_memory(err);
    return status;
}

static int pages_show_rejects(struct db *db, const struct store_rejects_ask *ask,
                              struct store_rejects_show *show, char *head, struct error *err)
{
    int code = SQLITE_DONE, status = STORE_OK;
    sqlite3_stmt *rows = db_statement(db, SQL_REJECTS_DOWN);
    if (rows == NULL)
        return db_failure(db, err);
    db_bind_int(rows, ":before", ask->before);
    for (size_t shown = 0; status == STORE_OK && !show->more; shown++) {
        code = sqlite3_step(rows);
        if (code != SQLITE_ROW)
            break;
        show->more = shown == ask->most;
        if (!show->more)
            status = pages_show_reject(db, rows, ask, show, head, err);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(rows);
    return status;
}

static int pages_show(struct db *db, const struct store_rejects_ask *ask,
                      struct store_rejects_show *show, struct error *err)
{
    char *head = malloc(ask->head_bytes + 1);
    if (head == NULL)
        return pages_no_memory(err);
    int status = db_script_number(db, "SELECT count(*) FROM rejects", &show->total, err);
    if (status == STORE_OK)
        status = pages_reasons(db, ask, show, err);
    if (status == STORE_OK)
        status = pages_show_rejects(db, ask, show, head, err);
    free(head);
    return status;
}

int sqlite_show_rejects(struct store_reader *base, const struct store_rejects_ask *ask,
                        struct store_rejects_show *show, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    show->total = 0;
    show->more = false;
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = pages_show(db, ask, show, err);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    db_abandon(db);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
