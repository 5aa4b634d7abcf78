/* Batches become rows. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_id.h"
#include "store/postgres/postgres_store_parts.h"

/* An event that is to be stored, and its place among those of the commit. */
struct append_row {
    struct batch_event *event;
    struct store_item *item;
    size_t place;
};

struct append_rows {
    struct append_row *rows; /* beacond's own ids first, then given ones, these by (ts, id) */
    size_t count, plain;
    bool unmarked; /* some are of batches that no receipt tells of */
};

static bool append_is_known(const struct postgres_store *store, const struct store_item *item,
                            const struct batch_event *event)
{
    return (item->known > 0 && event->position <= item->known) ||
           postgres_is_repeat(store, item->batch, event);
}

/* Whoever inserts given ids does it in this order: two that wait for each other's would never end.
 */
static int append_compare(const void *a, const void *b)
{
    const struct append_row *x = a, *y = b;
    const struct batch_event *p = x->event, *q = y->event;
    if (p->given != q->given)
        return p->given - q->given;
    if (p->given && p->ts != q->ts)
        return p->ts < q->ts ? -1 : 1;
    int order = p->given ? memcmp(p->id, q->id, p->id_len < q->id_len ? p->id_len : q->id_len) : 0;
    if (order == 0 && p->given && p->id_len != q->id_len)
        return p->id_len < q->id_len ? -1 : 1;
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

/* Gathers the rows and counts what is known. 0, or -1 when out of memory. */
static int append_gather(const struct postgres_store *store, struct append_rows *rows,
                         struct store_item *items, size_t count)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += items[i].batch->event_count;
    *rows = (struct append_rows){.rows = malloc(most * sizeof *rows->rows)};
    if (rows->rows == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct store_item *item = &items[i];
        item->saved = item->duplicate = 0;
        for (size_t n = 0; n < item->batch->event_count; n++) {
            struct batch_event *event = &item->batch->events[n];
            event->seq = 0;
            item->saved++;
            if (append_is_known(store, item, event)) {
                item->duplicate++;
                continue;
            }
            rows->rows[rows->count] = (struct append_row){event, item, rows->count};
            rows->count++;
            rows->plain += !event->given;
            rows->unmarked = rows->unmarked || (!event->given && item->batch->marks.count == 0);
        }
    }
    if (rows->plain < rows->count)
        qsort(rows->rows, rows->count, sizeof *rows->rows, append_compare);
    return 0;
}

static void append_put_ids(struct pg_params *params, const struct append_row *rows, size_t count)
{
    struct bytes spelt = {NULL, 0, 0};
    pg_texts_begin(params);
    for (size_t i = 0; i < count; i++) {
        const struct batch_event *event = rows[i].event;
        if (postgres_id_is_plain(event->id, event->id_len)) {
            pg_texts_add(params, event->id, event->id_len);
            continue;
        }
        spelt.len = 0;
        if (postgres_id_spell(&spelt, event->id, event->id_len) != 0)
            params->failed = true;
        pg_texts_add(params, spelt.data, spelt.len);
    }
    pg_array_end(params);
    bytes_clear(&spelt);
}

static void append_put_rows(struct pg_params *params, const struct append_row *rows, size_t count)
{
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, (int64_t)rows[i].place);
    pg_array_end(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, rows[i].event->ts);
    pg_array_end(params);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, rows[i].item->batch->received_ms);
    pg_array_end(params);
    append_put_ids(params, rows, count);
    pg_texts_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_texts_add(params, rows[i].event->text, rows[i].event->text_len);
    pg_array_end(params);
}

static int append_send(struct postgres_store *store, const struct append_rows *rows,
                       struct error *err)
{
    struct pg_params *params = &store->params;
    pg_params_reset(params);
    pg_put_int(params, (int64_t)((rows->count + POSTGRES_BLOCK - 1) / POSTGRES_BLOCK));
    append_put_rows(params, rows->rows, rows->plain);
    append_put_rows(params, rows->rows + rows->plain, rows->count - rows->plain);
    pg_put_int(params, store->node.slot);
    pg_put_int(params, store->node.instance);
    pg_put_int(params, clock_wall_ms());
    return pg_send(&store->pg, SQL_APPEND, params, err);
}

enum { APPEND_BASE, APPEND_GIVEN = 2 };

static int64_t append_number(const PGresult *result, const struct append_row *row)
{
    return pg_int(result, 0, APPEND_BASE) + (int64_t)row->place;
}

static int append_compare_ints(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Given ids are handed out in the order in which they were stored; some were there before. */
static int append_take_given(const struct append_rows *rows, const PGresult *result)
{
    size_t count = pg_int_count(result, 0, APPEND_GIVEN);
    int64_t *stored = malloc((count + 1) * sizeof *stored);
    if (stored == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        stored[i] = pg_int_of(result, 0, APPEND_GIVEN, i);
    qsort(stored, count, sizeof *stored, append_compare_ints);
    for (size_t i = rows->plain; i < rows->count; i++) {
        int64_t seq = append_number(result, &rows->rows[i]);
        if (bsearch(&seq, stored, count, sizeof seq, append_compare_ints) != NULL)
            rows->rows[i].event->seq = seq;
        else
            rows->rows[i].item->duplicate++;
    }
    free(stored);
    return 0;
}

static int append_hear(struct postgres_store *store, const struct append_rows *rows,
                       struct error *err)
{
    PGresult *result;
    int status = pg_line_result(&store->pg, &result, err);
    if (status != STORE_OK)
        return status;
    if (append_take_given(rows, result) != 0)
        status = postgres_no_memory(err);
    for (size_t i = 0; i < rows->plain && status == STORE_OK; i++)
        rows->rows[i].event->seq = append_number(result, &rows->rows[i]);
    PQclear(result);
    return status;
}

/* Numbers of what was rolled back are nobody's. */
static void append_forget(const struct append_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        rows->rows[i].event->seq = 0;
}

int postgres_insert(struct postgres_store *store, struct store_item *items, size_t count,
                    struct error *err)
{
    struct append_rows rows;
    int status = STORE_OK;
    if (append_gather(store, &rows, items, count) != 0)
        return postgres_no_memory(err);
    if (rows.count > 0) {
        status = pg_line_begin(&store->pg, err);
        if (status == STORE_OK)
            status = append_send(store, &rows, err);
        if (status == STORE_OK)
            status = pg_line_sync(&store->pg, err);
        if (status == STORE_OK)
            status = append_hear(store, &rows, err);
        pg_line_end(&store->pg);
    }
    if (status != STORE_OK)
        append_forget(&rows);
    free(rows.rows);
    return status;
}

/* All that is to be stored; *others: statements beside that of the events. */
static int append_send_all(struct postgres_store *store, const struct append_rows *rows,
                           const struct store_item *items, size_t count,
                           const struct store_receipts *receipts, int *others, struct error *err)
{
    int status = pg_line_begin(&store->pg, err);
    if (status == STORE_OK && store->claim != POSTGRES_CLAIMED)
        status = pg_send(&store->pg, SQL_BEGIN, NULL, err);
    if (status == STORE_OK && rows->count > 0)
        status = append_send(store, rows, err);
    if (status == STORE_OK)
        status = postgres_send_receipts(store, receipts, others, err);
    return status == STORE_OK ? postgres_send_rejects(store, items, count, others, err) : status;
}

static int append_send_commit(struct postgres_store *store, struct error *err)
{
    int status = pg_send(&store->pg, SQL_COMMIT, NULL, err);
    if (status == STORE_OK)
        status = postgres_follow_send(store, err);
    return status == STORE_OK ? pg_line_sync(&store->pg, err) : status;
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

static int append_hear_all(struct postgres_store *store, const struct append_rows *rows, int others,
                           struct error *err)
{
    int status = STORE_OK;
    if (store->claim != POSTGRES_CLAIMED)
        status = pg_line_result(&store->pg, NULL, err);
    if (status == STORE_OK && rows->count > 0)
        status = append_hear(store, rows, err);
    while (status == STORE_OK && others-- > 0)
        status = pg_line_result(&store->pg, NULL, err);
    if (status == STORE_OK)
        status = append_hear_commit(store, err);
    if (status == STORE_OK)
        postgres_follow_hear(store);
    return status;
}

static int append_commit(struct postgres_store *store, struct append_rows *rows,
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
    struct append_rows none = {.rows = NULL, .unmarked = item->batch->marks.count == 0};
    return append_commit(store, &none, item, 1, receipts, err);
}

int postgres_append(struct store *base, struct store_item *items, size_t count,
                    const struct store_receipts *receipts, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct append_rows rows;
    int status = postgres_append_begin(store, err);
    if (append_gather(store, &rows, items, count) != 0)
        status = postgres_no_memory(err);
    if (status == STORE_OK)
        postgres_days_ensure(store, items, count);
    if (status == STORE_OK && count == 0 && store->claim != POSTGRES_CLAIMED)
        status = postgres_recount(store, err);
    if (status == STORE_OK && rows.unmarked && store->claim != POSTGRES_CLAIMED)
        status = postgres_append_number(store, err);
    if (status == STORE_OK)
        status = append_commit(store, &rows, items, count, receipts, err);
    if (status != STORE_OK)
        append_forget(&rows);
    free(rows.rows);
    return postgres_append_end(store, status);
}
