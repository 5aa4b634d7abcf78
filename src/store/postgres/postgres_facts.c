/* What a database holds: see store/facts.h. */

#include <string.h>

#include "store/postgres/postgres_reader_parts.h"
#include "store/window.h"

enum {
    FACTS_SCHEMA,
    FACTS_LAST_SEQ,
    FACTS_EVENTS,
    FACTS_OLDEST,
    FACTS_NEWEST,
    FACTS_BYTES,
    FACTS_REJECTS
};

/* *last_seq: of the moment, also where it has no events. */
static int facts_quick(struct postgres_reader *reader, struct store_facts *out, int64_t *last_seq,
                       struct error *err)
{
    PGresult *result;
    pg_put_int(&reader->params, reader->mark);
    int status = postgres_reader_look_at(reader, SQL_READ_FACTS, &result, err);
    if (status != STORE_OK)
        return status;
    *last_seq = pg_int(result, 0, FACTS_LAST_SEQ);
    out->schema = pg_int(result, 0, FACTS_SCHEMA);
    out->events = pg_int(result, 0, FACTS_EVENTS);
    out->last_seq = out->events > 0 ? *last_seq : 0;
    out->oldest_ms = pg_int(result, 0, FACTS_OLDEST);
    out->newest_ms = pg_int(result, 0, FACTS_NEWEST);
    out->file_bytes = pg_int(result, 0, FACTS_BYTES);
    out->rejects = pg_int(result, 0, FACTS_REJECTS);
    PQclear(result);
    return STORE_OK;
}

static int facts_look(struct postgres_reader *reader, void *arg, bool *told, struct error *err)
{
    struct store_facts *out = arg;
    PGresult *result;
    int64_t last_seq;
    (void)told;
    *out = (struct store_facts){0};
    int status = facts_quick(reader, out, &last_seq, err);
    if (status == STORE_OK)
        status = postgres_reader_look_at(reader, SQL_READ_FACTS_REST, &result, err);
    if (status != STORE_OK)
        return status;
    out->rejects_bytes = pg_int(result, 0, 0);
    out->receipts = pg_int(result, 0, 1);
    out->receipts_bytes = pg_int(result, 0, 2);
    out->receipts_oldest_ms = pg_int(result, 0, 3);
    PQclear(result);
    return STORE_OK;
}

int postgres_reader_facts(struct store_reader *base, struct store_facts *out, struct error *err)
{
    return postgres_reader_look(postgres_reader_of(base), facts_look, out, err);
}

/* --- a window by steps ------------------------------------------------------------------------ */

struct facts_window {
    struct postgres_reader *reader;
    const struct store_steps_ask *ask;
    struct store_steps *out;
    int64_t last_seq;
};

static int facts_count(void *arg, int64_t first, int64_t last, int64_t *events, struct error *err)
{
    struct facts_window *window = arg;
    struct pg_params *params = &window->reader->params;
    PGresult *result;
    pg_put_int(params, first);
    pg_put_int(params, last);
    pg_put_int(params, window->last_seq);
    int status = postgres_reader_look_at(window->reader, SQL_READ_COUNT, &result, err);
    if (status != STORE_OK)
        return status;
    *events = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

static int facts_steps(void *arg, struct store_steps *out, int64_t from, int64_t to,
                       struct error *err)
{
    struct facts_window *window = arg;
    struct pg_params *params = &window->reader->params;
    PGresult *result;
    pg_put_text(params, step_names[out->step], strlen(step_names[out->step]));
    pg_put_int(params, from);
    pg_put_int(params, to);
    pg_put_int(params, window->last_seq);
    int status = postgres_reader_look_at(window->reader, SQL_READ_STEPS, &result, err);
    if (status != STORE_OK)
        return status;
    for (int i = 0; i < PQntuples(result) && !out->too_many; i++)
        window_add(out, pg_int(result, i, 0), pg_int(result, i, 1));
    PQclear(result);
    return STORE_OK;
}

static int facts_window_look(struct postgres_reader *reader, void *arg, bool *told,
                             struct error *err)
{
    struct facts_window *window = arg;
    const struct window_source source = {facts_count, facts_steps, window};
    (void)told;
    store_steps_clear(window->out);
    *window->out = (struct store_steps){0};
    int status = facts_quick(reader, &window->out->facts, &window->last_seq, err);
    return status == STORE_OK ? window_fill(window->out, window->ask, &source, err) : status;
}

int postgres_reader_count_steps(struct store_reader *base, const struct store_steps_ask *ask,
                                struct store_steps *out, struct error *err)
{
    struct facts_window window = {.reader = postgres_reader_of(base), .ask = ask, .out = out};
    *out = (struct store_steps){0};
    return postgres_reader_look(window.reader, facts_window_look, &window, err);
}

/* --- days ------------------------------------------------------------------------------------- */

struct facts_days {
    store_day_fn *day;
    void *arg;
};

static int facts_days_look(struct postgres_reader *reader, void *arg, bool *told, struct error *err)
{
    const struct facts_days *days = arg;
    PGresult *result;
    struct store_facts facts;
    int64_t last_seq;
    int status = facts_quick(reader, &facts, &last_seq, err);
    if (status != STORE_OK)
        return status;
    pg_put_int(&reader->params, last_seq);
    status = postgres_reader_look_at(reader, SQL_READ_DAYS, &result, err);
    if (status != STORE_OK)
        return status;
    *told = true;
    for (int i = 0; i < PQntuples(result); i++)
        if (days->day(days->arg, pg_int(result, i, 0), pg_int(result, i, 1)) != 0)
            break;
    PQclear(result);
    return STORE_OK;
}

int postgres_reader_days(struct store_reader *base, store_day_fn *day, void *arg, struct error *err)
{
    struct facts_days days = {day, arg};
    return postgres_reader_look(postgres_reader_of(base), facts_days_look, &days, err);
}

/* --- what is shown of rejects ----------------------------------------------------------------- */

struct facts_rejects {
    const struct store_rejects_ask *ask;
    struct store_rejects_show *show;
    PGresult *count, *reasons, *rejects;
};

static int facts_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

static int64_t facts_most(size_t most)
{
    return most < INT32_MAX ? (int64_t)most : INT32_MAX;
}

/* All of it is there before any is handed out. */
static int facts_rejects_ask(struct postgres_reader *reader, struct facts_rejects *rejects,
                             struct error *err)
{
    const struct store_rejects_ask *ask = rejects->ask;
    struct pg_params *params = &reader->params;
    int status = postgres_reader_look_at(reader, SQL_READ_REJECTS_COUNT, &rejects->count, err);
    pg_put_int(params, facts_most(ask->reasons));
    if (status == STORE_OK)
        status = postgres_reader_look_at(reader, SQL_READ_REASONS, &rejects->reasons, err);
    pg_params_reset(params);
    pg_put_int(params, ask->before);
    pg_put_int(params, facts_most(ask->most) + 1);
    pg_put_int(params, facts_most(ask->head_bytes));
    if (status == STORE_OK)
        status = postgres_reader_look_at(reader, SQL_READ_REJECTS_DOWN, &rejects->rejects, err);
    return status;
}

static int facts_tell_reasons(const struct facts_rejects *rejects)
{
    const PGresult *result = rejects->reasons;
    int failed = 0;
    for (int i = 0; i < PQntuples(result) && failed == 0; i++) {
        size_t len;
        const char *reason = pg_bytes(result, i, 0, &len);
        failed = rejects->show->reason(rejects->show->arg, reason, len, pg_int(result, i, 1));
    }
    return failed;
}

static int facts_tell_rejects(const struct facts_rejects *rejects)
{
    const PGresult *result = rejects->rejects;
    int failed = 0, most = (int)facts_most(rejects->ask->most);
    for (int i = 0; i < PQntuples(result) && i < most && failed == 0; i++) {
        struct store_reject reject = {.n = pg_int(result, i, 0),
                                      .received = pg_int(result, i, 1),
                                      .reason = PQgetvalue(result, i, 2)};
        reject.text = pg_bytes(result, i, 4, &reject.len);
        failed = rejects->show->reject(rejects->show->arg, &reject, pg_int(result, i, 3));
    }
    rejects->show->more = PQntuples(result) > most;
    return failed;
}

static int facts_rejects_look(struct postgres_reader *reader, void *arg, bool *told,
                              struct error *err)
{
    struct facts_rejects rejects = *(const struct facts_rejects *)arg;
    int status = facts_rejects_ask(reader, &rejects, err);
    if (status == STORE_OK) {
        *told = true;
        rejects.show->total = pg_int(rejects.count, 0, 0);
        if (facts_tell_reasons(&rejects) != 0 || facts_tell_rejects(&rejects) != 0)
            status = facts_no_memory(err);
    }
    PQclear(rejects.count);
    PQclear(rejects.reasons);
    PQclear(rejects.rejects);
    return status;
}

int postgres_reader_show_rejects(struct store_reader *base, const struct store_rejects_ask *ask,
                                 struct store_rejects_show *show, struct error *err)
{
    struct facts_rejects rejects = {.ask = ask, .show = show};
    show->total = 0;
    show->more = false;
    return postgres_reader_look(postgres_reader_of(base), facts_rejects_look, &rejects, err);
}
