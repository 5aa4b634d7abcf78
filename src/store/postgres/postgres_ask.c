/* Questions of a person: see store/ask.h. */

#include <stdlib.h>
#include <string.h>

#include "store/postgres/postgres_question.h"
#include "store/postgres/postgres_reader_parts.h"
#include "store/postgres/postgres_store.h"

/* The types' numbers (src/include/catalog/pg_type.dat). */
enum {
    ASK_BOOL = 16,
    ASK_BYTEA = 17,
    ASK_INT8 = 20,
    ASK_INT2 = 21,
    ASK_INT4 = 23,
    ASK_TEXT = 25,
    ASK_OID = 26,
    ASK_FLOAT4 = 700,
    ASK_FLOAT8 = 701,
    ASK_NUMERIC = 1700,
};

/* Whole numbers of so many digits are some to every program. */
#define ASK_DIGITS 18

/* Nobody can write in it, and what a reader is set to for its pages is of no use here. */
#define ASK_BEGIN                                                          \
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"                    \
    "SET LOCAL search_path = beacond, public; SET LOCAL timezone = 'UTC';" \
    "SET LOCAL enable_sort = on; SET LOCAL enable_incremental_sort = on;"  \
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on;"     \
    "SET LOCAL bytea_output = hex; SET LOCAL extra_float_digits = 1"

bool postgres_query_at(size_t n, struct store_query *out)
{
    if (n >= SQL_QUERY_COUNT)
        return false;
    *out = (struct store_query){sql_queries[n].name, sql_queries[n].help, sql_queries[n].text};
    return true;
}

const char *postgres_views(void)
{
    return sql_views;
}

struct ask_run {
    const struct store_ask *ask;
    struct pg *pg;
    struct store_cell *cells;
    unsigned char **blobs; /* of the cells' row, to be freed */
    int columns;           /* 0: they have not been told yet */
    bool stopped;          /* the question asks it */
    bool ended;            /* a call wants no more, or there is no memory */
    bool starved;
};

/* While an answer is waited for. The server is told that nobody wants it, else it would go on. */
static bool ask_waits(void *arg)
{
    struct ask_run *run = arg;
    bool told = run->stopped;
    if (!run->stopped && !run->ask->stop(run->ask->arg))
        return true;
    run->stopped = true;
    /* What it says then is awaited, but not for long. */
    return !told && pg_cancel(run->pg);
}

static void ask_number(struct store_cell *cell)
{
    bool whole = memchr(cell->text, '.', cell->len) == NULL && cell->len <= ASK_DIGITS;
    if (strcmp(cell->text, "NaN") == 0)
        *cell = (struct store_cell){STORE_CELL_NULL, "", 0};
    else if (strcmp(cell->text, "Infinity") == 0)
        *cell = (struct store_cell){STORE_CELL_REAL, "Inf", 3};
    else if (strcmp(cell->text, "-Infinity") == 0)
        *cell = (struct store_cell){STORE_CELL_REAL, "-Inf", 4};
    else
        cell->kind =
            whole && cell->kind == STORE_CELL_INTEGER ? STORE_CELL_INTEGER : STORE_CELL_REAL;
}

/* 0, or -1 when out of memory. */
static int ask_blob(struct store_cell *cell, unsigned char **blob)
{
    cell->kind = STORE_CELL_BLOB;
    *blob = PQunescapeBytea((const unsigned char *)cell->text, &cell->len);
    cell->text = (const char *)*blob;
    return *blob != NULL ? 0 : -1;
}

static int ask_cell(const PGresult *row, int column, struct store_cell *cell, unsigned char **blob)
{
    *cell = (struct store_cell){STORE_CELL_TEXT, PQgetvalue(row, 0, column),
                                (size_t)PQgetlength(row, 0, column)};
    *blob = NULL;
    if (PQgetisnull(row, 0, column)) {
        *cell = (struct store_cell){STORE_CELL_NULL, "", 0};
        return 0;
    }
    switch (PQftype(row, column)) {
    case ASK_BOOL:
        *cell = (struct store_cell){STORE_CELL_INTEGER, cell->text[0] == 't' ? "1" : "0", 1};
        return 0;
    case ASK_INT8:
    case ASK_INT2:
    case ASK_INT4:
    case ASK_OID:
        cell->kind = STORE_CELL_INTEGER;
        return 0;
    case ASK_FLOAT4:
    case ASK_FLOAT8:
        cell->kind = STORE_CELL_REAL;
        ask_number(cell);
        return 0;
    case ASK_NUMERIC: /* a sum of whole numbers is one of these */
        cell->kind = STORE_CELL_INTEGER;
        ask_number(cell);
        return 0;
    case ASK_BYTEA:
        return ask_blob(cell, blob);
    default:
        return 0;
    }
}

/* Tells the columns. */
static void ask_columns(struct ask_run *run, const PGresult *result)
{
    int columns = PQnfields(result);
    const char **names = calloc((size_t)columns + 1, sizeof *names);
    run->cells = calloc((size_t)columns + 1, sizeof *run->cells);
    run->blobs = calloc((size_t)columns + 1, sizeof *run->blobs);
    run->columns = columns;
    run->starved = names == NULL || run->cells == NULL || run->blobs == NULL;
    for (int i = 0; i < columns && !run->starved; i++)
        names[i] = PQfname(result, i);
    run->ended = run->starved || run->ask->columns(run->ask->arg, names, (size_t)columns) != 0;
    free(names);
}

static void ask_row(struct ask_run *run, const PGresult *row)
{
    for (int i = 0; i < run->columns && !run->starved; i++)
        run->starved = ask_cell(row, i, &run->cells[i], &run->blobs[i]) != 0;
    run->ended =
        run->starved || run->ask->row(run->ask->arg, run->cells, (size_t)run->columns) != 0;
    for (int i = 0; i < run->columns; i++) {
        PQfreemem(run->blobs[i]);
        run->blobs[i] = NULL;
    }
}

/* What is wrong with the question, and not with the server: SQL that can't be, or that writes, and
 * values that are none. */
static int ask_failed(struct ask_run *run, const PGresult *result, struct error *err)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool writes = code != NULL && strncmp(code, "25", 2) == 0;
    bool own =
        writes || (code != NULL && (strncmp(code, "42", 2) == 0 || strncmp(code, "22", 2) == 0 ||
                                    strncmp(code, "0A", 2) == 0));
    (void)pg_failure(run->pg, result, err);
    if (writes)
        error_set(err, "only a SELECT can be asked");
    return own ? STORE_REFUSED : STORE_BUSY;
}

/* One result of those that come. A store_status. */
static int ask_result(struct ask_run *run, const PGresult *result, struct error *err)
{
    int code = PQresultStatus(result);
    if (code != PGRES_SINGLE_TUPLE && code != PGRES_TUPLES_OK)
        return ask_failed(run, result, err);
    if (PQnfields(result) == 0) {
        error_set(err, "only a SELECT can be asked");
        run->ended = true;
        return STORE_REFUSED;
    }
    if (run->columns == 0)
        ask_columns(run, result);
    if (!run->ended && code == PGRES_SINGLE_TUPLE)
        ask_row(run, result);
    return STORE_OK;
}

static int ask_rows(struct ask_run *run, struct error *err)
{
    int status = STORE_OK;
    PGresult *result;
    while (status == STORE_OK && !run->ended && !run->stopped &&
           (result = pg_next(run->pg)) != NULL) {
        status = ask_result(run, result, err);
        PQclear(result);
        run->stopped = run->stopped || (!run->ended && run->ask->stop(run->ask->arg));
    }
    if (run->starved)
        error_set(err, "out of memory");
    else if (run->stopped)
        error_set(err, "stopped");
    else if (status == STORE_OK && run->pg->connection == NULL)
        return pg_no_answer(err);
    return run->starved || run->stopped ? STORE_BUSY : status;
}

static int ask_question(struct ask_run *run, const struct postgres_question *question,
                        struct error *err)
{
    PGconn *connection = run->pg->connection;
    Oid types[POSTGRES_QUESTION_PARAMETERS];
    for (size_t i = 0; i < question->count; i++)
        types[i] = ASK_TEXT;
    /* By this protocol a second statement is refused. */
    if (PQsendQueryParams(connection, question->sql.data, (int)question->count, types,
                          question->values, NULL, NULL, 0) != 1)
        return pg_failure(run->pg, NULL, err);
    (void)PQsetSingleRowMode(connection);
    return ask_rows(run, err);
}

/* Whatever is under way, nobody waits for it: the reader is of no other use. */
static void ask_end(struct ask_run *run)
{
    if (run->pg->connection != NULL && PQtransactionStatus(run->pg->connection) == PQTRANS_ACTIVE)
        (void)pg_cancel(run->pg);
    pg_close(run->pg);
    free(run->cells);
    free(run->blobs);
}

int postgres_reader_ask_sql(struct store_reader *base, const struct store_ask *ask,
                            struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    struct ask_run run = {.ask = ask, .pg = &reader->pg};
    struct postgres_question question;
    int status = postgres_question_read(&question, ask, err);
    if (status == STORE_OK)
        status = postgres_reader_begin(reader, err);
    reader->pg.waits = ask_waits;
    reader->pg.waits_arg = &run;
    if (status == STORE_OK && pg_script(&reader->pg, ASK_BEGIN, err) != STORE_OK)
        status = STORE_BUSY;
    if (status == STORE_OK)
        status = ask_question(&run, &question, err);
    ask_end(&run);
    postgres_question_clear(&question);
    return status;
}
