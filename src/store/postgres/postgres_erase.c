#include "store/postgres/postgres_erase.h"

#include <string.h>

#include "store/postgres/postgres_store_parts.h"

/* What the database refuses (a trigger) is not the caller's to handle. */
static int erase_end(struct postgres_store *store, int status, size_t *erased, struct error *err)
{
    if (postgres_store_end(store, status, err) == STORE_OK)
        return STORE_OK;
    *erased = 0;
    return STORE_BUSY;
}

int postgres_erase_begin(struct postgres_store *store, enum sql_statement first,
                         int64_t *transaction, struct error *err)
{
    PGresult *result;
    int status = postgres_store_begin(store, err);
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->node.instance);
    if (status == STORE_OK)
        status = pg_ask(&store->pg, first, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    *transaction = pg_int(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

static size_t erase_read_places(const PGresult *result, struct range_place *places)
{
    size_t count = (size_t)PQntuples(result);
    for (size_t i = 0; i < count; i++)
        places[i] = (struct range_place){pg_int(result, (int)i, 0), pg_int(result, (int)i, 1)};
    return count;
}

static void erase_put_places(struct postgres_store *store, const struct range_place *places,
                             size_t count)
{
    struct pg_params *params = &store->params;
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    pg_params_reset(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, places[i].ts);
    pg_array_end(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, places[i].seq);
    pg_array_end(params);
    for (size_t i = 0; i < count; i++) {
        lowest = places[i].ts < lowest ? places[i].ts : lowest;
        highest = places[i].ts > highest ? places[i].ts : highest;
    }
    pg_put_int(params, lowest);
    pg_put_int(params, highest);
    pg_put_int(params, store->node.slot);
    pg_put_int(params, store->node.instance);
}

/* Erases them within the open transaction; *result: places of those that were there. */
static int erase_places(struct postgres_store *store, int64_t transaction,
                        const struct range_place *places, size_t count, PGresult **result,
                        struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (postgres_dead_note_day(&store->dead, transaction, places[i].ts) != 0)
            return postgres_no_memory(err);
    erase_put_places(store, places, count);
    return pg_ask(&store->pg, SQL_ERASE_EVENTS, &store->params, result, err);
}

int postgres_erase(struct store *base, const struct range_place *places, size_t count,
                   size_t *erased, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *result = NULL;
    int64_t transaction;
    *erased = 0;
    int status = postgres_erase_begin(store, SQL_ERASE_BEGIN_EVENTS, &transaction, err);
    if (status == STORE_OK && count > 0)
        status = erase_places(store, transaction, places, count, &result, err);
    if (status == STORE_OK)
        *erased = (size_t)PQntuples(result);
    PQclear(result);
    return erase_end(store, status, erased, err);
}

static int erase_find_oldest(struct postgres_store *store, int64_t before_ms, size_t most,
                             struct range_place *places, size_t *found, struct error *err)
{
    PGresult *result;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, before_ms);
    pg_put_int(&store->params, (int64_t)most);
    int status = pg_ask(&store->pg, SQL_OLDEST_PLACES, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    *found = erase_read_places(result, places);
    PQclear(result);
    return STORE_OK;
}

int postgres_erase_oldest(struct store *base, int64_t before_ms, size_t most,
                          struct range_place *places, size_t *erased, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *result = NULL;
    size_t found = 0;
    int64_t transaction;
    *erased = 0;
    int status = postgres_erase_begin(store, SQL_ERASE_BEGIN_EVENTS, &transaction, err);
    if (status == STORE_OK)
        status = erase_find_oldest(store, before_ms, most, places, &found, err);
    if (status == STORE_OK && found > 0)
        status = erase_places(store, transaction, places, found, &result, err);
    if (status == STORE_OK && found > 0)
        *erased = erase_read_places(result, places);
    PQclear(result);
    return erase_end(store, status, erased, err);
}

/* --- what else holds something of events --------------------------------------------------------
 */

/* One that erases rows of a table, for which nobody has to wait. */
static int erase_begin_table(struct postgres_store *store, enum postgres_dead_table table,
                             struct error *err)
{
    int64_t transaction;
    int status = postgres_erase_begin(store, SQL_ERASE_BEGIN, &transaction, err);
    if (status == STORE_OK)
        postgres_dead_note_table(&store->dead, transaction, table);
    return status;
}

int postgres_erase_rejects(struct store *base, const int64_t *numbers, size_t count, size_t *erased,
                           struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *result = NULL;
    *erased = 0;
    int status = erase_begin_table(store, POSTGRES_DEAD_REJECTS, err);
    pg_params_reset(&store->params);
    pg_ints_begin(&store->params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(&store->params, numbers[i]);
    pg_array_end(&store->params);
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_ERASE_REJECTS, &store->params, &result, err);
    if (status == STORE_OK) {
        *erased = (size_t)pg_int(result, 0, 0);
        store->new_rejects -= pg_int(result, 0, 0);
        store->new_rejects_bytes -= pg_int(result, 0, 1);
    }
    PQclear(result);
    return erase_end(store, status, erased, err);
}

static int erase_receipts(struct postgres_store *store, const struct store_receipts_row *rows,
                          size_t count, struct error *err)
{
    struct pg_params *params = &store->params;
    pg_params_reset(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        if (rows[i].len == 0)
            pg_ints_add(params, rows[i].row);
    pg_array_end(params);
    return pg_ask(&store->pg, SQL_ERASE_RECEIPTS, params, NULL, err);
}

static int erase_replace_receipts(struct postgres_store *store,
                                  const struct store_receipts_row *rows, size_t count,
                                  struct error *err)
{
    struct pg_params *params = &store->params;
    pg_params_reset(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        if (rows[i].len > 0)
            pg_ints_add(params, rows[i].row);
    pg_array_end(params);
    pg_blobs_begin(params);
    for (size_t i = 0; i < count; i++)
        if (rows[i].len > 0)
            pg_blobs_add(params, rows[i].data, rows[i].len);
    pg_array_end(params);
    return pg_ask(&store->pg, SQL_REPLACE_RECEIPTS, params, NULL, err);
}

int postgres_replace_receipts(struct store *base, const struct store_receipts_row *rows,
                              size_t count, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    size_t none;
    int status = erase_begin_table(store, POSTGRES_DEAD_RECEIPTS, err);
    if (status == STORE_OK)
        status = erase_receipts(store, rows, count, err);
    if (status == STORE_OK)
        status = erase_replace_receipts(store, rows, count, err);
    return erase_end(store, status, &none, err);
}
