#include "contract/batch.h"

#include <stdlib.h>

#include "contract/batch_build.h"

/* The scanner's sink: the walk stops when memory runs out, and for nothing else. */
static int batch_on_event(void *arg, const struct scan_event *event)
{
    return build_take(arg, event);
}

static void batch_on_restart(void *arg)
{
    build_restart(arg);
}

int batch_read_message(const char *text, size_t len, const struct batch_limits *limits,
                       struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
                       struct scan_envelope *envelope, struct batch **out, struct error *err)
{
    *out = NULL;
    if (envelope != NULL)
        *envelope = (struct scan_envelope){0};
    struct batch_builder b = {
        .text = text,
        .text_len = len,
        .limits = limits,
        .uuids = uuids,
        .secret = secret,
    };
    if (build_begin(&b, now_ms) != 0) {
        error_set(err, "out of memory");
        return BATCH_NO_MEMORY;
    }
    struct scan_sink sink = {batch_on_event, batch_on_restart, &b, envelope};
    switch (scan_batch(text, len, limits->depth, &sink, err)) {
    case SCAN_OK:
        *out = build_finish(&b);
        return BATCH_OK;
    case SCAN_NO_JSON:
        build_abandon(&b);
        return BATCH_NO_JSON;
    case SCAN_NO_EVENTS:
        build_abandon(&b);
        return BATCH_NO_EVENTS;
    default: /* SCAN_NO_MEMORY, or the sink had none */
        build_abandon(&b);
        error_set(err, "out of memory");
        return BATCH_NO_MEMORY;
    }
}

int batch_read(const char *text, size_t len, const struct batch_limits *limits,
               struct uuid_source *uuids, const unsigned char *secret, int64_t now_ms,
               struct batch **out, struct error *err)
{
    return batch_read_message(text, len, limits, uuids, secret, now_ms, NULL, out, err);
}

void batch_drop(struct batch *batch, const bool *drop)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->event_count; i++)
        if (!drop[i])
            batch->events[kept++] = batch->events[i];
    batch->event_count = kept;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->events);
    free(batch->rejects);
    free(batch->arena);
    marks_clear(&batch->marks);
    free(batch);
}

const char *batch_reason_text(enum batch_reason reason)
{
    switch (reason) {
    case BATCH_NOT_OBJECT:
        return "not an object";
    case BATCH_TOO_DEEP:
        return "nested too deep";
    case BATCH_BAD_UTF8:
        return "not UTF-8";
    case BATCH_TOO_LARGE:
        return "over the event limit";
    case BATCH_NO_TIMESTAMP:
        return "no timestamp";
    case BATCH_BAD_TIMESTAMP:
        return "unreadable timestamp";
    case BATCH_NOT_JSON:
        return "not JSON";
    }
    return "unknown";
}
