/* What is stored beside events: receipts and rejects. */

#include <string.h>

#include "contract/receipt_rows.h"
#include "store/postgres/postgres_store_parts.h"

/* Of rejects in one statement. */
#define NOTES_MOST_BYTES (INT64_C(256) << 20)

/* Its first mark, by which it is looked up. */
static uint64_t notes_key(const struct receipt_entry *entry)
{
    struct receipt_entry first = *entry;
    uint64_t key;
    first.count = 1;
    receipt_entry_marks(&first, &key);
    return key;
}

/* Each receipt becomes a row of its own, with the version in front. */
static void notes_put_receipts(struct pg_params *params, const struct store_receipts *receipts,
                               struct bytes *one)
{
    struct receipt_entry entry;
    uint64_t serial = receipts->first_serial;
    struct receipt_row row = receipt_row_begin(receipts->data, receipts->len);
    pg_ints_begin(params);
    while (receipt_row_next(&row, &entry))
        pg_ints_add(params, (int64_t)serial++);
    pg_array_end(params);
    row = receipt_row_begin(receipts->data, receipts->len);
    pg_ints_begin(params);
    while (receipt_row_next(&row, &entry))
        pg_ints_add(params, (int64_t)notes_key(&entry));
    pg_array_end(params);
    row = receipt_row_begin(receipts->data, receipts->len);
    pg_ints_begin(params);
    while (receipt_row_next(&row, &entry))
        pg_ints_add(params, entry.burst);
    pg_array_end(params);
    row = receipt_row_begin(receipts->data, receipts->len);
    pg_blobs_begin(params);
    while (receipt_row_next(&row, &entry)) {
        one->len = 0;
        if (bytes_append(one, receipts->data, 1) != 0 ||
            bytes_append(one, entry.text, entry.len) != 0)
            params->failed = true;
        pg_blobs_add(params, one->data, one->len);
    }
    pg_array_end(params);
}

static int notes_send_receipts(struct postgres_store *store, const struct store_receipts *receipts,
                               struct error *err)
{
    struct bytes one = {NULL, 0, 0};
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->node.instance);
    pg_put_int(&store->params, receipts->at_ms);
    notes_put_receipts(&store->params, receipts, &one);
    bytes_clear(&one);
    store->upkeep.receipts_new += (int64_t)receipts->len;
    return pg_send(&store->pg, SQL_INSERT_RECEIPTS, &store->params, err);
}

static int notes_send_losses(struct postgres_store *store, const struct store_receipts *receipts,
                             struct error *err)
{
    pg_params_reset(&store->params);
    pg_ints_begin(&store->params);
    for (size_t i = 0; i < receipts->loss_count; i++)
        pg_ints_add(&store->params, (int64_t)receipts->losses[i].serial);
    pg_array_end(&store->params);
    pg_ints_begin(&store->params);
    for (size_t i = 0; i < receipts->loss_count; i++)
        pg_ints_add(&store->params, receipts->losses[i].change);
    pg_array_end(&store->params);
    return pg_send(&store->pg, SQL_CHANGE_LOST, &store->params, err);
}

int postgres_send_receipts(struct postgres_store *store, const struct store_receipts *receipts,
                           int *sent, struct error *err)
{
    int status = STORE_OK;
    if (receipts->len > 0) {
        status = notes_send_receipts(store, receipts, err);
        ++*sent;
    }
    /* Behind the receipts: a loss may be one of theirs. */
    if (status == STORE_OK && receipts->loss_count > 0) {
        status = notes_send_losses(store, receipts, err);
        ++*sent;
    }
    return status;
}

/* One that is over the bounds by itself is not kept. */
static bool notes_keeps(const struct postgres_store *store, size_t len)
{
    return store->most_rejects > 0 && (int64_t)len <= store->most_rejects_bytes;
}

/* The next reject of items that is to be kept, or NULL behind the last. */
struct notes_cursor {
    const struct store_item *items;
    size_t count;
    size_t item, reject;
};

static const struct batch_reject *notes_next(const struct postgres_store *store,
                                             struct notes_cursor *at, int64_t *received)
{
    for (; at->item < at->count; at->item++, at->reject = 0) {
        const struct store_item *item = &at->items[at->item];
        while (at->reject < item->batch->reject_kept) {
            const struct batch_reject *reject = &item->batch->rejects[at->reject++];
            *received = item->batch->received_ms;
            if ((item->known == 0 || reject->position > item->known) &&
                notes_keeps(store, reject->text_len))
                return reject;
        }
    }
    return NULL;
}

/* Where those begin that would still be there behind all of them. */
static struct notes_cursor notes_first(const struct postgres_store *store,
                                       const struct store_item *items, size_t count)
{
    struct notes_cursor first = {items, count, 0, 0}, at = first;
    int64_t most = store->most_rejects, most_bytes = store->most_rejects_bytes;
    int64_t rows = 0, bytes = 0, received;
    const struct batch_reject *reject;
    if (most_bytes > NOTES_MOST_BYTES)
        most_bytes = NOTES_MOST_BYTES;
    for (; (reject = notes_next(store, &at, &received)) != NULL; rows++)
        bytes += (int64_t)reject->text_len;
    for (; (rows > most || bytes > most_bytes) &&
           (reject = notes_next(store, &first, &received)) != NULL;
         rows--)
        bytes -= (int64_t)reject->text_len;
    return first;
}

static size_t notes_put_rejects(struct postgres_store *store, const struct store_item *items,
                                size_t count)
{
    const struct notes_cursor first = notes_first(store, items, count);
    struct pg_params *params = &store->params;
    const struct batch_reject *reject;
    struct notes_cursor at = first;
    size_t rejects = 0;
    int64_t received;
    pg_params_reset(params);
    pg_ints_begin(params);
    for (; notes_next(store, &at, &received) != NULL; rejects++)
        pg_ints_add(params, received);
    pg_array_end(params);
    at = first;
    pg_texts_begin(params);
    while ((reject = notes_next(store, &at, &received)) != NULL) {
        const char *reason = batch_reason_text(reject->reason);
        pg_texts_add(params, reason, strlen(reason));
    }
    pg_array_end(params);
    at = first;
    pg_blobs_begin(params);
    while ((reject = notes_next(store, &at, &received)) != NULL) {
        pg_blobs_add(params, reject->text, reject->text_len);
        store->new_rejects++;
        store->new_rejects_bytes += (int64_t)reject->text_len;
    }
    pg_array_end(params);
    return rejects;
}

/* Many nodes add: the bounds are kept as far as this one knows. */
static bool notes_too_many(const struct postgres_store *store)
{
    return store->rejects + store->new_rejects > store->most_rejects ||
           store->rejects_bytes + store->new_rejects_bytes > store->most_rejects_bytes;
}

static void notes_put_bounds(struct postgres_store *store)
{
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->most_rejects);
    pg_put_int(&store->params, store->most_rejects_bytes);
}

int postgres_send_rejects(struct postgres_store *store, const struct store_item *items,
                          size_t count, int *sent, struct error *err)
{
    if (notes_put_rejects(store, items, count) == 0)
        return STORE_OK;
    int status = pg_send(&store->pg, SQL_INSERT_REJECTS, &store->params, err);
    ++*sent;
    if (status != STORE_OK || !notes_too_many(store))
        return status;
    notes_put_bounds(store);
    ++*sent;
    return pg_send(&store->pg, SQL_TRIM_REJECTS, &store->params, err);
}

int postgres_add_reject(struct postgres_store *store, int64_t received, const char *reason,
                        const char *text, size_t len, struct error *err)
{
    struct pg_params *params = &store->params;
    if (!notes_keeps(store, len))
        return STORE_OK;
    pg_params_reset(params);
    pg_ints_begin(params);
    pg_ints_add(params, received);
    pg_array_end(params);
    pg_texts_begin(params);
    pg_texts_add(params, reason, strlen(reason));
    pg_array_end(params);
    pg_blobs_begin(params);
    pg_blobs_add(params, text, len);
    pg_array_end(params);
    store->new_rejects++;
    store->new_rejects_bytes += (int64_t)len;
    int status = pg_ask(&store->pg, SQL_INSERT_REJECTS, params, NULL, err);
    if (status != STORE_OK || !notes_too_many(store))
        return status;
    notes_put_bounds(store);
    return pg_ask(&store->pg, SQL_TRIM_REJECTS, params, NULL, err);
}

void postgres_note_rejects(struct postgres_store *store)
{
    int64_t most = store->most_rejects, most_bytes = store->most_rejects_bytes;
    store->rejects += store->new_rejects;
    store->rejects_bytes += store->new_rejects_bytes;
    if (store->rejects > most)
        store->rejects = most;
    if (store->rejects_bytes > most_bytes)
        store->rejects_bytes = most_bytes;
}

int postgres_count_rejects(struct postgres_store *store, struct error *err)
{
    PGresult *result;
    int status = pg_ask(&store->pg, SQL_SIZE_REJECTS, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    store->rejects = pg_int(result, 0, 0);
    store->rejects_bytes = pg_int(result, 0, 1);
    PQclear(result);
    return STORE_OK;
}
