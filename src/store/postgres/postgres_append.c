/* Transactions that store batches. */

#include <string.h>

#include "store/postgres/postgres_rows.h"
#include "store/postgres/postgres_store_parts.h"

int postgres_insert(struct postgres_store *store, struct store_item *items, size_t count,
                    struct error *err)
{
    struct postgres_rows rows;
    int status = STORE_OK;
    if (postgres_rows_gather(store, &rows, items, count) != 0) {
        postgres_rows_clear(&rows);
        return postgres_no_memory(err);
    }
    if (rows.count > 0) {
        status = pg_line_begin(&store->pg, err);
        if (status == STORE_OK)
            status = postgres_rows_send(store, &rows, err);
        if (status == STORE_OK)
            status = pg_line_sync(&store->pg, err);
        if (status == STORE_OK)
            status = postgres_rows_hear(store, &rows, err);
        pg_line_end(&store->pg);
    }
    if (status != STORE_OK)
        postgres_rows_forget(&rows);
    postgres_rows_clear(&rows);
    return status;
}

/* All that is to be stored; *others: statements beside that of the events. */
static int append_send_all(struct postgres_store *store, const struct postgres_rows *rows,
                           const struct store_item *items, size_t count,
                           const struct store_receipts *receipts, int *others, struct error *err)
{
    int status = pg_line_begin(&store->pg, err);
    if (status == STORE_OK && store->claim != POSTGRES_CLAIMED)
        status = pg_send(&store->pg, SQL_BEGIN, NULL, err);
    if (status == STORE_OK && store->claim != POSTGRES_CLAIMED)
        status = pg_send(&store->pg, SQL_CLAIM_PATIENCE, NULL, err);
    if (status == STORE_OK)
        status = postgres_rows_send(store, rows, err);
    if (status == STORE_OK)
        status = postgres_send_receipts(store, receipts, others, err);
    return status == STORE_OK ? postgres_send_rejects(store, items, count, others, err) : status;
}

static int append_send_commit(struct postgres_store *store, struct error *err)
{
    int status = pg_send(&store->pg, SQL_COMMIT, NULL, err);
    if (status == STORE_OK)
        status = postgres_follow_send(store, err);
    if (status == STORE_OK)
        status = pg_line_sync(&store->pg, err);
    if (status != STORE_OK)
        pg_close(&store->pg); /* rather than have the COMMIT done and not hear of it */
    return status;
}

/* A COMMIT of a transaction in which something has failed rolls it back, and is no error. */
static int append_hear_commit(struct postgres_store *store, struct error *err)
{
    PGresult *result;
    int status = pg_line_result(&store->pg, &result, err);
    if (status != STORE_OK)
        return status;
    if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        error_set(err, "PostgreSQL has rolled the transaction back");
        status = STORE_BUSY;
    }
    PQclear(result);
    return status;
}

static int append_hear_all(struct postgres_store *store, const struct postgres_rows *rows,
                           int others, struct error *err)
{
    int status = STORE_OK;
    for (int begun = store->claim == POSTGRES_CLAIMED ? 2 : 0; begun < 2 && status == STORE_OK;
         begun++)
        status = pg_line_result(&store->pg, NULL, err);
    if (status == STORE_OK)
        status = postgres_rows_hear(store, rows, err);
    while (status == STORE_OK && others-- > 0)
        status = pg_line_result(&store->pg, NULL, err);
    if (status == STORE_OK)
        status = append_hear_commit(store, err);
    if (status == STORE_OK)
        postgres_follow_hear(store);
    return status;
}

static int append_commit(struct postgres_store *store, struct postgres_rows *rows,
                         const struct store_item *items, size_t count,
                         const struct store_receipts *receipts, struct error *err)
{
    int others = 0;
    bool sent = false;
    int status = append_send_all(store, rows, items, count, receipts, &others, err);
    if (status == STORE_OK) {
        sent = true;
        status = append_send_commit(store, err);
    }
    if (status == STORE_OK)
        status = append_hear_all(store, rows, others, err);
    pg_line_end(&store->pg);
    /* Also where the server had said before that something failed: asking does no harm. */
    if (status != STORE_OK && sent && store->pg.connection == NULL)
        postgres_doubt(store, receipts, rows->unmarked);
    return status;
}

int postgres_append_rest(struct postgres_store *store, const struct store_item *item,
                         const struct store_receipts *receipts, struct error *err)
{
    struct postgres_rows none = {.rows = NULL, .unmarked = item->batch->marks.count == 0};
    return append_commit(store, &none, item, 1, receipts, err);
}

int postgres_append(struct store *base, struct store_item *items, size_t count,
                    const struct store_receipts *receipts, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct postgres_rows rows;
    store->at_ms = receipts->at_ms;
    int status = postgres_append_begin(store, err);
    if (postgres_rows_gather(store, &rows, items, count) != 0)
        status = postgres_no_memory(err);
    if (status == STORE_OK)
        postgres_days_ensure(store, items, count);
    /* Behind a pooler nothing else says that what is stored is no change by hand. */
    if (status == STORE_OK && rows.count > 0 && store->claim != POSTGRES_CLAIMED)
        status = postgres_append_number(store, err);
    if (status == STORE_OK)
        status = append_commit(store, &rows, items, count, receipts, err);
    if (status != STORE_OK)
        postgres_rows_forget(&rows);
    postgres_rows_clear(&rows);
    return postgres_append_end(store, status);
}
