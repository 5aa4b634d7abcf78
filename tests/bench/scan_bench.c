/*
 * scan_bench.c: how fast bodies of the stock client are read, beside jansson, in one run.
 *
 * A body of 25 events of tests/data/stock-client/events.ndjson, over and over: it stays in the
 * processor's cache, as a body that was just received does. Prints MB/s (10^6 bytes) of each, the
 * best of some rounds, and its ratio to jansson's. An argument changes the seconds for each round.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "contract/batch.h"
#include "contract/scan.h"

#define BENCH_EVENTS 25
#define BENCH_ROUNDS 5

typedef void bench_fn(const struct bytes *body);

static void bench_fail(const char *what)
{
    fprintf(stderr, "scan_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static int bench_on_event(void *arg, const struct scan_event *event)
{
    size_t *count = arg;
    *count += event->raw.len > 0;
    return 0;
}

static void bench_on_restart(void *arg)
{
    (void)arg;
}

static void bench_scan(const struct bytes *body)
{
    size_t count = 0;
    struct scan_sink sink = {bench_on_event, bench_on_restart, &count, NULL};
    if (scan_batch(body->data, body->len, 512, &sink, NULL) != SCAN_OK || count != BENCH_EVENTS)
        bench_fail("the scanner refuses the body");
}

static void bench_batch(const struct bytes *body)
{
    static struct uuid_source uuids;
    static const struct batch_limits limits = {.event_bytes = 1 << 20, .depth = 512};
    if (uuids.state[0] == 0)
        uuid_source_init(&uuids);
    struct batch *batch;
    if (batch_read(body->data, body->len, &limits, &uuids, NULL, 0, &batch, NULL) != BATCH_OK ||
        batch->event_count != BENCH_EVENTS)
        bench_fail("batch_read refuses the body");
    batch_free(batch);
}

static void bench_jansson(const struct bytes *body)
{
    json_t *json = json_loadb(body->data, body->len, JSON_ALLOW_NUL, NULL);
    if (json == NULL)
        bench_fail("jansson refuses the body");
    json_decref(json);
}

static double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The best of the rounds: everything else that runs on the machine only makes it slower. */
static double bench_run(bench_fn *run, const struct bytes *body, double seconds)
{
    double best = 0;
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double start = bench_now(), elapsed;
        size_t times = 0;
        do {
            for (int i = 0; i < 10; i++)
                run(body);
            times += 10;
            elapsed = bench_now() - start;
        } while (elapsed < seconds);
        double rate = (double)times * (double)body->len / elapsed / 1e6;
        if (rate > best)
            best = rate;
    }
    return best;
}

static void bench_body(struct bytes *body)
{
    const char *dir = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/stock-client/events.ndjson", dir ? dir : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_fail("events.ndjson is not there: set srcdir to the source tree");
    char *line = NULL;
    size_t size = 0;
    int failed = bytes_append_text(body, "{\"type\":\"ingest\",\"events\":[");
    for (int i = 0; i < BENCH_EVENTS; i++) {
        ssize_t len = getline(&line, &size, file);
        if (len < 2)
            bench_fail("too few events");
        failed |= bytes_append_text(body, i > 0 ? "," : "");
        failed |= bytes_append(body, line, (size_t)len - 1);
    }
    failed |= bytes_append_text(body, "]}");
    free(line);
    fclose(file);
    if (failed)
        bench_fail("out of memory");
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    struct bytes body;
    bytes_init(&body);
    bench_body(&body);
    double jansson = bench_run(bench_jansson, &body, seconds);
    double scan = bench_run(bench_scan, &body, seconds);
    double batch = bench_run(bench_batch, &body, seconds);
    printf("%-12s %8.0f MB/s\n", "json_loadb", jansson);
    printf("%-12s %8.0f MB/s  %5.1f times\n", "scan_batch", scan, scan / jansson);
    printf("%-12s %8.0f MB/s  %5.1f times\n", "batch_read", batch, batch / jansson);
    bytes_clear(&body);
    return EXIT_SUCCESS;
}
