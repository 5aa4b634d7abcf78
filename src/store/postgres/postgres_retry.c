/* Rejects that were read anew become events, or stay with another reason. */

#include <stdio.h>
#include <string.h>

#include "store/postgres/postgres_erase.h"
#include "store/postgres/postgres_store_parts.h"

/* Whether it is still there, and still the same: another node or a person may have changed it since
 * it was read. It can't be changed from here on. */
static int retry_is_there(struct postgres_store *store, const struct store_retry *retry,
                          bool *there, struct error *err)
{
    PGresult *result;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, retry->n);
    pg_put_int(&store->params, retry->received);
    pg_put_bytes(&store->params, retry->text, retry->len);
    int status = pg_ask(&store->pg, SQL_SAME_REJECT, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    *there = PQntuples(result) > 0;
    PQclear(result);
    return STORE_OK;
}

static int retry_keep(struct postgres_store *store, struct store_retry *retry, const char *reason,
                      struct error *err)
{
    retry->outcome = STORE_RETRY_KEPT;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, retry->n);
    pg_put_text(&store->params, reason, strlen(reason));
    return pg_ask(&store->pg, SQL_REASON_REJECT, &store->params, NULL, err);
}

static int retry_drop(struct postgres_store *store, const struct store_retry *retry,
                      struct error *err)
{
    pg_params_reset(&store->params);
    pg_ints_begin(&store->params);
    pg_ints_add(&store->params, retry->n);
    pg_array_end(&store->params);
    store->new_rejects--;
    store->new_rejects_bytes -= (int64_t)retry->len;
    return pg_ask(&store->pg, SQL_ERASE_REJECTS, &store->params, NULL, err);
}

/* Stores the event; *refused: the database does not take it, why says why, and nothing was done. */
static int retry_store(struct postgres_store *store, struct store_retry *retry, bool *refused,
                       struct error *why, struct error *err)
{
    struct store_item item = {.batch = retry->batch};
    *refused = false;
    int status = pg_run(&store->pg, SQL_SAVEPOINT, err);
    if (status != STORE_OK)
        return status;
    status = postgres_insert(store, &item, 1, why);
    if (status == STORE_REFUSED) {
        *refused = true;
        return pg_run(&store->pg, SQL_ROLLBACK_TO, err);
    }
    if (status != STORE_OK) {
        if (err != NULL)
            *err = *why;
        return status;
    }
    retry->outcome = item.duplicate > 0 ? STORE_RETRY_DUPLICATE : STORE_RETRY_STORED;
    return pg_run(&store->pg, SQL_RELEASE, err);
}

static int retry_one(struct postgres_store *store, struct store_retry *retry, struct error *err)
{
    struct error why = {""};
    bool there = false, refused;
    int status = retry_is_there(store, retry, &there, err);
    retry->outcome = STORE_RETRY_GONE;
    if (status != STORE_OK || !there)
        return status;
    if (retry->batch == NULL)
        return retry_keep(store, retry, retry->reason, err);
    status = retry_store(store, retry, &refused, &why, err);
    if (status == STORE_OK && refused) {
        char reason[sizeof why.text + 32];
        snprintf(reason, sizeof reason, "refused by the database: %s", why.text);
        return retry_keep(store, retry, reason, err);
    }
    return status == STORE_OK ? retry_drop(store, retry, err) : status;
}

int postgres_retry_rejects(struct store *base, struct store_retry *retries, size_t count,
                           struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    for (size_t i = 0; i < count; i++) {
        const struct store_item item = {.batch = retries[i].batch};
        if (item.batch != NULL)
            postgres_days_ensure(store, &item, 1);
    }
    int64_t transaction;
    int status = postgres_erase_begin(store, SQL_ERASE_BEGIN, &transaction, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = retry_one(store, &retries[i], err);
    /* What a trigger of the database refuses to be done to a reject is not the caller's fault. */
    return postgres_store_end(store, status, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}
