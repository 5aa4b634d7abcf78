/* Commits whose answers were lost. */

#include "base/log.h"
#include "store/postgres/postgres_store_parts.h"

static void doubt_forget(struct postgres_doubt *doubt)
{
    doubt->transaction = doubt->settling = 0;
}

void postgres_doubt(struct postgres_store *store, const struct store_receipts *receipts,
                    bool unmarked)
{
    struct postgres_doubt *doubt = &store->doubt;
    struct bytes keys = store->keys;
    doubt_forget(doubt);
    if (store->transaction == 0 ||
        (receipts->len == 0 && receipts->awaited_count == 0 && !unmarked))
        return;
    doubt->serials.len = 0;
    /* Without memory a repetition is stored a second time, the lesser evil. */
    (void)!bytes_append(&doubt->serials, receipts->awaited,
                        receipts->awaited_count * sizeof *receipts->awaited);
    doubt->transaction = store->transaction;
    doubt->instance = store->node.instance;
    doubt->followed = store->base.state.last_seq;
    doubt->unmarked = unmarked;
    store->keys = doubt->keys;
    doubt->keys = keys;
}

/* Waits until the session that had sent the COMMIT is through with it. */
static int doubt_wait(struct postgres_store *store, struct error *err)
{
    int status = postgres_begin_patient(store, err);
    if (status != STORE_OK)
        return status;
    pg_params_reset(&store->params);
    pg_put_ints(&store->params, &store->doubt.keys);
    status = pg_ask(&store->pg, SQL_CLAIM_LOCK, &store->params, NULL, err);
    if (status != STORE_OK)
        return status;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->doubt.instance);
    return pg_ask(&store->pg, SQL_NODE_SETTLE, &store->params, NULL, err);
}

/* Notes the ids of what it stored: of events that no receipt tells of they will come again. */
static int doubt_note_ids(struct postgres_store *store, struct error *err)
{
    PGresult *ids;
    size_t len;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->doubt.instance);
    pg_put_int(&store->params, store->doubt.followed);
    int status = pg_ask(&store->pg, SQL_DOUBTFUL_IDS, &store->params, &ids, err);
    if (status != STORE_OK)
        return status;
    for (int i = 0; i < PQntuples(ids); i++) {
        const char *id = pg_bytes(ids, i, 0, &len);
        /* As above. */
        if (hash_set_add(&store->repeats, siphash(store->base.secret, id, len)) != 0)
            break;
    }
    PQclear(ids);
    return STORE_OK;
}

bool postgres_is_repeat(const struct postgres_store *store, const struct batch *batch,
                        const struct batch_event *event)
{
    return store->repeats.count > 0 && batch->marks.count == 0 && !event->given &&
           hash_set_has(&store->repeats, siphash(store->base.secret, event->id, event->id_len));
}

/* Notes the losses, in a transaction that may be asked after in its turn. */
static int doubt_lose(struct postgres_store *store, struct error *err)
{
    struct postgres_doubt *doubt = &store->doubt;
    int64_t settling;
    int status = postgres_take_number(store, &settling, err);
    if (status != STORE_OK)
        return status;
    pg_params_reset(&store->params);
    pg_put_ints(&store->params, &doubt->serials);
    pg_put_int(&store->params, doubt->instance);
    status = pg_ask(&store->pg, SQL_LOSE_DOUBTFUL, &store->params, NULL, err);
    doubt->settling = settling;
    return status;
}

static int doubt_settle(struct postgres_store *store, struct error *err)
{
    struct postgres_doubt *doubt = &store->doubt;
    bool committed = false, settled = false;
    int status = doubt_wait(store, err);
    if (status == STORE_OK)
        status = postgres_was_committed(store, doubt->transaction, &committed, err);
    if (status == STORE_OK)
        status = postgres_was_committed(store, doubt->settling, &settled, err);
    if (status == STORE_OK && committed && doubt->unmarked)
        status = doubt_note_ids(store, err);
    if (status == STORE_OK && committed && !settled)
        status = doubt_lose(store, err);
    if (status == STORE_OK)
        status = pg_run(&store->pg, SQL_COMMIT, err);
    if (status != STORE_OK) {
        pg_abandon(&store->pg);
        return STORE_BUSY;
    }
    log_info("a commit whose answer was lost %s", committed ? "was made" : "was not made");
    doubt_forget(doubt);
    return STORE_OK;
}

int postgres_connect(struct postgres_store *store, struct error *err)
{
    int status = pg_connect(&store->pg, err);
    store->node = postgres_signal_node(store->signal);
    if (status == STORE_OK)
        status = postgres_keep(store, err);
    return status == STORE_OK && store->doubt.transaction != 0 ? doubt_settle(store, err) : status;
}
