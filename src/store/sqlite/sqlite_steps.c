/* A window's events by steps: the rows of one tally, and what lies in the window of the two steps
 * it begins and ends within. */

#include "store/sqlite/sqlite_facts.h"
#include "store/sqlite/sqlite_reader_parts.h"
#include "store/window.h"

static int steps_total(void *arg, int64_t first, int64_t last, int64_t *events, struct error *err)
{
    return sqlite_reader_total(arg, first, last, events, err);
}

static int steps_whole(void *arg, struct store_steps *out, int64_t from, int64_t to,
                       struct error *err)
{
    struct db *db = arg;
    int code = SQLITE_ROW, status = STORE_OK;
    sqlite3_stmt *rows = db_statement(db, sqlite_reader_steps[out->step]);
    if (rows == NULL)
        return db_failure(db, err);
    db_bind_int(rows, ":first", from);
    db_bind_int(rows, ":last", to - 1);
    while (!out->too_many && (code = sqlite3_step(rows)) == SQLITE_ROW)
        window_add(out, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(rows);
    return status;
}

static int steps_count(struct db *db, const struct store_steps_ask *ask, struct store_steps *out,
                       struct error *err)
{
    const struct window_source source = {steps_total, steps_whole, db};
    int status = sqlite_facts_quick(db, &out->facts, err);
    return status == STORE_OK ? window_fill(out, ask, &source, err) : status;
}

int sqlite_count_steps(struct store_reader *base, const struct store_steps_ask *ask,
                       struct store_steps *out, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    *out = (struct store_steps){0};
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = steps_count(db, ask, out, err);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    db_abandon(db);
    sqlite_facts_files(db, &out->facts);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
