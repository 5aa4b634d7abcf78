/* Where the writing side's transactions begin and end. */

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

int postgres_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

int postgres_take_number(struct postgres_store *store, int64_t *number, struct error *err)
{
    PGresult *result;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->node.instance);
    int status = pg_ask(&store->pg, SQL_CLAIM_NUMBER, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    *number = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

static void transaction_begin_rejects(struct postgres_store *store)
{
    store->new_rejects = store->new_rejects_bytes = 0;
    store->most_rejects = atomic_load(&store->max_rejects);
    store->most_rejects_bytes = atomic_load(&store->max_rejects_bytes);
}

int postgres_append_begin(struct postgres_store *store, struct error *err)
{
    transaction_begin_rejects(store);
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    if (store->claim != POSTGRES_CLAIMED)
        return postgres_connect(store, err);
    if (store->pg.connection != NULL)
        return STORE_OK;
    error_set(err, "the connection to PostgreSQL was lost");
    return STORE_BUSY;
}

int postgres_begin_patient(struct postgres_store *store, struct error *err)
{
    int status = pg_run(&store->pg, SQL_BEGIN, err);
    return status == STORE_OK ? pg_run(&store->pg, SQL_CLAIM_PATIENCE, err) : status;
}

int postgres_was_committed(struct postgres_store *store, int64_t transaction, bool *committed,
                           struct error *err)
{
    PGresult *result;
    *committed = false;
    if (transaction == 0)
        return STORE_OK;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, transaction);
    int status = pg_ask(&store->pg, SQL_TRANSACTION_STATE, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    bool over = pg_bool(result, 0, 0);
    *committed = pg_bool(result, 0, 1);
    PQclear(result);
    if (over)
        return STORE_OK;
    error_set(err, "a session that is gone is still at its work");
    return STORE_BUSY;
}

int postgres_append_number(struct postgres_store *store, struct error *err)
{
    int status = postgres_begin_patient(store, err);
    if (status == STORE_OK)
        status = postgres_take_number(store, &store->transaction, err);
    if (status == STORE_OK)
        store->claim = POSTGRES_CLAIMED;
    return status;
}

int postgres_append_end(struct postgres_store *store, int status)
{
    struct error err;
    store->claim = POSTGRES_UNCLAIMED;
    store->transaction = 0;
    store->keys.len = 0;
    if (status == STORE_OK) {
        postgres_signal_committed(store->signal);
        postgres_note_rejects(store);
    } else {
        pg_abandon(&store->pg);
        /* At once if that can be: its clients come again soon, perhaps to another node. */
        if (store->doubt.transaction != 0)
            (void)!postgres_connect(store, &err);
    }
    store->until_ms = 0;
    return status;
}

int postgres_store_begin(struct postgres_store *store, struct error *err)
{
    postgres_release(&store->base);
    postgres_follow_drop(store); /* what it does stands behind that */
    tally_reset(&store->tally);
    transaction_begin_rejects(store);
    int status = postgres_connect(store, err);
    if (status == STORE_OK)
        status = pg_run(&store->pg, SQL_BEGIN, err);
    return status == STORE_OK ? pg_run(&store->pg, SQL_LOCK_PATIENCE, err) : status;
}

static int store_send_tally(struct postgres_store *store, enum step step, struct error *err)
{
    static const enum sql_statement names[STEP_COUNT] = {
        [STEP_SECOND] = SQL_TALLY_SECOND,
        [STEP_MINUTE] = SQL_TALLY_MINUTE,
        [STEP_HOUR] = SQL_TALLY_HOUR,
        [STEP_DAY] = SQL_TALLY_DAY,
    };
    const struct tally *tally = &store->tally;
    tally_fold(&store->tally, step);
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->node.slot);
    pg_ints_begin(&store->params);
    for (size_t i = 0; i < tally->count; i++)
        pg_ints_add(&store->params, tally->steps[i].at);
    pg_array_end(&store->params);
    pg_ints_begin(&store->params);
    for (size_t i = 0; i < tally->count; i++)
        pg_ints_add(&store->params, tally->steps[i].events);
    pg_array_end(&store->params);
    return pg_send(&store->pg, names[step], &store->params, err);
}

/* The tally and the COMMIT. */
static int store_commit(struct postgres_store *store, struct error *err)
{
    int statements = 1;
    int status = pg_line_begin(&store->pg, err);
    for (int step = 0; step < STEP_COUNT && status == STORE_OK && store->tally.count > 0; step++) {
        status = store_send_tally(store, (enum step)step, err);
        statements++;
    }
    if (status == STORE_OK)
        status = pg_send(&store->pg, SQL_COMMIT, NULL, err);
    if (status == STORE_OK)
        status = pg_line_sync(&store->pg, err);
    while (status == STORE_OK && statements-- > 0)
        status = pg_line_result(&store->pg, NULL, err);
    pg_line_end(&store->pg);
    return status;
}

int postgres_store_end(struct postgres_store *store, int status, struct error *err)
{
    if (status == STORE_OK)
        status = store_commit(store, err);
    return postgres_append_end(store, status);
}
