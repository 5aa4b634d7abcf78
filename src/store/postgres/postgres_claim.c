/* Receipts' keys, held for the transaction in which an append is made. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

static int claim_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Notes the keys, ascending and each once: everyone waits for them in the same order. */
static int claim_note_keys(struct postgres_store *store, const uint64_t *keys, size_t count)
{
    store->keys.len = 0;
    if (count == 0) /* there need not even be an array */
        return 0;
    if (bytes_append(&store->keys, keys, count * sizeof *keys) != 0)
        return -1;
    int64_t *sorted = (int64_t *)(void *)store->keys.data;
    qsort(sorted, count, sizeof *sorted, claim_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || sorted[kept - 1] != sorted[i])
            sorted[kept++] = sorted[i];
    store->keys.len = kept * sizeof *sorted;
    return 0;
}

static void claim_put_keys(struct postgres_store *store)
{
    pg_params_reset(&store->params);
    pg_put_ints(&store->params, &store->keys);
}

/* What the transaction's number is, and that it is this node's. */
static int claim_send_number(struct postgres_store *store, struct error *err)
{
    struct pg_params params = {0};
    pg_put_int(&params, store->node.instance);
    int status = pg_send(&store->pg, SQL_CLAIM_NUMBER, &params, err);
    pg_params_clear(&params);
    return status;
}

/* The receipts are looked for by a statement of their own, behind the one that waits: what others
 * have committed until then is to be seen. */
static int claim_send(struct postgres_store *store, struct error *err)
{
    claim_put_keys(store);
    int status = pg_line_begin(&store->pg, err);
    if (status == STORE_OK)
        status = pg_send(&store->pg, SQL_BEGIN, NULL, err);
    if (status == STORE_OK)
        status = pg_send(&store->pg, SQL_CLAIM_PATIENCE, NULL, err);
    if (status == STORE_OK)
        status = pg_send(&store->pg, SQL_CLAIM_LOCK, &store->params, err);
    if (status == STORE_OK)
        status = claim_send_number(store, err);
    if (status == STORE_OK)
        status = pg_send(&store->pg, SQL_CLAIM_RECEIPTS, &store->params, err);
    return status == STORE_OK ? pg_line_sync(&store->pg, err) : status;
}

static int claim_hear(struct postgres_store *store, PGresult **receipts, struct error *err)
{
    PGresult *number;
    int status = STORE_OK;
    for (int before = 3; before > 0 && status == STORE_OK; before--)
        status = pg_line_result(&store->pg, NULL, err);
    if (status == STORE_OK)
        status = pg_line_result(&store->pg, &number, err);
    if (status != STORE_OK)
        return status;
    store->transaction = pg_int(number, 0, 0);
    PQclear(number);
    return pg_line_result(&store->pg, receipts, err);
}

static int claim_begin(struct postgres_store *store, PGresult **receipts, struct error *err)
{
    int status = postgres_connect(store, err);
    if (status != STORE_OK)
        return status;
    status = claim_send(store, err);
    if (status == STORE_OK)
        status = claim_hear(store, receipts, err);
    pg_line_end(&store->pg);
    if (status != STORE_OK)
        pg_abandon(&store->pg);
    return status;
}

enum { CLAIM_SERIAL, CLAIM_AT, CLAIM_RECEIPT, CLAIM_LOST };

static int claim_hand_out(const PGresult *receipts, store_claim_fn *fn, void *arg,
                          struct error *err)
{
    for (int i = 0; i < PQntuples(receipts); i++) {
        struct store_claimed one = {
            .serial = (uint64_t)pg_int(receipts, i, CLAIM_SERIAL),
            .at_ms = pg_int(receipts, i, CLAIM_AT),
            .lost = (unsigned)pg_int(receipts, i, CLAIM_LOST),
        };
        one.data = pg_bytes(receipts, i, CLAIM_RECEIPT, &one.len);
        if (fn(arg, &one) != 0)
            return postgres_no_memory(err);
    }
    return STORE_OK;
}

int postgres_claim(struct store *base, const uint64_t *keys, size_t count, store_claim_fn *fn,
                   void *arg, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *receipts = NULL;
    postgres_release(base);
    if (claim_note_keys(store, keys, count) != 0)
        return postgres_no_memory(err);
    if (count == 0) {
        store->claim = POSTGRES_CLAIM_NOTHING;
        return STORE_OK;
    }
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    int status = claim_begin(store, &receipts, err);
    /* A connection that has rested may turn out to be gone: nothing has happened on it. */
    if (status != STORE_OK && store->pg.connection == NULL)
        status = claim_begin(store, &receipts, err);
    store->until_ms = 0;
    if (status != STORE_OK)
        return STORE_BUSY;
    store->claim = POSTGRES_CLAIMED;
    status = claim_hand_out(receipts, fn, arg, err);
    PQclear(receipts);
    if (status != STORE_OK)
        postgres_release(base);
    return status;
}

void postgres_release(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    if (store->claim == POSTGRES_CLAIMED)
        pg_abandon(&store->pg);
    store->claim = POSTGRES_UNCLAIMED;
    store->transaction = 0;
}
