#include "store/postgres/postgres_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_name.h"
#include "store/postgres/postgres_reader_parts.h"
#include "store/postgres/postgres_schema.h"
#include "store/step.h"

/* For one answer to a daemon's client. PostgreSQL gives up a little earlier, so that a slow
 * statement costs no connection. */
#define READER_PATIENCE_MS 30000
#define READER_PATIENT " -c statement_timeout=25s"

/* Pages are read along indexes, whatever PostgreSQL knows about a partition or does not know yet:
 * one that is a minute old has no statistics, and would be sorted as a whole for its newest events.
 */
#define READER_ALONG_INDEXES                                                  \
    "-c enable_sort=off -c enable_incremental_sort=off -c enable_seqscan=off" \
    " -c enable_bitmapscan=off"

/* --- one statement at a time ------------------------------------------------------------------ */

static bool reader_waits(void *arg)
{
    const struct postgres_reader *reader = arg;
    return reader->patience_ms == 0 || clock_mono_ms() < reader->until_ms;
}

int postgres_reader_begin(struct postgres_reader *reader, struct error *err)
{
    reader->until_ms = clock_mono_ms() + reader->patience_ms;
    return pg_connect(&reader->pg, err);
}

/* Whether what failed may be asked again: on a connection of before that turned out to be dead. */
static bool reader_again(const struct postgres_reader *reader, uint64_t made, int status)
{
    return status != STORE_OK && made == reader->pg.made && reader->pg.connection == NULL;
}

int postgres_reader_ask(struct postgres_reader *reader, enum sql_statement name, PGresult **out,
                        struct error *err)
{
    uint64_t made = reader->pg.made;
    int status = postgres_reader_begin(reader, err);
    if (status == STORE_OK)
        status = pg_ask(&reader->pg, name, &reader->params, out, err);
    if (reader_again(reader, made, status)) {
        status = postgres_reader_begin(reader, err);
        if (status == STORE_OK)
            status = pg_ask(&reader->pg, name, &reader->params, out, err);
    }
    pg_params_reset(&reader->params);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

static void reader_hand_out(struct postgres_stream *rows, const PGresult *row)
{
    for (int i = 0; i < PQnfields(row); i++)
        rows->bytes += (size_t)PQgetlength(row, 0, i);
    rows->count++;
    rows->ended = rows->row(rows->arg, row) != 0;
}

/* The results of a statement that was sent, all of them: a row each, then how it ended. */
static int reader_rows(struct pg *pg, struct postgres_stream *rows, struct error *err)
{
    int status = STORE_OK;
    PGresult *result;
    while ((result = pg_next(pg)) != NULL) {
        int code = PQresultStatus(result);
        if (code == PGRES_SINGLE_TUPLE && !rows->ended)
            reader_hand_out(rows, result);
        else if (code != PGRES_SINGLE_TUPLE && code != PGRES_TUPLES_OK)
            status = pg_failure(pg, result, err);
        PQclear(result);
    }
    if (status == STORE_OK && pg->connection == NULL)
        status = pg_no_answer(err);
    return status;
}

static int reader_stream(struct postgres_reader *reader, enum sql_statement name,
                         struct postgres_stream *rows, struct error *err)
{
    struct pg *pg = &reader->pg;
    int status = postgres_reader_begin(reader, err);
    if (status == STORE_OK)
        status = pg_send(pg, name, &reader->params, err);
    if (status != STORE_OK)
        return status;
    pg->unsynced = false; /* it was no statement of a pipeline */
    (void)PQsetSingleRowMode(pg->connection);
    return reader_rows(pg, rows, err);
}

int postgres_reader_stream(struct postgres_reader *reader, enum sql_statement name,
                           struct postgres_stream *rows, struct error *err)
{
    uint64_t made = reader->pg.made;
    rows->count = rows->bytes = 0;
    rows->ended = false;
    int status = reader_stream(reader, name, rows, err);
    if (reader_again(reader, made, status) && rows->count == 0)
        status = reader_stream(reader, name, rows, err);
    pg_params_reset(&reader->params);
    return status == STORE_OK || rows->ended ? STORE_OK : STORE_BUSY;
}

int postgres_reader_look_at(struct postgres_reader *reader, enum sql_statement name, PGresult **out,
                            struct error *err)
{
    int status = pg_ask(&reader->pg, name, &reader->params, out, err);
    pg_params_reset(&reader->params);
    return status;
}

static int reader_mark(struct postgres_reader *reader, struct error *err)
{
    PGresult *result;
    int status = postgres_reader_look_at(reader, SQL_READ_MARK, &result, err);
    if (status != STORE_OK)
        return status;
    reader->mark = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

static int reader_look(struct postgres_reader *reader, postgres_look_fn *fn, void *arg, bool *told,
                       struct error *err)
{
    struct pg *pg = &reader->pg;
    int status = postgres_reader_begin(reader, err);
    if (status == STORE_OK)
        status = reader_mark(reader, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_READ_BEGIN, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_READ_LOCK, err);
    if (status == STORE_OK)
        status = fn(reader, arg, told, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_COMMIT, err);
    pg_abandon(pg);
    return status;
}

int postgres_reader_look(struct postgres_reader *reader, postgres_look_fn *fn, void *arg,
                         struct error *err)
{
    uint64_t made = reader->pg.made;
    bool told = false;
    int status = reader_look(reader, fn, arg, &told, err);
    if (reader_again(reader, made, status) && !told)
        status = reader_look(reader, fn, arg, &told, err);
    pg_params_reset(&reader->params);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

/* --- moments ---------------------------------------------------------------------------------- */

static void reader_note(struct postgres_reader *reader, int64_t last_seq)
{
    if (last_seq > reader->settled)
        reader->settled = last_seq;
}

int postgres_reader_moment(struct store_reader *base, struct store_moment *out, struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    PGresult *result;
    int status = postgres_reader_ask(reader, SQL_READ_MOMENT, &result, err);
    if (status != STORE_OK)
        return status;
    *out = (struct store_moment){pg_int(result, 0, 0), pg_int(result, 0, 1)};
    PQclear(result);
    reader_note(reader, out->last_seq);
    return STORE_OK;
}

int postgres_reader_settle(struct postgres_reader *reader, int64_t *max_seq, struct error *err)
{
    struct store_moment moment;
    if (*max_seq <= reader->settled)
        return STORE_OK;
    int status = postgres_reader_moment(&reader->base, &moment, err);
    if (status == STORE_OK && *max_seq > moment.last_seq)
        *max_seq = moment.last_seq;
    return status;
}

static int reader_survey(struct store_reader *base, int64_t since, int64_t until, int64_t skip,
                         struct store_survey *out, struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    PGresult *result;
    pg_put_int(&reader->params, step_clamp(since));
    pg_put_int(&reader->params, step_clamp(until));
    pg_put_int(&reader->params, skip);
    int status = postgres_reader_ask(reader, SQL_READ_SURVEY, &result, err);
    if (status != STORE_OK)
        return status;
    *out = (struct store_survey){
        .max_seq = pg_int(result, 0, 0),
        .erasures = pg_int(result, 0, 1),
        .total = pg_int(result, 0, 2),
        .start = {pg_int(result, 0, 3), pg_int(result, 0, 4)},
    };
    PQclear(result);
    reader_note(reader, out->max_seq);
    return STORE_OK;
}

/* --- readers ---------------------------------------------------------------------------------- */

static void reader_close(struct store_reader *base)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    pg_close(&reader->pg);
    pg_params_clear(&reader->params);
    free(reader->database);
    free(reader);
}

const struct store_ops postgres_reader_ops = {
    .reader_close = reader_close,
    .moment = postgres_reader_moment,
    .survey = reader_survey,
    .newest = postgres_reader_newest,
    .page = postgres_reader_page,
    .page_up = postgres_reader_page_up,
    .page_down = postgres_reader_page_down,
    .page_seq = postgres_reader_page_seq,
    .seq_back = postgres_reader_seq_back,
    .page_rejects = postgres_reader_page_rejects,
    .page_receipts = postgres_reader_page_receipts,
    .known = postgres_reader_known,
    .facts = postgres_reader_facts,
    .count_steps = postgres_reader_count_steps,
    .show_rejects = postgres_reader_show_rejects,
    .days = postgres_reader_days,
    .ask = postgres_reader_ask_sql,
};

static struct postgres_reader *reader_new(const char *database)
{
    struct postgres_reader *reader = calloc(1, sizeof *reader);
    char *copy = strdup(database);
    if (reader == NULL || copy == NULL) {
        free(reader);
        free(copy);
        return NULL;
    }
    reader->base.ops = &postgres_reader_ops;
    reader->database = copy;
    pg_init(&reader->pg, copy, true);
    reader->pg.settings = READER_ALONG_INDEXES;
    reader->pg.waits = reader_waits;
    reader->pg.waits_arg = reader;
    return reader;
}

int postgres_reader_open_for(const char *database, struct store_reader **out, struct error *err)
{
    struct postgres_reader *reader = reader_new(database);
    if (reader == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    reader->pg.primary = true;
    reader->pg.settings = READER_ALONG_INDEXES READER_PATIENT;
    reader->patience_ms = READER_PATIENCE_MS;
    /* It connects when it is first asked: a server that takes no more connections just now is no
     * reason for a daemon not to start. */
    *out = &reader->base;
    return STORE_OK;
}

int postgres_reader_open(const char *database, struct store_reader **out, struct error *err)
{
    struct error why = {""};
    struct postgres_reader *reader = reader_new(database);
    if (reader == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    int status = postgres_reader_begin(reader, &why);
    if (status == STORE_OK)
        status = postgres_schema_judge(&reader->pg, &why);
    if (status == STORE_OK)
        status = postgres_schema_whole(&reader->pg, &why);
    if (status == STORE_OK) {
        *out = &reader->base;
        return STORE_OK;
    }
    char name[STORE_NAME_SIZE];
    postgres_name_show(database, name, sizeof name);
    error_set(err, "%s: %s", name, why.text);
    reader_close(&reader->base);
    return status;
}
