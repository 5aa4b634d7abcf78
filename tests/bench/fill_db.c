/*
 * fill_db.c: makes a database of millions of events, as a daemon would have left it.
 *
 *   fill_db DATABASE EVENTS
 *
 * Goes through beacond's own store, so that schema, numbers and tallies are its own; without fsync,
 * receipts and network. Adds as many events as are missing to EVENTS: half of them spread evenly
 * over the last 30 days, half at 100,000 a second up to now, which is what ingest at its full rate
 * leaves behind. Writes one line: events in the database, and those added a second.
 */
#include <time.h>

#include "base/clock.h"
#include "contract/batch.h"
#include "stock.h"
#include "store/store.h"

#define FILL_BATCHES 400 /* a commit: 10,000 events */
#define FILL_DAYS_MS (INT64_C(30) * 24 * 3600 * 1000)
#define FILL_DENSE_MS 4 /* batches a millisecond */

struct fill_run {
    struct store *store;
    struct stock stock;
    struct uuid_source uuids;
    struct store_item items[FILL_BATCHES];
    size_t count;     /* of items */
    unsigned flushes; /* batches made */
};

static void fill_must(int status, const struct error *err)
{
    if (status != STORE_OK)
        stock_fail(err->text);
}

static int64_t fill_total(struct store *store)
{
    struct error err = {""};
    struct store_reader *reader;
    struct store_survey survey;
    fill_must(store_reader_open(store, &reader, &err), &err);
    fill_must(store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, &err), &err);
    store_reader_close(reader);
    return survey.total;
}

static void fill_commit(struct fill_run *run)
{
    static const struct store_receipts none;
    struct error err = {""};
    if (run->count == 0)
        return;
    fill_must(store_append(run->store, run->items, run->count, &none, &err), &err);
    (void)store_tend(run->store, false, clock_wall_ms());
    for (size_t i = 0; i < run->count; i++)
        batch_free(run->items[i].batch);
    run->count = 0;
}

/* Adds a batch whose last event is of that millisecond. */
static void fill_add(struct fill_run *run, int64_t at_ms)
{
    static const struct batch_limits limits = {.event_bytes = 1 << 20, .depth = 512};
    struct store_item *item = &run->items[run->count++];
    *item = (struct store_item){0};
    stock_stamp(&run->stock, (unsigned)run->uuids.state[0], run->flushes++, at_ms);
    if (batch_read(run->stock.body.data, run->stock.body.len, &limits, &run->uuids, NULL, at_ms,
                   &item->batch, NULL) != BATCH_OK)
        stock_fail("batch_read refuses the body");
    if (run->count == FILL_BATCHES)
        fill_commit(run);
}

static void fill_with(struct fill_run *run, int64_t events)
{
    int64_t batches = (events + STOCK_EVENTS - 1) / STOCK_EVENTS;
    int64_t sparse = batches / 2, dense = batches - sparse;
    int64_t now = clock_wall_ms(), border = now - dense / FILL_DENSE_MS;
    for (int64_t i = 0; i < sparse; i++)
        fill_add(run, border - FILL_DAYS_MS + FILL_DAYS_MS / sparse * i);
    for (int64_t i = 0; i < dense; i++)
        fill_add(run, border + i / FILL_DENSE_MS);
    fill_commit(run);
}

int main(int argc, char **argv)
{
    static struct fill_run run;
    struct error err = {""};
    if (argc != 3) {
        fprintf(stderr, "usage: fill_db DATABASE EVENTS\n");
        return 2;
    }
    const struct store_options options = {.database = argv[1],
                                          .synchronous = STORE_SYNC_OFF,
                                          .max_rejects = 1000,
                                          .max_rejects_bytes = 1 << 20};
    fill_must(store_open(&run.store, &options, &err), &err);
    stock_init(&run.stock);
    uuid_source_init(&run.uuids);
    int64_t before = fill_total(run.store), missing = atoll(argv[2]) - before;
    int64_t began = clock_mono_ms();
    if (missing > 0)
        fill_with(&run, missing);
    int64_t total = fill_total(run.store), spent = clock_mono_ms() - began;
    store_close(run.store);
    printf("events=%lld rate=%.0f\n", (long long)total,
           (double)(total - before) * 1e3 / (double)(spent > 0 ? spent : 1));
    bytes_clear(&run.stock.body);
    return EXIT_SUCCESS;
}
