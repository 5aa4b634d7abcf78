/* Answers that were lost are counted, each once: one more, and a burst that is none would be taken
 * for its repetition. */

#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

/* Whether a serial is among the first *open of those that are counted for sure; it goes behind
 * them. */
static bool losing_take(const struct bytes *sure, size_t *open, uint64_t serial)
{
    uint64_t *counted = (uint64_t *)(void *)sure->data;
    for (size_t i = 0; i < *open; i++) {
        if (counted[i] != serial)
            continue;
        counted[i] = counted[--*open];
        counted[*open] = serial;
        return true;
    }
    return false;
}

/* *left: the serials that are still to be counted, less those that a transaction whose answer was
 * lost has counted. Those are remembered until the caller hears that all are, for until then it
 * asks for all again. */
static int losing_settle(struct postgres_store *store, const uint64_t *serials, size_t count,
                         struct bytes *left, struct error *err)
{
    struct postgres_losing *losing = &store->losing;
    bool committed;
    int status = postgres_was_committed(store, losing->transaction, &committed, err);
    if (status != STORE_OK)
        return status;
    if (bytes_reserve(left, count * sizeof *serials) != 0 ||
        (committed && bytes_append(&losing->sure, losing->serials.data, losing->serials.len) != 0))
        return postgres_no_memory(err);
    losing->transaction = 0;
    losing->serials.len = 0;
    size_t open = losing->sure.len / sizeof *serials;
    for (size_t i = 0; i < count; i++)
        if (!losing_take(&losing->sure, &open, serials[i]) &&
            bytes_append(left, &serials[i], sizeof *serials) != 0)
            return postgres_no_memory(err);
    return STORE_OK;
}

/* In one transaction; its number is remembered while nobody knows what has become of it. */
static int losing_count(struct postgres_store *store, const struct bytes *left, struct error *err)
{
    int64_t transaction = 0;
    int status = postgres_begin_patient(store, err);
    if (status == STORE_OK)
        status = postgres_take_number(store, &transaction, err);
    pg_params_reset(&store->params);
    pg_put_ints(&store->params, left);
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_LOSE, &store->params, NULL, err);
    if (status != STORE_OK) {
        pg_abandon(&store->pg);
        return STORE_BUSY;
    }
    status = pg_run(&store->pg, SQL_COMMIT, err);
    if (status == STORE_OK)
        return STORE_OK;
    bool doubtful = store->pg.connection == NULL;
    pg_abandon(&store->pg);
    if (doubtful)
        store->losing.transaction = transaction;
    return STORE_BUSY;
}

int postgres_lose(struct store *base, const uint64_t *serials, size_t count, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct postgres_losing *losing = &store->losing;
    struct bytes left = {NULL, 0, 0};
    if (count == 0)
        return STORE_OK;
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    int status = postgres_connect(store, err);
    if (status == STORE_OK)
        status = losing_settle(store, serials, count, &left, err);
    if (status == STORE_OK && left.len > 0) {
        struct bytes spare = losing->serials;
        status = losing_count(store, &left, err);
        if (losing->transaction != 0) {
            losing->serials = left;
            left = spare;
        }
    }
    if (status == STORE_OK)
        losing->sure.len = 0;
    bytes_clear(&left);
    store->until_ms = 0;
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
