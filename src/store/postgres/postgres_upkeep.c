#include "store/postgres/postgres_upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_store_parts.h"

#define UPKEEP_EVERY_MS (INT64_C(60) * 1000)
/* Or when receipts have grown by such a part of their bound. */
#define UPKEEP_GROWTH 8
/* Between two steps, while there is more to do than one. */
#define UPKEEP_PAUSE_MS 200
/* Rows of each table that a step deletes. */
#define UPKEEP_ROWS 1000

/* Logs: who follows is not that far behind, else begins anew. */
#define UPKEEP_LOG_MS (INT64_C(3600) * 1000)
/* As RECEIPTS_MAX_AGE_MS of the engine. */
#define UPKEEP_RECEIPTS_MS (INT64_C(7) * 24 * 3600 * 1000)

/* Runs a statement whose parameters are how many rows it deletes at most, and which: those of
 * before then. *more: it has deleted so many. */
static int upkeep_drop(struct postgres_store *store, enum sql_statement name, int64_t before_ms,
                       bool *more, struct error *err)
{
    PGresult *result;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, UPKEEP_ROWS);
    pg_put_int(&store->params, before_ms);
    int status = pg_ask(&store->pg, name, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    *more = *more || pg_int(result, 0, 0) >= UPKEEP_ROWS;
    PQclear(result);
    return STORE_OK;
}

/* Those that were made before then are not needed: too old, or there are too many behind them. */
static int upkeep_receipts_before(struct postgres_store *store, int64_t *before_ms,
                                  struct error *err)
{
    PGresult *result;
    if (store->upkeep.receipts_bytes <= 0)
        return STORE_OK;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->upkeep.receipts_bytes);
    int status = pg_ask(&store->pg, SQL_UPKEEP_SURPLUS, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    if (!PQgetisnull(result, 0, 0) && pg_int(result, 0, 0) >= *before_ms)
        *before_ms = pg_int(result, 0, 0) + 1;
    PQclear(result);
    return STORE_OK;
}

/* server_ms: the time by its clock. By one that has jumped ahead alone nothing becomes old, nor by
 * ours while the writer, by whose time the rows are dated, does not believe it. */
static int upkeep_step(struct postgres_store *store, int64_t server_ms, bool *more,
                       struct error *err)
{
    int64_t now_ms = store->at_ms < server_ms ? store->at_ms : server_ms;
    int64_t receipts_ms = now_ms - UPKEEP_RECEIPTS_MS;
    int status = upkeep_drop(store, SQL_UPKEEP_COMMITS, now_ms - UPKEEP_LOG_MS, more, err);
    if (status == STORE_OK)
        status = upkeep_drop(store, SQL_UPKEEP_ERASURES, now_ms - UPKEEP_LOG_MS, more, err);
    if (status == STORE_OK)
        status = upkeep_receipts_before(store, &receipts_ms, err);
    if (status == STORE_OK)
        status = upkeep_drop(store, SQL_UPKEEP_RECEIPTS, receipts_ms, more, err);
    return status == STORE_OK ? postgres_count_rejects(store, err) : status;
}

/* *more stays false where another node is at it. */
static int upkeep_alone(struct postgres_store *store, bool *more, struct error *err)
{
    PGresult *result;
    int status = pg_ask(&store->pg, SQL_UPKEEP_LOCK, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    bool alone = pg_bool(result, 0, 0);
    int64_t server_ms = pg_int(result, 0, 1);
    PQclear(result);
    return alone ? upkeep_step(store, server_ms, more, err) : postgres_count_rejects(store, err);
}

static bool upkeep_is_due(const struct postgres_upkeep *upkeep, int64_t now_ms)
{
    return now_ms >= upkeep->due_ms ||
           (upkeep->receipts_bytes > 0 &&
            upkeep->receipts_new > upkeep->receipts_bytes / UPKEEP_GROWTH);
}

bool postgres_upkeep(struct postgres_store *store)
{
    struct error err = {""};
    bool more = false;
    int64_t now_ms = clock_mono_ms();
    if (!upkeep_is_due(&store->upkeep, now_ms))
        return false;
    store->upkeep.receipts_new = 0;
    int status = postgres_store_begin(store, &err);
    if (status == STORE_OK)
        status = upkeep_alone(store, &more, &err);
    status = postgres_store_end(store, status, &err);
    if (status != STORE_OK)
        log_debug("what is old can't be deleted now: %s", err.text);
    store->upkeep.due_ms = now_ms + (more ? UPKEEP_PAUSE_MS : UPKEEP_EVERY_MS);
    return more;
}
