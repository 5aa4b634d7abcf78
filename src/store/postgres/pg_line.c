/* Statements in libpq's pipeline mode. */

#include "store/postgres/pg.h"

int pg_line_begin(struct pg *pg, struct error *err)
{
    if (pg->connection == NULL)
        return pg_no_connection(err);
    return PQenterPipelineMode(pg->connection) == 1 ? STORE_OK : pg_failure(pg, NULL, err);
}

int pg_line_sync(struct pg *pg, struct error *err)
{
    if (pg->connection == NULL)
        return pg_no_connection(err);
    if (PQpipelineSync(pg->connection) != 1)
        return pg_failure(pg, NULL, err);
    pg->syncs++;
    pg->unsynced = false;
    return STORE_OK;
}

/* Behind each statement's result stands a NULL. */
static void line_pass_null(struct pg *pg)
{
    PGresult *result;
    while (pg->connection != NULL && (result = pg_next(pg)) != NULL)
        PQclear(result);
}

/* The next result, syncs apart, which have no NULL behind them. */
static PGresult *line_next(struct pg *pg)
{
    PGresult *result = pg_next(pg);
    while (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        pg->syncs--;
        result = pg_next(pg);
    }
    return result;
}

int pg_line_result(struct pg *pg, PGresult **out, struct error *err)
{
    if (pg->connection == NULL)
        return pg_no_connection(err);
    PGresult *result = line_next(pg);
    int code = PQresultStatus(result), status = STORE_OK;
    if (result == NULL && pg->connection == NULL)
        return pg_no_answer(err);
    if (result == NULL || (code != PGRES_TUPLES_OK && code != PGRES_COMMAND_OK))
        status = pg_failure(pg, result, err);
    line_pass_null(pg);
    if (status == STORE_OK && out != NULL)
        *out = result;
    else
        PQclear(result);
    return status;
}

/* Reads what is left of the pipeline. */
static void line_drain(struct pg *pg)
{
    struct error err;
    if (pg->unsynced && pg_line_sync(pg, &err) != STORE_OK)
        return;
    while (pg->syncs > 0 && pg->connection != NULL && PQstatus(pg->connection) == CONNECTION_OK) {
        PGresult *result = pg_next(pg);
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            pg->syncs--;
        PQclear(result);
    }
}

void pg_line_end(struct pg *pg)
{
    if (pg->connection == NULL || PQpipelineStatus(pg->connection) == PQ_PIPELINE_OFF)
        return;
    line_drain(pg);
    if (pg->connection != NULL &&
        (PQstatus(pg->connection) != CONNECTION_OK || PQexitPipelineMode(pg->connection) != 1))
        pg_close(pg);
}
