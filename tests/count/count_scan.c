/*
 * count_scan.c: the scanner over all recorded events, in bodies of 25.
 */
#include "base/bytes.h"
#include "contract/scan.h"
#include "count.h"

#define SCAN_BODY 25
#define SCAN_BODIES 10
#define SCAN_TIMES 4

static struct bytes scan_bodies[SCAN_BODIES];
static size_t scan_events;

static int scan_on_event(void *arg, const struct scan_event *event)
{
    *(size_t *)arg += event->raw.len > 0;
    return 0;
}

static void scan_on_restart(void *arg)
{
    (void)arg;
}

void count_subject(void)
{
    const struct scan_sink sink = {scan_on_event, scan_on_restart, &scan_events, NULL};
    for (int i = 0; i < SCAN_TIMES * SCAN_BODIES; i++) {
        const struct bytes *body = &scan_bodies[i % SCAN_BODIES];
        count_must(scan_batch(body->data, body->len, 512, &sink, NULL) == SCAN_OK,
                   "the scanner refuses a body");
    }
}

static void scan_read(FILE *file, struct bytes *body)
{
    char *line = NULL;
    size_t size = 0;
    bytes_init(body);
    int failed = bytes_append_text(body, "{\"type\":\"ingest\",\"events\":[");
    for (int i = 0; i < SCAN_BODY; i++) {
        ssize_t len = getline(&line, &size, file);
        count_must(len > 1, "too few events");
        failed |= bytes_append_text(body, i > 0 ? "," : "");
        failed |= bytes_append(body, line, (size_t)len - 1);
    }
    failed |= bytes_append_text(body, "]}");
    count_must(!failed, "out of memory");
    free(line);
}

int main(void)
{
    const char *dir = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/stock-client/events.ndjson", dir ? dir : ".");
    FILE *file = fopen(path, "r");
    count_must(file != NULL, "events.ndjson is not there: set srcdir to the source tree");
    for (int i = 0; i < SCAN_BODIES; i++)
        scan_read(file, &scan_bodies[i]);
    fclose(file);
    count_run();
    for (int i = 0; i < SCAN_BODIES; i++)
        bytes_clear(&scan_bodies[i]);
    count_must(scan_events == SCAN_TIMES * SCAN_BODIES * SCAN_BODY, "events are missing");
    return count_done();
}
