#include "store/postgres/postgres_store.h"

#include <stdlib.h>
#include <string.h>

#include "store/postgres/postgres_name.h"
#include "store/postgres/postgres_store_parts.h"

static void postgres_store_close(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    pg_close(&store->pg);
    tally_clear(&store->tally);
    postgres_days_clear(&store->days);
    free(store->database);
    free(store);
}

static const struct store_ops postgres_store_ops = {
    .close = postgres_store_close,
    .drop_days = postgres_store_drop_days,
    .follow = postgres_follow,
    .copy_instead = "a database of PostgreSQL's is backed up by its own programs: pg_dump, or "
                    "pg_basebackup and the archive of its write-ahead log",
};

static int store_read_secret(struct postgres_store *store, struct error *err)
{
    PGresult *result;
    size_t len;
    int status = pg_ask(&store->pg, SQL_SECRET, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    const char *secret = PQntuples(result) == 1 ? pg_bytes(result, 0, 0, &len) : NULL;
    if (secret != NULL && len == SIPHASH_KEY_BYTES) {
        memcpy(store->base.secret, secret, len);
    } else {
        error_set(err, "its table meta holds no secret of 16 bytes");
        status = STORE_UNFIT;
    }
    PQclear(result);
    return status;
}

static int store_take_up(struct postgres_store *store, struct error *err)
{
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = postgres_schema_fit(&store->pg, err);
    if (status == STORE_OK)
        status = store_read_secret(store, err);
    if (status == STORE_OK)
        status = postgres_follow_begin(store, err);
    if (status == STORE_OK)
        postgres_days_tend(store);
    return status;
}

int postgres_store_open(struct store **out, const struct store_options *options, struct error *err)
{
    struct postgres_store *store = calloc(1, sizeof *store);
    char *database = strdup(options->database);
    if (store == NULL || database == NULL) {
        free(store);
        free(database);
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    store->base.ops = &postgres_store_ops;
    store->base.shared = true;
    store->database = database;
    pg_init(&store->pg, database, false);
    tally_init(&store->tally);
    struct error why = {""};
    int status = store_take_up(store, &why);
    if (status == STORE_OK) {
        *out = &store->base;
        return STORE_OK;
    }
    char name[STORE_NAME_SIZE];
    postgres_name_show(database, name, sizeof name);
    error_set(err, "%s: %s", name, why.text);
    postgres_store_close(&store->base);
    return status;
}
