#include "store/postgres/postgres_recount.h"

#include "store/postgres/postgres_store_parts.h"

void postgres_suspect(struct postgres_store *store)
{
    if (store->tally_state == POSTGRES_TALLY_FINE)
        store->tally_state = POSTGRES_TALLY_SUSPECT;
}

int postgres_recount(struct postgres_store *store, struct error *err)
{
    struct pg_params params = {0};
    if (store->tally_state == POSTGRES_TALLY_FINE)
        return STORE_OK;
    pg_put_int(&params, store->node.slot);
    pg_put_int(&params, store->node.instance);
    pg_put_bool(&params, store->tally_state == POSTGRES_TALLY_WRONG);
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_RECOUNT, &params, NULL, err);
    pg_params_clear(&params);
    if (status == STORE_OK) {
        store->tally_state = POSTGRES_TALLY_FINE;
        postgres_signal_committed(store->signal);
    }
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

bool postgres_changed(struct store *base)
{
    return ((struct postgres_store *)base)->tally_state != POSTGRES_TALLY_FINE;
}

void postgres_doubted(struct store *base)
{
    ((struct postgres_store *)base)->tally_state = POSTGRES_TALLY_WRONG;
}
