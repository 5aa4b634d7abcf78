#include "store/postgres/postgres_recount.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_store_parts.h"

/* While somebody who changes events by hand has not committed that. */
#define RECOUNT_AGAIN_MS 5000

void postgres_suspect(struct postgres_store *store)
{
    if (store->tally_state == POSTGRES_TALLY_FINE)
        store->tally_state = POSTGRES_TALLY_SUSPECT;
}

int postgres_recount(struct postgres_store *store, struct error *err)
{
    struct pg_params params = {0};
    PGresult *result = NULL;
    if (store->tally_state == POSTGRES_TALLY_FINE)
        return STORE_OK;
    if (clock_mono_ms() < store->recount_ms) {
        error_set(err, "it was tried a moment ago");
        return STORE_BUSY;
    }
    store->recount_ms = clock_mono_ms() + RECOUNT_AGAIN_MS;
    pg_put_int(&params, store->node.slot);
    pg_put_int(&params, store->node.instance);
    pg_put_bool(&params, store->tally_state == POSTGRES_TALLY_WRONG);
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_RECOUNT, &params, &result, err);
    pg_params_clear(&params);
    if (status == STORE_OK && pg_bool(result, 0, 0)) {
        log_warn("events were changed by hand, or their tally was: all are counted anew");
        postgres_signal_committed(store->signal);
    }
    PQclear(result);
    if (status == STORE_OK) {
        store->tally_state = POSTGRES_TALLY_FINE;
        store->recount_ms = 0;
    }
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

bool postgres_changed(struct store *base)
{
    return ((struct postgres_store *)base)->tally_state != POSTGRES_TALLY_FINE;
}

void postgres_doubted(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    store->tally_state = POSTGRES_TALLY_WRONG;
    store->recount_ms = 0;
}
