#include "commands/import_sink.h"

#include <poll.h>
#include <stdio.h>

/* Chunks that the daemon may have to itself: one that it reads, one that is on its way. */
#define IMPORT_SINK_AHEAD 2
#define IMPORT_SINK_LOOK_MS 100

static const char import_sink_gone[] =
    "the daemon has gone; run it again, what is stored will be skipped";

/* ---- the daemon ---- */

static int import_sink_send(struct import_sink *sink, json_t *message, const void *bytes,
                            size_t len, struct error *err)
{
    int status = message == NULL ? -1 : link_send(&sink->work->link, message, bytes, len);
    json_decref(message);
    if (status == 0)
        return STORE_OK;
    error_set(err, "%s", import_sink_gone);
    return STORE_BUSY;
}

static int import_sink_send_end(struct import_sink *sink, struct error *err)
{
    return import_sink_send(sink, json_pack("{sb}", "end", 1), NULL, 0, err);
}

/* Waits until a message is there. Once progress asks to stop, what was sent is the last. */
static int import_sink_look(struct import_sink *sink, struct error *err)
{
    struct link *link = &sink->work->link;
    struct pollfd ready = {.fd = link->fd, .events = POLLIN};
    int status = STORE_OK;
    while (status == STORE_OK && link->in.len == 0 && poll(&ready, 1, IMPORT_SINK_LOOK_MS) <= 0) {
        if (sink->ended || progress_step(sink->progress, NULL, 0, 0) == 0)
            continue;
        status = import_sink_send_end(sink, err);
        link_end(link);
        sink->ended = true;
    }
    return status;
}

static void import_sink_hear_faults(struct import_sink *sink, const json_t *message)
{
    struct lines_fault faults[LINES_FAULTS_KEPT];
    const json_t *list = json_object_get(message, "faults");
    size_t count = json_array_size(list);
    if (count > LINES_FAULTS_KEPT)
        count = LINES_FAULTS_KEPT;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, i);
        const char *why = json_string_value(json_array_get(pair, 1));
        faults[i].line = json_integer_value(json_array_get(pair, 0));
        snprintf(faults[i].why, sizeof faults[i].why, "%s", why != NULL ? why : "?");
    }
    sink->fault(sink->fault_arg, json_integer_value(json_object_get(message, "malformed")), faults,
                count);
}

static void import_sink_hear_counts(struct import_sink *sink, const json_t *message)
{
    const json_t *counts = json_object_get(message, "counts");
    const char *lost = json_string_value(json_object_get(message, "lost"));
    sink->counts = (struct importer_counts){
        .lines = json_integer_value(json_object_get(counts, "lines")),
        .stored = json_integer_value(json_object_get(counts, "stored")),
        .duplicate = json_integer_value(json_object_get(counts, "duplicate")),
        .malformed = json_integer_value(json_object_get(counts, "malformed")),
        .skipped = json_integer_value(json_object_get(counts, "skipped")),
        .refused = json_integer_value(json_object_get(counts, "refused")),
    };
    error_set(&sink->lost, "%s", lost != NULL ? lost : "");
    sink->counted = true;
}

/* Takes one message of the daemon. */
static int import_sink_hear(struct import_sink *sink, struct error *err)
{
    json_t *message = NULL;
    int status = import_sink_look(sink, err);
    if (status != STORE_OK)
        return status;
    if (link_receive(&sink->work->link, &message, NULL, err) != 0) {
        error_set(err, "%s", import_sink_gone);
        return STORE_BUSY;
    }
    const char *step = json_string_value(json_object_get(message, "step"));
    const char *error = json_string_value(json_object_get(message, "error"));
    if (step != NULL) {
        (void)progress_step(sink->progress, step, 0, 0); /* look asks whether to stop */
    } else if (json_object_get(message, "taken") != NULL) {
        sink->ahead--;
        import_sink_hear_faults(sink, message);
    } else if (json_object_get(message, "counts") != NULL) {
        import_sink_hear_counts(sink, message);
    } else if (json_object_get(message, "ready") != NULL) {
        sink->line_bytes = (size_t)json_integer_value(json_object_get(message, "max_event"));
    } else {
        error_set(err, "%s",
                  error != NULL ? error
                                : "the daemon is ending; run it again, what is "
                                  "stored will be skipped");
        status = STORE_BUSY;
    }
    json_decref(message);
    return status;
}

static int import_sink_open_there(struct import_sink *sink, struct error *err)
{
    int status = import_sink_send(sink, json_pack("{ss}", "job", "import"), NULL, 0, err);
    while (status == STORE_OK && sink->line_bytes == 0)
        status = import_sink_hear(sink, err);
    if (sink->line_bytes > LINK_BYTES_MOST / 2)
        sink->line_bytes = LINK_BYTES_MOST / 2;
    return status;
}

static int import_sink_take_there(struct import_sink *sink, const struct lines_chunk *chunk,
                                  struct error *err)
{
    int status = STORE_OK;
    while (status == STORE_OK && sink->ahead >= IMPORT_SINK_AHEAD)
        status = import_sink_hear(sink, err);
    if (status != STORE_OK || sink->ended)
        return status;
    sink->ahead++;
    return import_sink_send(
        sink,
        json_pack("{sIsI}", "first", (json_int_t)chunk->first, "step", (json_int_t)chunk->step),
        chunk->text, chunk->len, err);
}

static int import_sink_end_there(struct import_sink *sink, struct error *err)
{
    int status = sink->ended ? STORE_OK : import_sink_send_end(sink, err);
    while (status == STORE_OK && !sink->counted)
        status = import_sink_hear(sink, err);
    sink->counted = false;
    if (status != STORE_OK || sink->lost.text[0] == '\0')
        return status;
    *err = sink->lost;
    return STORE_BUSY;
}

/* ---- either ---- */

int import_sink_open(struct import_sink *sink, struct error *err)
{
    const struct options *options = sink->work->options;
    struct batch_limits limits = {.event_bytes = (size_t)options->max_event,
                                  .depth = (unsigned)options->max_depth};
    if (sink->work->engine == NULL)
        return import_sink_open_there(sink, err);
    sink->line_bytes = limits.event_bytes;
    return importer_open(&sink->importer, sink->work->engine, &limits, sink->progress, err);
}

void import_sink_close(struct import_sink *sink)
{
    importer_close(sink->importer);
    sink->importer = NULL;
}

int import_sink_take(struct import_sink *sink, const struct lines_chunk *chunk, struct error *err)
{
    struct lines_report report;
    if (sink->importer == NULL)
        return import_sink_take_there(sink, chunk, err);
    int status = importer_take(sink->importer, chunk, &report, err);
    if (status == STORE_OK)
        sink->fault(sink->fault_arg, report.malformed, report.faults, report.fault_count);
    return status;
}

int import_sink_end_file(struct import_sink *sink, struct importer_counts *counts,
                         struct error *err)
{
    if (sink->importer != NULL)
        return importer_end_file(sink->importer, counts, err);
    sink->counts = (struct importer_counts){0};
    int status = import_sink_end_there(sink, err);
    *counts = sink->counts;
    return status;
}
