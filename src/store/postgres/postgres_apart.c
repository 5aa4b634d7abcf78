/* The batch of which the database refuses something. */

#include <stdio.h>

#include "store/postgres/postgres_store_parts.h"

/* A part of the batch, as if it were all of it. */
static int apart_insert(struct postgres_store *store, struct store_item *item, size_t from,
                        size_t to, struct error *err)
{
    struct batch part = *item->batch;
    struct store_item one = {.batch = &part, .known = item->known};
    part.events += from;
    part.event_count = to - from;
    int status = pg_run(&store->pg, SQL_SAVEPOINT, err);
    if (status == STORE_OK)
        status = postgres_insert(store, &one, 1, err);
    if (status == STORE_OK) {
        item->saved += one.saved;
        item->duplicate += one.duplicate;
        return pg_run(&store->pg, SQL_RELEASE, err);
    }
    struct error lost;
    if (status == STORE_REFUSED && pg_run(&store->pg, SQL_ROLLBACK_TO, &lost) != STORE_OK)
        status = STORE_BUSY;
    return status;
}

static int apart_refuse(struct postgres_store *store, struct store_item *item,
                        const struct batch_event *event, const struct error *why, struct error *err)
{
    char reason[sizeof why->text + 32];
    snprintf(reason, sizeof reason, "refused by the database: %s", why->text);
    item->refused++;
    return postgres_add_reject(store, item->batch->received_ms, reason, event->text,
                               event->text_len, err);
}

/* Halves what is refused until single events are left; in order, so that numbers ascend. No deeper
 * than the number of events has digits. */
static int apart_try(struct postgres_store *store, struct store_item *item, size_t from, size_t to,
                     struct error *err)
{
    struct error why = {""};
    int status = apart_insert(store, item, from, to, &why);
    if (status == STORE_REFUSED && to - from == 1)
        return apart_refuse(store, item, &item->batch->events[from], &why, err);
    if (status == STORE_REFUSED) {
        size_t middle = from + (to - from) / 2;
        status = apart_try(store, item, from, middle, err);
        return status == STORE_OK ? apart_try(store, item, middle, to, err) : status;
    }
    if (status != STORE_OK && err != NULL)
        *err = why;
    return status;
}

static int apart_all(struct postgres_store *store, struct store_item *item, struct error *err)
{
    int status = STORE_OK;
    if (store->claim != POSTGRES_CLAIMED)
        status = postgres_append_number(store, err);
    if (status == STORE_OK && item->batch->event_count > 0)
        status = apart_try(store, item, 0, item->batch->event_count, err);
    return status;
}

int postgres_append_apart(struct store *base, struct store_item *item,
                          const struct store_receipts *receipts, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    item->saved = item->duplicate = item->refused = 0;
    store->at_ms = receipts->at_ms;
    int status = postgres_append_begin(store, err);
    if (status == STORE_OK) {
        postgres_days_ensure(store, item, 1);
        status = apart_all(store, item, err);
    }
    if (status == STORE_OK)
        status = postgres_append_rest(store, item, receipts, err);
    status = postgres_append_end(store, status);
    /* Not even a reject can be written: nothing of this is the batch's fault. */
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
