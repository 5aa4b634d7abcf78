/* Events become rows. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_id.h"
#include "store/postgres/postgres_rows.h"
#include "store/postgres/postgres_store_parts.h"

/* Of texts and ids in one statement, unless a single event has more, and of events: the server
 * holds several copies, and ends a statement that takes long (@claim_patience). */
#define ROWS_PART_BYTES ((size_t)8 << 20)
#define ROWS_PART_EVENTS 50000

void postgres_rows_clear(struct postgres_rows *rows)
{
    free(rows->rows);
    free(rows->parts);
}

static bool rows_is_known(const struct postgres_store *store, const struct store_item *item,
                          const struct batch_event *event)
{
    return (item->known > 0 && event->position <= item->known) ||
           postgres_is_repeat(store, item->batch, event);
}

/* Whoever inserts given ids does it in this order: two that wait for each other's would never end.
 */
static int rows_compare(const void *a, const void *b)
{
    const struct postgres_row *x = a, *y = b;
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

/* The part that begins with that row. */
static struct postgres_part rows_part_from(const struct postgres_rows *rows, size_t from)
{
    struct postgres_part part = {.rows = &rows->rows[from]};
    size_t bytes = 0;
    while (from + part.count < rows->count && bytes < ROWS_PART_BYTES &&
           part.count < ROWS_PART_EVENTS) {
        struct postgres_row *row = &part.rows[part.count];
        bytes += row->event->text_len + row->event->id_len;
        part.plain += !row->event->given;
        row->place = part.count++;
    }
    if (part.plain < part.count)
        qsort(part.rows, part.count, sizeof *part.rows, rows_compare);
    return part;
}

static int rows_cut(struct postgres_rows *rows)
{
    for (size_t from = 0; from < rows->count; from += rows->parts[rows->part_count++].count) {
        struct postgres_part *parts =
            realloc(rows->parts, (rows->part_count + 1) * sizeof *rows->parts);
        if (parts == NULL)
            return -1;
        rows->parts = parts;
        parts[rows->part_count] = rows_part_from(rows, from);
    }
    return 0;
}

static void rows_gather_item(const struct postgres_store *store, struct postgres_rows *rows,
                             struct store_item *item)
{
    item->saved = item->duplicate = 0;
    for (size_t n = 0; n < item->batch->event_count; n++) {
        struct batch_event *event = &item->batch->events[n];
        event->seq = 0;
        item->saved++;
        if (rows_is_known(store, item, event)) {
            item->duplicate++;
            continue;
        }
        rows->rows[rows->count++] = (struct postgres_row){event, item, 0};
        rows->unmarked = rows->unmarked || (!event->given && item->batch->marks.count == 0);
    }
}

int postgres_rows_gather(const struct postgres_store *store, struct postgres_rows *rows,
                         struct store_item *items, size_t count)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += items[i].batch->event_count;
    *rows = (struct postgres_rows){.rows = malloc(most * sizeof *rows->rows)};
    if (rows->rows == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        rows_gather_item(store, rows, &items[i]);
    return rows_cut(rows);
}

static void rows_put_ids(struct pg_params *params, const struct postgres_row *rows, size_t count)
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

static void rows_put_times(struct pg_params *params, const struct postgres_row *rows, size_t count)
{
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, rows[i].event->ts);
    pg_array_end(params);
}

static void rows_put_rows(struct pg_params *params, const struct postgres_row *rows, size_t count)
{
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, (int64_t)rows[i].place);
    pg_array_end(params);
    rows_put_times(params, rows, count);
    pg_ints_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_ints_add(params, rows[i].item->batch->received_ms);
    pg_array_end(params);
    rows_put_ids(params, rows, count);
    pg_texts_begin(params);
    for (size_t i = 0; i < count; i++)
        pg_texts_add(params, rows[i].event->text, rows[i].event->text_len);
    pg_array_end(params);
}

static int rows_send_part(struct postgres_store *store, const struct postgres_part *part,
                          struct error *err)
{
    struct pg_params *params = &store->params;
    pg_params_reset(params);
    pg_put_int(params, (int64_t)((part->count + POSTGRES_BLOCK - 1) / POSTGRES_BLOCK));
    rows_put_rows(params, part->rows, part->plain);
    rows_put_rows(params, part->rows + part->plain, part->count - part->plain);
    pg_put_int(params, store->node.slot);
    pg_put_int(params, store->node.instance);
    pg_put_int(params, store->at_ms > 0 ? store->at_ms : clock_wall_ms());
    int status = pg_send(&store->pg, SQL_APPEND, params, err);
    if (status != STORE_OK || part->count == part->plain)
        return status;
    pg_params_reset(params);
    rows_put_times(params, part->rows + part->plain, part->count - part->plain);
    rows_put_ids(params, part->rows + part->plain, part->count - part->plain);
    return pg_send(&store->pg, SQL_INSIST_GIVEN, params, err);
}

int postgres_rows_send(struct postgres_store *store, const struct postgres_rows *rows,
                       struct error *err)
{
    int status = STORE_OK;
    /* A large batch must not be one that is never stored, which all others would wait behind. */
    if (store->until_ms != 0)
        store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS * (int64_t)(rows->part_count + 1);
    for (size_t i = 0; i < rows->part_count && status == STORE_OK; i++)
        status = rows_send_part(store, &rows->parts[i], err);
    return status;
}

enum { ROWS_BASE, ROWS_GIVEN = 2 };

static int64_t rows_number(const PGresult *result, const struct postgres_row *row)
{
    return pg_int(result, 0, ROWS_BASE) + (int64_t)row->place;
}

/* Whether that number is among those of given ids that were stored, which ascend. */
static bool rows_stored(const PGresult *result, int64_t seq)
{
    size_t low = 0, high = pg_int_count(result, 0, ROWS_GIVEN);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t stored = pg_int_of(result, 0, ROWS_GIVEN, middle);
        if (stored == seq)
            return true;
        if (stored < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void rows_take_given(const struct postgres_row *row, const PGresult *result)
{
    int64_t seq = rows_number(result, row);
    if (rows_stored(result, seq))
        row->event->seq = seq;
    else
        row->item->duplicate++;
}

static int rows_hear_part(struct postgres_store *store, const struct postgres_part *part,
                          struct error *err)
{
    PGresult *result;
    int status = pg_line_result(&store->pg, &result, err);
    if (status != STORE_OK)
        return status;
    for (size_t i = 0; i < part->plain; i++)
        part->rows[i].event->seq = rows_number(result, &part->rows[i]);
    for (size_t i = part->plain; i < part->count; i++)
        rows_take_given(&part->rows[i], result);
    PQclear(result);
    return part->count > part->plain ? pg_line_result(&store->pg, NULL, err) : STORE_OK;
}

int postgres_rows_hear(struct postgres_store *store, const struct postgres_rows *rows,
                       struct error *err)
{
    int status = STORE_OK;
    for (size_t i = 0; i < rows->part_count && status == STORE_OK; i++)
        status = rows_hear_part(store, &rows->parts[i], err);
    return status;
}

void postgres_rows_forget(const struct postgres_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        rows->rows[i].event->seq = 0;
}
