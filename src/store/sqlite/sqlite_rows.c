/* Pages of events with all that a row knows: up, down and by seq. */

#include "store/sqlite/sqlite_reader_parts.h"
#include "store/step.h"

enum { ROWS_TS, ROWS_SEQ, ROWS_RECEIVED, ROWS_GIVEN, ROWS_EVENT, ROWS_ID };

static int rows_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

/* Hands the rows of a bound statement to row, and resets it. *more: row wants no more. */
static int rows_hand_out(struct db *db, sqlite3_stmt *statement, store_seq_fn *row, void *arg,
                         bool *more, struct error *err)
{
    int code = SQLITE_ROW, status = STORE_OK;
    while (!*more && status == STORE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_row out = {
            .place = {sqlite3_column_int64(statement, ROWS_TS),
                      sqlite3_column_int64(statement, ROWS_SEQ)},
            .received = sqlite3_column_int64(statement, ROWS_RECEIVED),
            .given = sqlite3_column_int64(statement, ROWS_GIVEN) != 0,
            .text = (const char *)sqlite3_column_text(statement, ROWS_EVENT),
            .len = (size_t)sqlite3_column_bytes(statement, ROWS_EVENT),
            .id = (const char *)sqlite3_column_text(statement, ROWS_ID),
            .id_len = (size_t)sqlite3_column_bytes(statement, ROWS_ID),
        };
        if (out.text == NULL || out.id == NULL)
            status = rows_no_memory(err);
        else
            *more = row(arg, &out) != 0;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)db_failure(db, err);
        status = STORE_BUSY;
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* The rest of one millisecond by the first statement, then what lies behind it by the second: see
 * sql/statements.sql. Both are bound. */
static int rows_two(struct db *db, sqlite3_stmt *same, sqlite3_stmt *behind, store_seq_fn *row,
                    void *arg, bool *more, struct error *err)
{
    int status = rows_hand_out(db, same, row, arg, more, err);
    return status == STORE_OK && !*more ? rows_hand_out(db, behind, row, arg, more, err) : status;
}

int sqlite_reader_page_up(struct store_reader *base, int64_t until, int64_t max_seq,
                          struct range_place place, store_seq_fn *row, void *arg, bool *more,
                          struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *same = db_statement(db, SQL_ROWS_SAME_UP);
    sqlite3_stmt *up = db_statement(db, SQL_ROWS_UP);
    *more = false;
    until = step_clamp(until);
    place.ts = step_clamp(place.ts);
    if (same == NULL || up == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    if (place.ts > until)
        return STORE_OK;
    db_bind_int(same, ":ts", place.ts);
    db_bind_int(same, ":seq", place.seq);
    db_bind_int(same, ":max_seq", max_seq);
    db_bind_int(up, ":after", place.ts + 1);
    db_bind_int(up, ":until", until);
    db_bind_int(up, ":max_seq", max_seq);
    return rows_two(db, same, up, row, arg, more, err);
}

int sqlite_reader_page_down(struct store_reader *base, int64_t since, int64_t max_seq,
                            struct range_place place, store_seq_fn *row, void *arg, bool *more,
                            struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *same = db_statement(db, SQL_ROWS_SAME_DOWN);
    sqlite3_stmt *down = db_statement(db, SQL_ROWS_DOWN);
    *more = false;
    if (same == NULL || down == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    if (!sqlite_reader_bind_down(same, down, since, max_seq, place))
        return STORE_OK;
    return rows_two(db, same, down, row, arg, more, err);
}

int sqlite_reader_page_seq(struct store_reader *base, int64_t after_seq, int64_t max_seq,
                           store_seq_fn *row, void *arg, bool *more, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *rows = db_statement(db, SQL_ROWS_SEQ);
    *more = false;
    if (rows == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    db_bind_int(rows, ":after", after_seq);
    db_bind_int(rows, ":max_seq", max_seq);
    return rows_hand_out(db, rows, row, arg, more, err);
}

int sqlite_reader_seq_back(struct store_reader *base, int64_t count, int64_t *seq,
                           struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *back = db_statement(db, SQL_SEQ_BACK);
    if (back == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    db_bind_int(back, ":count", count);
    return db_number(db, back, seq, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}
