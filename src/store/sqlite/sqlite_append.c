/* Batches, their rejects and receipts become rows. */

#include <stdio.h>

#include "base/clock.h"
#include "store/sqlite/sqlite_store_parts.h"

/* Parameters of insert_event and insert_given, numbered as they first appear there. */
enum { INSERT_SEQ = 1, INSERT_TS, INSERT_RECEIVED, INSERT_ID, INSERT_EVENT };

static int append_insert(struct sqlite_store *store, struct batch_event *event, int64_t received,
                         bool *stored, struct error *err)
{
    sqlite3_stmt *insert =
        db_statement(&store->db, event->given ? SQL_INSERT_GIVEN : SQL_INSERT_EVENT);
    if (insert == NULL)
        return db_failure(&store->db, err);
    event->seq = 0;
    *stored = false;
    if (sqlite3_bind_int64(insert, INSERT_SEQ, store->last_seq + 1) != SQLITE_OK ||
        sqlite3_bind_int64(insert, INSERT_TS, event->ts) != SQLITE_OK ||
        sqlite3_bind_int64(insert, INSERT_RECEIVED, received) != SQLITE_OK ||
        sqlite3_bind_text64(insert, INSERT_ID, event->id, event->id_len, SQLITE_STATIC,
                            SQLITE_UTF8) != SQLITE_OK ||
        sqlite3_bind_text64(insert, INSERT_EVENT, event->text, event->text_len, SQLITE_STATIC,
                            SQLITE_UTF8) != SQLITE_OK) {
        return db_failure(&store->db, err);
    }
    int status = db_finish(&store->db, insert, err);
    if (status != STORE_OK)
        return status;
    *stored = sqlite3_changes(store->db.handle) > 0;
    if (!*stored && !event->given) {
        error_set(err, "a trigger of this database ignores it");
        return STORE_REFUSED;
    }
    if (!*stored)
        return STORE_OK;
    event->seq = ++store->last_seq;
    store->total++;
    if (tally_add(&store->tally, event->ts) != 0) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    return STORE_OK;
}

/* Counts an event of a known element: stored already, nothing to do. */
static bool append_is_known(struct store_item *item, struct batch_event *event)
{
    if (item->known == 0 || event->position > item->known)
        return false;
    event->seq = 0;
    item->saved++;
    item->duplicate++;
    return true;
}

static int append_item(struct sqlite_store *store, struct store_item *item, struct error *err)
{
    struct batch *batch = item->batch;
    item->saved = item->duplicate = item->refused = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        bool stored = false;
        if (append_is_known(item, &batch->events[i]))
            continue;
        int status = append_insert(store, &batch->events[i], batch->received_ms, &stored, err);
        if (status != STORE_OK)
            return status;
        item->saved++;
        if (!stored)
            item->duplicate++;
    }
    return rejects_add_batch(&store->rejects, &store->db, batch, item->known, err);
}

static int append_add_receipts(struct sqlite_store *store, const struct store_receipts *receipts,
                               struct error *err)
{
    int status = STORE_OK;
    sqlite3_stmt *insert = db_statement(&store->db, SQL_INSERT_RECEIPTS);
    sqlite3_stmt *drop = db_statement(&store->db, SQL_DROP_RECEIPTS);
    if (insert == NULL || drop == NULL)
        return db_failure(&store->db, err);
    if (receipts->len > 0) {
        db_bind_int(insert, ":n", receipts->row);
        db_bind_int(insert, ":at", receipts->at_ms);
        if (sqlite3_bind_blob64(insert, sqlite3_bind_parameter_index(insert, ":receipts"),
                                receipts->data, receipts->len, SQLITE_STATIC) != SQLITE_OK)
            return db_failure(&store->db, err);
        status = db_finish(&store->db, insert, err);
    }
    if (status != STORE_OK || receipts->before <= store->receipts_before)
        return status;
    store->receipts_before = receipts->before;
    db_bind_int(drop, ":before", receipts->before);
    return db_finish(&store->db, drop, err);
}

int sqlite_store_append(struct store *base, struct store_item *items, size_t count,
                        const struct store_receipts *receipts, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = append_item(store, &items[i], err);
    if (status == STORE_OK)
        status = append_add_receipts(store, receipts, err);
    return sqlite_store_end(store, status, err);
}

int sqlite_store_insert_apart(struct sqlite_store *store, struct batch_event *event,
                              int64_t received, bool *stored, bool *refused, struct error *why,
                              struct error *err)
{
    *stored = *refused = false;
    int status = db_run(&store->db, SQL_SAVEPOINT, err);
    if (status != STORE_OK)
        return status;
    status = append_insert(store, event, received, stored, why);
    *refused = status == STORE_REFUSED;
    if (*refused)
        status = db_run(&store->db, SQL_ROLLBACK_TO, err);
    else if (status != STORE_OK && err != NULL)
        *err = *why;
    return status == STORE_OK ? db_run(&store->db, SQL_RELEASE, err) : status;
}

static int append_event_apart(struct sqlite_store *store, struct store_item *item, size_t n,
                              struct error *err)
{
    struct batch_event *event = &item->batch->events[n];
    struct error why = {""};
    bool stored, refused;
    if (append_is_known(item, event))
        return STORE_OK;
    int status = sqlite_store_insert_apart(store, event, item->batch->received_ms, &stored,
                                           &refused, &why, err);
    if (status != STORE_OK)
        return status;
    if (refused) {
        char reason[sizeof why.text + 32];
        snprintf(reason, sizeof reason, "refused by the database: %s", why.text);
        item->refused++;
        return rejects_add(&store->rejects, &store->db, item->batch->received_ms, reason,
                           event->text, event->text_len, err);
    }
    item->saved++;
    if (!stored)
        item->duplicate++;
    return STORE_OK;
}

int sqlite_store_append_apart(struct store *base, struct store_item *item,
                              const struct store_receipts *receipts, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    item->saved = item->duplicate = item->refused = 0;
    int status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < item->batch->event_count && status == STORE_OK; i++)
        status = append_event_apart(store, item, i, err);
    if (status == STORE_OK)
        status = rejects_add_batch(&store->rejects, &store->db, item->batch, item->known, err);
    if (status == STORE_OK)
        status = append_add_receipts(store, receipts, err);
    status = sqlite_store_end(store, status, err);
    /* Not even a reject can be written: nothing of this is the batch's fault. */
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

int sqlite_store_probe(struct store *base, struct error *err)
{
    static const char id[] = "probe";
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct db *db = &store->db;
    int64_t now_ms = clock_wall_ms(), seq = 0;
    int status = sqlite_store_begin(store, err);
    sqlite3_stmt *insert = db_statement(db, SQL_INSERT_EVENT);
    sqlite3_stmt *erase = db_statement(db, SQL_ERASE_EVENT);
    if (status == STORE_OK && (insert == NULL || erase == NULL))
        status = db_failure(db, err);
    if (status == STORE_OK) {
        seq = store->last_seq + 1; /* it is free again behind this */
        db_bind_int(insert, ":seq", seq);
        db_bind_int(insert, ":ts", now_ms);
        db_bind_int(insert, ":received", now_ms);
        if (sqlite3_bind_text(insert, INSERT_ID, id, -1, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_bind_text(insert, INSERT_EVENT, "{}", -1, SQLITE_STATIC) != SQLITE_OK)
            status = db_failure(db, err);
    }
    if (status == STORE_OK)
        status = db_finish(db, insert, err);
    if (status == STORE_OK) {
        db_bind_int(erase, ":seq", seq);
        db_bind_int(erase, ":ts", now_ms);
        status = db_finish(db, erase, err);
    }
    status = sqlite_store_end(store, status, err);
    /* A trigger may refuse it, which is not the disk's fault: an event would become a reject. */
    return status == STORE_REFUSED ? STORE_OK : status;
}
