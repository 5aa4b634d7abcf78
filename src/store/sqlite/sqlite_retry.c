/* Rejects that were read anew become events, or stay with another reason. */

#include <stdio.h>

#include "store/sqlite/sqlite_store_parts.h"

/* Whether it is still there, and still the same: another program may have changed it since it was
 * read. */
static int retry_is_there(struct sqlite_store *store, const struct store_retry *retry, bool *there,
                          struct error *err)
{
    sqlite3_stmt *same = db_statement(&store->db, SQL_REJECT_SAME);
    int64_t count = 0;
    if (same == NULL)
        return db_failure(&store->db, err);
    db_bind_int(same, ":n", retry->n);
    db_bind_int(same, ":received", retry->received);
    if (sqlite3_bind_blob64(same, sqlite3_bind_parameter_index(same, ":event"), retry->text,
                            retry->len, SQLITE_STATIC) != SQLITE_OK)
        return db_failure(&store->db, err);
    int status = db_number(&store->db, same, &count, err);
    (void)sqlite3_clear_bindings(same);
    *there = count > 0;
    return status;
}

static int retry_keep(struct sqlite_store *store, struct store_retry *retry, const char *reason,
                      struct error *err)
{
    sqlite3_stmt *update = db_statement(&store->db, SQL_REJECT_REASON);
    if (update == NULL)
        return db_failure(&store->db, err);
    retry->outcome = STORE_RETRY_KEPT;
    db_bind_int(update, ":n", retry->n);
    if (sqlite3_bind_text(update, sqlite3_bind_parameter_index(update, ":reason"), reason, -1,
                          SQLITE_STATIC) != SQLITE_OK)
        return db_failure(&store->db, err);
    int status = db_finish(&store->db, update, err);
    (void)sqlite3_clear_bindings(update);
    return status;
}

static int retry_one(struct sqlite_store *store, struct store_retry *retry, struct error *err)
{
    struct error why = {""};
    bool there = false, stored, refused, erased;
    int status = retry_is_there(store, retry, &there, err);
    retry->outcome = STORE_RETRY_GONE;
    if (status != STORE_OK || !there)
        return status;
    if (retry->batch == NULL)
        return retry_keep(store, retry, retry->reason, err);
    status = sqlite_store_insert_apart(store, &retry->batch->events[0], retry->received, &stored,
                                       &refused, &why, err);
    if (status == STORE_OK && refused) {
        char reason[sizeof why.text + 32];
        snprintf(reason, sizeof reason, "refused by the database: %s", why.text);
        return retry_keep(store, retry, reason, err);
    }
    retry->outcome = stored ? STORE_RETRY_STORED : STORE_RETRY_DUPLICATE;
    return status == STORE_OK ? rejects_erase(&store->rejects, &store->db, retry->n, &erased, err)
                              : status;
}

int sqlite_store_retry_rejects(struct store *base, struct store_retry *retries, size_t count,
                               struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = retry_one(store, &retries[i], err);
    /* What a trigger of the database refuses to be done to a reject is not the caller's fault. */
    return sqlite_store_end(store, status, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}
