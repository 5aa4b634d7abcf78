/*
 * copy_bench.c: how many rows a second PostgreSQL alone takes, as the measure of ingest into it.
 *
 *   copy_bench URI SECONDS BATCHES
 *
 * An empty database with beacond's schema, today's partition and its indexes, the rows that beacond
 * makes of the bodies of stock.h, so many batches of 25 a commit, by one binary COPY each; no
 * tallies, no receipts, no network but the server's. Only the time between BEGIN and the answer to
 * COMMIT counts. Writes one line: rows a second, and what a commit took at its median and at 99 of
 * 100, in ms.
 */
#include <time.h>

#include "base/clock.h"
#include "contract/batch.h"
#include "stock.h"
#include "store/postgres/pg_copy.h"

#define COPY_TIMES 1000000

static void copy_must(int status, const struct error *err)
{
    if (status == STORE_OK)
        return;
    fprintf(stderr, "copy_bench: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static void copy_script(struct pg *pg, const char *sql)
{
    struct error err = {""};
    copy_must(pg_script(pg, sql, &err), &err);
}

static void copy_open(struct pg *pg, const char *uri)
{
    struct error err = {""};
    char today[80];
    pg_init(pg, uri, false);
    copy_must(pg_connect(pg, &err), &err);
    copy_script(pg, sql_migrations[0]);
    (void)snprintf(today, sizeof today, "SELECT beacond.make_day(%lld)",
                   (long long)(clock_wall_ms() / 86400000));
    copy_script(pg, today);
}

static void copy_put(struct pg_copy *rows, const struct batch *batch)
{
    static int64_t seq;
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        pg_copy_row(rows, 6);
        pg_copy_int(rows, ++seq);
        pg_copy_int(rows, event->ts);
        pg_copy_int(rows, batch->received_ms);
        pg_copy_bool(rows, event->given);
        pg_copy_bytes(rows, event->id, event->id_len);
        pg_copy_bytes(rows, event->text, event->text_len);
    }
}

static void copy_make(struct stock *stock, struct uuid_source *uuids, struct pg_copy *rows)
{
    static const struct batch_limits limits = {.event_bytes = 1 << 20, .depth = 512};
    static unsigned flushes;
    struct batch *batch;
    int64_t now = clock_wall_ms();
    stock_stamp(stock, 0, flushes++, now);
    if (batch_read(stock->body.data, stock->body.len, &limits, uuids, NULL, now, &batch, NULL) !=
        BATCH_OK)
        stock_fail("batch_read refuses the body");
    copy_put(rows, batch);
    batch_free(batch);
}

static double copy_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int copy_compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

static void copy_report(double *seconds, size_t count, int batches)
{
    double spent = 0;
    for (size_t i = 0; i < count; i++)
        spent += seconds[i];
    qsort(seconds, count, sizeof *seconds, copy_compare);
    printf("rows=%.0f p50=%.4f p99=%.4f\n", (double)count * batches * STOCK_EVENTS / spent,
           seconds[count / 2] * 1e3, seconds[count * 99 / 100] * 1e3);
}

int main(int argc, char **argv)
{
    static double seconds[COPY_TIMES];
    struct stock stock;
    struct uuid_source uuids;
    struct pg_copy rows = {0};
    struct error err = {""};
    struct pg pg;
    size_t count = 0;
    int batches = argc == 4 ? atoi(argv[3]) : 0;
    if (batches < 1) {
        fprintf(stderr, "usage: copy_bench URI SECONDS BATCHES\n");
        return 2;
    }
    copy_open(&pg, argv[1]);
    stock_init(&stock);
    uuid_source_init(&uuids);
    double end = copy_now() + atof(argv[2]);
    do {
        for (int i = 0; i < batches; i++)
            copy_make(&stock, &uuids, &rows);
        double began = copy_now();
        copy_script(&pg, "BEGIN");
        copy_must(pg_copy_send(&pg, SQL_TAKE_EVENTS, &rows, &err), &err);
        copy_script(&pg, "COMMIT");
        seconds[count++] = copy_now() - began;
    } while (copy_now() < end && count < COPY_TIMES);
    copy_report(seconds, count, batches);
    pg_copy_clear(&rows);
    pg_close(&pg);
    bytes_clear(&stock.body);
    return EXIT_SUCCESS;
}
