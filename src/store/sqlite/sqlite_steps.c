/* A window's events by steps: the rows of one tally, and what lies in the window of the two steps
 * it begins and ends within. */

#include <stdlib.h>

#include "store/sqlite/sqlite_facts.h"
#include "store/sqlite/sqlite_reader_parts.h"

/* Finds the ends of the window: where one is open, the oldest or newest event, or the other end
 * when that lies beyond. */
static void steps_window(struct store_steps *out, const struct store_steps_ask *ask)
{
    bool events = out->facts.events > 0;
    bool from = ask->since != INT64_MIN, to = ask->until != INT64_MAX;
    int64_t since = from ? ask->since : events ? out->facts.oldest_ms : INT64_MAX;
    int64_t until = to ? ask->until : events ? out->facts.newest_ms : INT64_MIN;
    out->any = from || to || events;
    if (!from && since > until)
        since = until;
    if (!to && until < since)
        until = since;
    out->since = step_clamp(since);
    out->until = step_clamp(until);
}

/* Room for all that may be found. 0, or -1 when out of memory. */
static int steps_make_room(struct store_steps *out, bool named)
{
    int64_t touched = step_count(out->step, out->since, out->until);
    /* Days that nobody asked for by name may be few in a window of centuries. */
    out->too_many = named && touched > STORE_STEPS_MOST;
    if (out->too_many || touched == 0)
        return 0;
    /* For as many as there may be: rows put in by hand need not stand where steps begin. */
    out->steps = malloc(STORE_STEPS_MOST * sizeof *out->steps);
    return out->steps != NULL ? 0 : -1;
}

static void steps_add(struct store_steps *out, int64_t at, int64_t events)
{
    if (events <= 0)
        return;
    out->too_many = out->count == STORE_STEPS_MOST;
    if (out->too_many)
        return;
    out->steps[out->count++] = (struct tally_step){at, events};
    out->total += events;
}

/* The part of a step that lies in the window. */
static int steps_add_edge(struct db *db, struct store_steps *out, int64_t first, int64_t last,
                          struct error *err)
{
    int64_t events = 0;
    if (first > last)
        return STORE_OK;
    int status = sqlite_reader_total(db, first, last, &events, err);
    if (status == STORE_OK)
        steps_add(out, step_floor(out->step, first), events);
    return status;
}

/* The whole steps in [from, to), newest first. */
static int steps_add_whole(struct db *db, struct store_steps *out, int64_t from, int64_t to,
                           struct error *err)
{
    int code = SQLITE_ROW, status = STORE_OK;
    if (from >= to)
        return STORE_OK;
    sqlite3_stmt *rows = db_statement(db, sqlite_reader_steps[out->step]);
    if (rows == NULL)
        return db_failure(db, err);
    db_bind_int(rows, ":first", from);
    db_bind_int(rows, ":last", to - 1);
    while (!out->too_many && (code = sqlite3_step(rows)) == SQLITE_ROW)
        steps_add(out, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(db, err);
    (void)sqlite3_reset(rows);
    return status;
}

/* All of them, newest first. */
static int steps_gather(struct db *db, struct store_steps *out, struct error *err)
{
    int64_t from = step_ceil(out->step, out->since), to = step_floor(out->step, out->until + 1);
    if (from > to) /* the window lies within one step */
        return steps_add_edge(db, out, out->since, out->until, err);
    int status = steps_add_edge(db, out, to, out->until, err);
    if (status == STORE_OK)
        status = steps_add_whole(db, out, from, to, err);
    if (status == STORE_OK && !out->too_many)
        status = steps_add_edge(db, out, out->since, from - 1, err);
    return status;
}

static void steps_turn_round(struct store_steps *out)
{
    for (size_t i = 0; i < out->count / 2; i++) {
        struct tally_step *a = &out->steps[i], *b = &out->steps[out->count - 1 - i];
        struct tally_step kept = *a;
        *a = *b;
        *b = kept;
    }
}

static int steps_count(struct db *db, const struct store_steps_ask *ask, struct store_steps *out,
                       struct error *err)
{
    int status = sqlite_facts_quick(db, &out->facts, err);
    if (status != STORE_OK)
        return status;
    steps_window(out, ask);
    out->step = ask->named ? ask->step : step_finest(out->since, out->until, STORE_STEPS_FINE);
    if (!out->any)
        return STORE_OK;
    if (steps_make_room(out, ask->named) != 0) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    if (out->steps == NULL) /* none, or too many */
        return STORE_OK;
    status = steps_gather(db, out, err);
    steps_turn_round(out);
    return status;
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
