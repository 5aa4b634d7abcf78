/* Statements that each commit sends: parsing and planning them is a quarter of the server's work.
 */

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

/* Until then all are sent as other statements are, with a plan made each time. */
#define KEEP_AGAIN_MS 10000

/* Their parameters: i is a bigint, I bigint[], T text[], B bytea[]. */
static const struct {
    enum sql_statement name;
    const char *types;
} kept[] = {
    {SQL_CLAIM_PATIENCE, ""},   {SQL_CLAIM_LOCK, "I"},          {SQL_CLAIM_NUMBER, "i"},
    {SQL_CLAIM_RECEIPTS, "I"},  {SQL_APPEND, "iIIITTIIITTiii"}, {SQL_INSERT_RECEIPTS, "iiIIIB"},
    {SQL_FOLLOW_NEWS, "iiiii"},
};

static void keep_put(struct pg_params *params, char type)
{
    switch (type) {
    case 'i':
        pg_put_int(params, 0);
        return;
    case 'I':
        pg_ints_begin(params);
        break;
    case 'T':
        pg_texts_begin(params);
        break;
    default:
        pg_blobs_begin(params);
    }
    pg_array_end(params);
}

static int keep_all(struct postgres_store *store, struct error *err)
{
    struct pg_params params = {0};
    /* Whoever holds one of the tables is waited for as a commit would: no longer. */
    int status = postgres_begin_patient(store, err);
    for (size_t i = 0; i < sizeof kept / sizeof *kept && status == STORE_OK; i++) {
        if (store->pg.kept[kept[i].name])
            continue;
        pg_params_reset(&params);
        for (const char *type = kept[i].types; *type != '\0'; type++)
            keep_put(&params, *type);
        status = pg_keep(&store->pg, kept[i].name, &params, err);
    }
    pg_params_clear(&params);
    pg_abandon(&store->pg);
    return status;
}

int postgres_keep(struct postgres_store *store, struct error *err)
{
    struct pg *pg = &store->pg;
    if (store->kept == pg->made || clock_mono_ms() < store->keep_ms)
        return STORE_OK;
    if (pg->forgetful || postgres_signal_pooled(store->signal) ||
        keep_all(store, err) == STORE_OK) {
        store->kept = pg->made;
        return STORE_OK;
    }
    store->keep_ms = clock_mono_ms() + KEEP_AGAIN_MS;
    return pg->connection != NULL ? STORE_OK : STORE_BUSY;
}
