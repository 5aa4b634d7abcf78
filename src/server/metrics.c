#include "server/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "contract/exposition.h"
#include "engine/expose.h"
#include "server/probe.h"

/* --- sums over the loops ---------------------------------------------------------------------- */

/* The sum of a counter of all loops; it is named by its place in that of the first. */
static uint64_t metrics_sum(const struct shared *shared, const struct counter *first)
{
    size_t at = (size_t)((const char *)first - (const char *)&shared->loops[0].counters);
    uint64_t sum = 0;
    for (size_t i = 0; i < shared->loop_count; i++)
        sum +=
            counter_read((const struct counter *)((const char *)&shared->loops[i].counters + at));
    return sum;
}

static double metrics_now(const struct shared *shared, const struct gauge *first)
{
    size_t at = (size_t)((const char *)first - (const char *)&shared->loops[0].counters);
    int64_t sum = 0;
    for (size_t i = 0; i < shared->loop_count; i++)
        sum += gauge_read((const struct gauge *)((const char *)&shared->loops[i].counters + at));
    return (double)sum;
}

/* A family with one label, which has a value for each of the counters. */
static void metrics_each(const struct shared *shared, struct exposition *exposition,
                         const char *name, const char *help, const char *label,
                         const char *const *values, const struct counter *first, size_t count)
{
    exposition_family(exposition, name, EXPOSITION_COUNTER, help);
    for (size_t i = 0; i < count; i++) {
        const struct exposition_label labels[] = {{label, values[i]}, {NULL, NULL}};
        if (values[i] != NULL)
            exposition_count(exposition, labels, metrics_sum(shared, &first[i]));
    }
}

/* --- the families ----------------------------------------------------------------------------- */

/* Bytes; 0 where it can't be told. The second number of statm is in pages. */
static double metrics_resident(void)
{
    char text[128] = "";
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return 0;
    const char *line = fgets(text, sizeof text, statm), *second = NULL;
    (void)fclose(statm);
    if (line != NULL)
        second = strchr(line, ' ');
    return second == NULL ? 0 : strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE);
}

static void metrics_process(const struct loop *loop, struct exposition *exposition)
{
    const struct exposition_label version[] = {{"version", loop->options->version}, {NULL, NULL}};
    struct rusage usage;
    exposition_family(exposition, "beacond_build_info", EXPOSITION_GAUGE,
                      "Always 1; the version is a label.");
    exposition_number(exposition, version, 1);
    exposition_gauge(exposition, "process_start_time_seconds", "When the daemon began to serve.",
                     (double)loop->shared->started_ms / 1000);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        int64_t us = (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        exposition_family(exposition, "process_cpu_seconds_total", EXPOSITION_COUNTER,
                          "Processor time, user and system.");
        exposition_number(exposition, NULL, (double)us / 1e6);
    }
    exposition_gauge(exposition, "process_resident_memory_bytes", "Resident memory.",
                     metrics_resident());
}

static void metrics_state(const struct loop *loop, struct exposition *exposition)
{
    static const char *const names[] = {"error", "warn"};
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN};
    exposition_gauge(exposition, "beacond_ready", "1 while /readyz says 200, else 0.",
                     probe_unready(loop) == NULL);
    exposition_gauge(exposition, "beacond_draining", "1 from the order to stop on, else 0.",
                     loop->draining);
    exposition_family(exposition, "beacond_log_lines_total", EXPOSITION_COUNTER,
                      "Lines logged, by level.");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct exposition_label labels[] = {{"level", names[i]}, {NULL, NULL}};
        exposition_count(exposition, labels, log_count(levels[i]));
    }
}

/* A series that was never counted is left out, but for what each route answers as a rule and for
 * what alerts are made of: a rate needs a first value that is 0. */
static bool metrics_always(enum route_action action, const char *status)
{
    static const char *const usual[ROUTE_ACTIONS] = {
        [ROUTE_REFUSED] = "404", [ROUTE_UPGRADE] = "101", [ROUTE_OPTIONS] = "204"};
    if (strcmp(status, usual[action] != NULL ? usual[action] : "200") == 0)
        return true;
    return strcmp(status, "503") == 0 || (action == ROUTE_INGEST && strcmp(status, "429") == 0) ||
           (action == ROUTE_READ && strcmp(status, "304") == 0);
}

static void metrics_requests(const struct shared *shared, struct exposition *exposition)
{
    const struct counters *first = &shared->loops[0].counters;
    exposition_family(exposition, "beacond_http_requests_total", EXPOSITION_COUNTER,
                      "Requests answered, by route and status.");
    for (int action = 0; action < ROUTE_ACTIONS; action++) {
        for (size_t n = 0; counters_status(n) != NULL; n++) {
            uint64_t count = metrics_sum(shared, &first->requests[action][n]);
            const struct exposition_label labels[] = {
                {"route", route_name((enum route_action)action)},
                {"status", counters_status(n)},
                {NULL, NULL}};
            if (count > 0 || metrics_always((enum route_action)action, counters_status(n)))
                exposition_count(exposition, labels, count);
        }
    }
    exposition_family(exposition, "beacond_http_request_duration_seconds", EXPOSITION_HISTOGRAM,
                      "From a request that has come in whole to the head of its answer.");
    for (int i = 0; i < COUNTERS_TIMED; i++) {
        struct histogram_figures figures = {0};
        const struct exposition_label labels[] = {
            {"route", route_name(i == COUNTERS_READ ? ROUTE_READ : ROUTE_INGEST)}, {NULL, NULL}};
        for (size_t n = 0; n < shared->loop_count; n++)
            histogram_collect(&shared->loops[n].counters.request_ms[i], &figures);
        exposition_histogram(exposition, labels, &counters_seconds, &figures);
    }
}

static void metrics_ingest(const struct shared *shared, struct exposition *exposition)
{
    static const char *const ways[COUNTERS_WAYS] = {
        [COUNTERS_HTTP] = "http", [COUNTERS_LINES] = "lines", [COUNTERS_WEBSOCKET] = "websocket"};
    static const char *const holders[COUNTERS_WAYS] = {
        [COUNTERS_HTTP] = "http", [COUNTERS_WEBSOCKET] = "websocket"};
    const struct counters *first = &shared->loops[0].counters;
    metrics_each(shared, exposition, "beacond_ingest_batches_total",
                 "Batches read, by the way they came.", "way", ways, first->batches, COUNTERS_WAYS);
    metrics_each(shared, exposition, "beacond_ingest_events_total",
                 "Events in them, those included that were skipped or rejected.", "way", ways,
                 first->events, COUNTERS_WAYS);
    metrics_each(shared, exposition, "beacond_ingest_bytes_total",
                 "Bytes of their text, once inflated.", "way", ways, first->bytes, COUNTERS_WAYS);
    metrics_each(shared, exposition, "beacond_ingest_held_total",
                 "Requests and messages that had to wait for room in the queue, or for the limit "
                 "of their address.",
                 "way", holders, first->held, COUNTERS_WAYS);
}

static void metrics_reads(const struct loop *loop, struct exposition *exposition)
{
    static const char *const sources[READING_SOURCES] = {[READING_FROM_CACHE] = "cache",
                                                         [READING_FROM_BOTH] = "both",
                                                         [READING_FROM_STORE] = "database"};
    const struct shared *shared = loop->shared;
    metrics_each(shared, exposition, "beacond_reads_total",
                 "Answers with events made to their end, by where the events came from.", "source",
                 sources, shared->loops[0].counters.reads, READING_SOURCES);
    exposition_gauge(exposition, "beacond_reads_under_way", "Answers to reads under way.",
                     (double)atomic_load(&shared->reads));
    exposition_gauge(exposition, "beacond_reads_limit", "The option max-reads.",
                     (double)loop->options->max_reads);
}

static void metrics_connections(const struct loop *loop, struct exposition *exposition)
{
    const struct shared *shared = loop->shared;
    const struct counters *first = &shared->loops[0].counters;
    exposition_gauge(exposition, "beacond_connections", "Connections open, of every kind.",
                     (double)atomic_load(&shared->connections));
    exposition_gauge(exposition, "beacond_connections_limit",
                     "The option max-connections, as far as there are descriptors.",
                     (double)loop->options->max_connections);
    exposition_counter(exposition, "beacond_connections_accepted_total", "Connections accepted.",
                       metrics_sum(shared, &first->accepted));
    exposition_counter(exposition, "beacond_accept_failures_total",
                       "Times no connection could be accepted, mostly for want of descriptors.",
                       metrics_sum(shared, &first->accept_failures));
    exposition_gauge(exposition, "beacond_receiving_bytes",
                     "Bytes of requests that are coming in and have not been read yet.",
                     (double)atomic_load(&shared->receiving));
    exposition_gauge(exposition, "beacond_receiving_limit_bytes", "The option max-receiving.",
                     (double)loop->options->max_receiving);
    exposition_gauge(exposition, "beacond_websockets", "WebSockets open.",
                     metrics_now(shared, &first->websockets));
    exposition_counter(exposition, "beacond_websockets_opened_total", "WebSockets opened.",
                       metrics_sum(shared, &first->websockets_opened));
    exposition_counter(exposition, "beacond_websocket_messages_total",
                       "Messages of WebSockets read.", metrics_sum(shared, &first->messages));
    exposition_gauge(exposition, "beacond_feeds", "Streams of Server-Sent Events open.",
                     metrics_now(shared, &first->feeds));
    exposition_counter(exposition, "beacond_pushes_total", "Push messages to WebSockets.",
                       metrics_sum(shared, &first->pushes));
    exposition_counter(exposition, "beacond_pushes_lost_total",
                       "Times a WebSocket was told that it could not keep up with its pushes.",
                       metrics_sum(shared, &first->pushes_lost));
}

void metrics_begin(struct exchange *exchange)
{
    static const struct exchange_extra extra = {.type = EXPOSITION_TYPE};
    const struct loop *loop = exchange->loop;
    struct exposition exposition;
    struct bytes body;
    bytes_init(&body);
    exposition_init(&exposition, &body);
    metrics_process(loop, &exposition);
    metrics_state(loop, &exposition);
    metrics_requests(loop->shared, &exposition);
    metrics_ingest(loop->shared, &exposition);
    metrics_reads(loop, &exposition);
    metrics_connections(loop, &exposition);
    engine_expose(loop->engine, &exposition);
    if (!exposition.failed) {
        exchange_reply(exchange, 200, &body, &extra);
        return;
    }
    bytes_clear(&body);
    exchange_error(exchange, 503, "out of memory", NULL);
}
