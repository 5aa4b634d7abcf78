#include "store/sqlite/sqlite_reader.h"

#include <stdlib.h>

#include "store/sqlite/fit.h"
#include "store/sqlite/sqlite_reader_parts.h"
#include "store/step.h"

static const enum sql_statement reader_sum[STEP_COUNT] = {
    [STEP_SECOND] = SQL_SUM_SECOND,
    [STEP_MINUTE] = SQL_SUM_MINUTE,
    [STEP_HOUR] = SQL_SUM_HOUR,
    [STEP_DAY] = SQL_SUM_DAY,
};

const enum sql_statement sqlite_reader_steps[STEP_COUNT] = {
    [STEP_SECOND] = SQL_STEPS_SECOND,
    [STEP_MINUTE] = SQL_STEPS_MINUTE,
    [STEP_HOUR] = SQL_STEPS_HOUR,
    [STEP_DAY] = SQL_STEPS_DAY,
};

/* How a connection is opened: without questions, or after a look whether the file is ours. */
typedef int reader_connect_fn(struct db *db, const char *database, struct error *err);

static int reader_connect(struct db *db, const char *database, struct error *err)
{
    return db_open(db, database, SQLITE_OPEN_READONLY, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}

static int reader_new(const char *database, const struct store_ops *ops, reader_connect_fn *connect,
                      struct store_reader **out, struct error *err)
{
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    reader->base.ops = ops;
    int status = connect(&reader->db, database, err);
    /* Small: the kernel caches the file, and every reader has a cache of its own. */
    if (status == STORE_OK &&
        db_script(&reader->db, "PRAGMA cache_size = -4096; PRAGMA mmap_size = 0;", err) != STORE_OK)
        status = STORE_BUSY;
    if (status != STORE_OK) {
        db_close(&reader->db);
        free(reader);
        return status;
    }
    *out = &reader->base;
    return STORE_OK;
}

int sqlite_reader_open(const char *database, const struct store_ops *ops, struct store_reader **out,
                       struct error *err)
{
    return reader_new(database, ops, reader_connect, out, err);
}

int sqlite_reader_open_file(const char *database, const struct store_ops *ops,
                            struct store_reader **out, struct error *err)
{
    return reader_new(database, ops, fit_open_reader, out, err);
}

void sqlite_reader_close(struct store_reader *base)
{
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    db_close(&reader->db);
    free(reader);
}

/* One number of a statement over [:first, :last], added to *sum. */
static int reader_add(struct db *db, enum sql_statement name, int64_t first, int64_t last,
                      int64_t *sum, struct error *err)
{
    int64_t number = 0;
    if (first > last)
        return STORE_OK;
    sqlite3_stmt *statement = db_statement(db, name);
    if (statement == NULL)
        return db_failure(db, err);
    db_bind_int(statement, ":first", first);
    db_bind_int(statement, ":last", last);
    int status = db_number(db, statement, &number, err);
    *sum += number;
    return status;
}

/* Adds up the steps in [from, to): the whole coarser steps in the middle, the rest at both ends. */
static int reader_add_steps(struct db *db, enum step step, int64_t from, int64_t to, int64_t *sum,
                            struct error *err)
{
    if (step < STEP_DAY) {
        int64_t inner_from = step_ceil(step + 1, from), inner_to = step_floor(step + 1, to);
        if (inner_from < inner_to) {
            int status = reader_add(db, reader_sum[step], from, inner_from - 1, sum, err);
            if (status == STORE_OK)
                status = reader_add(db, reader_sum[step], inner_to, to - 1, sum, err);
            if (status == STORE_OK) /* three levels at most */
                status = reader_add_steps(db, step + 1, inner_from, inner_to, sum, err);
            return status;
        }
    }
    return reader_add(db, reader_sum[step], from, to - 1, sum, err);
}

int sqlite_reader_total(struct db *db, int64_t since, int64_t until, int64_t *total,
                        struct error *err)
{
    *total = 0;
    int64_t from = step_ceil(STEP_SECOND, since), to = step_floor(STEP_SECOND, until + 1);
    if (from >= to)
        return reader_add(db, SQL_COUNT_EVENTS, since, until, total, err);
    int status = reader_add(db, SQL_COUNT_EVENTS, since, from - 1, total, err);
    if (status == STORE_OK)
        status = reader_add(db, SQL_COUNT_EVENTS, to, until, total, err);
    if (status == STORE_OK)
        status = reader_add_steps(db, STEP_SECOND, from, to, total, err);
    return status;
}

/* Narrows [*first, *last], newest first, to the stretch of one step of that size in which the
 * skip-th event lies, taking off *skip what is newer. Steps that reach over the window's edges are
 * left to the finer ones. */
static int reader_narrow(struct db *db, enum step step, int64_t *first, int64_t *last,
                         int64_t *skip, struct error *err)
{
    int64_t whole_first = step_ceil(step, *first);
    int64_t whole_last = step_floor(step, *last + 1) - step_ms[step];
    int64_t ragged = 0;
    if (whole_first > whole_last)
        return STORE_OK;
    int status = sqlite_reader_total(db, whole_last + step_ms[step], *last, &ragged, err);
    if (status != STORE_OK)
        return status;
    if (ragged >= *skip) {
        *first = whole_last + step_ms[step];
        return STORE_OK;
    }
    *skip -= ragged;
    *last = whole_last + step_ms[step] - 1;
    sqlite3_stmt *steps = db_statement(db, sqlite_reader_steps[step]);
    if (steps == NULL)
        return db_failure(db, err);
    db_bind_int(steps, ":first", whole_first);
    db_bind_int(steps, ":last", whole_last);
    int code;
    bool found = false;
    while (!found && (code = sqlite3_step(steps)) == SQLITE_ROW) {
        int64_t at = sqlite3_column_int64(steps, 0), events = sqlite3_column_int64(steps, 1);
        found = events >= *skip;
        if (found) {
            *first = at;
            *last = at + step_ms[step] - 1;
        } else {
            *skip -= events;
        }
    }
    if (!found && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(steps);
    if (status == STORE_OK && !found)
        *last = whole_first - 1;
    return status;
}

/* The place of the skip-th newest event (1 or more) of the window; it has at least that many. */
static int reader_skip(struct db *db, int64_t since, int64_t until, int64_t skip, int64_t max_seq,
                       struct range_place *out, struct error *err)
{
    int status = STORE_OK;
    for (int step = STEP_DAY; step >= STEP_SECOND && status == STORE_OK; step--)
        status = reader_narrow(db, (enum step)step, &since, &until, &skip, err);
    if (status != STORE_OK)
        return status;
    sqlite3_stmt *statement = db_statement(db, SQL_SKIP);
    if (statement == NULL)
        return db_failure(db, err);
    db_bind_int(statement, ":first", since);
    db_bind_int(statement, ":last", until);
    db_bind_int(statement, ":max_seq", max_seq);
    db_bind_int(statement, ":skip", skip - 1);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = (struct range_place){sqlite3_column_int64(statement, 0),
                                    sqlite3_column_int64(statement, 1)};
    else if (code == SQLITE_DONE)
        *out = (struct range_place){since, 0};
    else
        status = db_failure(db, err);
    (void)sqlite3_reset(statement);
    return status;
}

static int reader_survey(struct db *db, int64_t since, int64_t until, int64_t skip,
                         struct store_survey *out, struct error *err)
{
    sqlite3_stmt *newest = db_statement(db, SQL_LAST_SEQ);
    sqlite3_stmt *erasures = db_statement(db, SQL_ERASURES);
    if (newest == NULL || erasures == NULL)
        return db_failure(db, err);
    int status = db_number(db, newest, &out->max_seq, err);
    if (status == STORE_OK)
        status = db_number(db, erasures, &out->erasures, err);
    if (status != STORE_OK || since > until)
        return status;
    status = sqlite_reader_total(db, since, until, &out->total, err);
    if (status != STORE_OK || skip == 0)
        return status;
    if (skip >= out->total)
        out->start = (struct range_place){since, 0};
    else
        status = reader_skip(db, since, until, skip, out->max_seq, &out->start, err);
    return status;
}

int sqlite_reader_survey(struct store_reader *base, int64_t since, int64_t until, int64_t skip,
                         struct store_survey *out, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    since = step_clamp(since);
    until = step_clamp(until);
    *out = (struct store_survey){.start = {until, INT64_MAX}};
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = reader_survey(db, since, until, skip, out, err);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    db_abandon(db);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

static int reader_newest(struct db *db, struct store_newest *out, struct error *err)
{
    sqlite3_stmt *newest = db_statement(db, SQL_WINDOW_NEWEST_SEQ);
    sqlite3_stmt *place = db_statement(db, SQL_NEWEST_PLACE);
    if (newest == NULL || place == NULL)
        return db_failure(db, err);
    int status = db_number(db, newest, &out->max_seq, err);
    if (status != STORE_OK)
        return status;
    int code = sqlite3_step(place);
    out->any = code == SQLITE_ROW;
    if (out->any)
        out->top =
            (struct range_place){sqlite3_column_int64(place, 0), sqlite3_column_int64(place, 1)};
    else if (code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(place);
    return status;
}

int sqlite_reader_newest(struct store_reader *base, struct store_newest *out, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    *out = (struct store_newest){0};
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = reader_newest(db, out, err);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    db_abandon(db);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

/* Hands the rows of a bound page statement to row. ts_column: where ts stands, -1 when it is the
 * given one. *more: row wants no more. */
static int reader_rows(struct db *db, sqlite3_stmt *statement, bool with_ts, int64_t ts,
                       store_row_fn *row, void *arg, bool *more, struct error *err)
{
    int code = SQLITE_ROW, status = STORE_OK, at = with_ts ? 1 : 0;
    while (!*more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct range_place place = {with_ts ? sqlite3_column_int64(statement, 0) : ts,
                                    sqlite3_column_int64(statement, at)};
        const char *text = (const char *)sqlite3_column_text(statement, at + 1);
        size_t len = (size_t)sqlite3_column_bytes(statement, at + 1);
        if (text == NULL) {
            error_set(err, "out of memory");
            status = STORE_BUSY;
            break;
        }
        *more = row(arg, place, text, len) != 0;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(statement);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

bool sqlite_reader_bind_down(sqlite3_stmt *same, sqlite3_stmt *older, int64_t since,
                             int64_t max_seq, struct range_place place)
{
    since = step_clamp(since);
    place.ts = step_clamp(place.ts);
    if (place.ts < since)
        return false;
    db_bind_int(same, ":ts", place.ts);
    db_bind_int(same, ":seq", place.seq <= max_seq ? place.seq : max_seq + 1);
    db_bind_int(older, ":since", since);
    db_bind_int(older, ":before", place.ts - 1);
    db_bind_int(older, ":max_seq", max_seq);
    return true;
}

int sqlite_reader_page(struct store_reader *base, int64_t since, int64_t max_seq,
                       struct range_place place, store_row_fn *row, void *arg, bool *more,
                       struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *same = db_statement(db, SQL_PAGE_SAME);
    sqlite3_stmt *older = db_statement(db, SQL_PAGE_OLDER);
    *more = false;
    if (same == NULL || older == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    if (!sqlite_reader_bind_down(same, older, since, max_seq, place))
        return STORE_OK;
    int status = reader_rows(db, same, false, step_clamp(place.ts), row, arg, more, err);
    if (status != STORE_OK || *more)
        return status;
    return reader_rows(db, older, true, 0, row, arg, more, err);
}
