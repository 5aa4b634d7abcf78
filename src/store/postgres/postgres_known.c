/* Which events of a batch are stored already (store_known). */

#include <string.h>

#include "store/postgres/postgres_id.h"
#include "store/postgres/postgres_reader_parts.h"

/* The bounds of the timestamps, the timestamps, the ids as they stand in their column. */
static int known_put(struct pg_params *params, const struct batch *batch)
{
    struct bytes spelt;
    int64_t low = INT64_MAX, high = INT64_MIN;
    int failed = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        int64_t ts = batch->events[i].ts;
        low = ts < low ? ts : low;
        high = ts > high ? ts : high;
    }
    pg_put_int(params, low);
    pg_put_int(params, high);
    pg_ints_begin(params);
    for (size_t i = 0; i < batch->event_count; i++)
        pg_ints_add(params, batch->events[i].ts);
    pg_array_end(params);
    pg_texts_begin(params);
    bytes_init(&spelt);
    for (size_t i = 0; i < batch->event_count && failed == 0; i++) {
        const struct batch_event *event = &batch->events[i];
        spelt.len = 0;
        failed = postgres_id_spell(&spelt, event->id, event->id_len);
        pg_texts_add(params, spelt.data, spelt.len);
    }
    pg_array_end(params);
    bytes_clear(&spelt);
    return failed;
}

int postgres_reader_known(struct store_reader *base, const struct batch *batch, bool *known,
                          struct error *err)
{
    struct postgres_reader *reader = postgres_reader_of(base);
    PGresult *result;
    if (batch->event_count == 0)
        return STORE_OK;
    memset(known, 0, batch->event_count * sizeof *known);
    if (known_put(&reader->params, batch) != 0) {
        pg_params_reset(&reader->params);
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    int status = postgres_reader_ask(reader, SQL_READ_KNOWN, &result, err);
    if (status != STORE_OK)
        return status;
    for (int i = 0; i < PQntuples(result); i++)
        known[pg_int(result, i, 0) - 1] = true;
    PQclear(result);
    return STORE_OK;
}
