/* Rejects are read anew, or dropped: on the asking thread, but for the transactions. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/chores.h"
#include "engine/internal.h"
#include "engine/slices.h"

/* A slice ends after so many bytes of rejects. */
#define REJECTS_SLICE_BYTES (1 << 20)

struct rejects_run {
    struct engine *engine;
    struct store_reader *reader;
    const struct batch_limits *limits; /* NULL: they are dropped */
    struct uuid_source uuids;
    const int64_t *numbers; /* those still to be looked for */
    size_t left;
    bool all;
    int64_t began_ms; /* wall clock: what came later is left alone */
    int64_t after;    /* the number of the last one */
    struct store_retry retries[SLICES_EVENTS_QUIET];
    size_t count, most, bytes;
    bool starved;
    struct chores_rejects *out;
};

/* Whether it is one event, within the limits: then retry->batch holds it, else its reason says why
 * not. 0, or -1 when out of memory. */
static int rejects_read(struct rejects_run *run, struct store_retry *retry)
{
    static const char front[] = "{\"events\":[", back[] = "]}";
    struct scan_event one;
    struct bytes body;
    struct batch *batch = NULL;
    struct error why = {""};
    int status = scan_event(retry->text, retry->len, run->limits->depth, &one, &why);
    retry->reason = "not JSON";
    if (status != SCAN_OK)
        return status == SCAN_NO_MEMORY ? -1 : 0;
    bytes_init(&body);
    status = BATCH_NO_MEMORY;
    if (bytes_append_text(&body, front) == 0 && bytes_append(&body, retry->text, retry->len) == 0 &&
        bytes_append_text(&body, back) == 0)
        status = batch_read(body.data, body.len, run->limits, &run->uuids, NULL, retry->received,
                            &batch, &why);
    bytes_clear(&body);
    if (status == BATCH_OK && batch->event_count == 1) {
        retry->batch = batch;
        return 0;
    }
    if (status == BATCH_OK && batch->reject_kept > 0)
        retry->reason = batch_reason_text(batch->rejects[0].reason);
    batch_free(batch);
    return status == BATCH_NO_MEMORY ? -1 : 0;
}

static int rejects_row(void *arg, const struct store_reject *reject)
{
    struct rejects_run *run = arg;
    if (!run->all && (run->left == 0 || reject->n != *run->numbers))
        return -1;
    if (run->all && reject->received > run->began_ms)
        return -1;
    struct store_retry *retry = &run->retries[run->count];
    char *text = run->limits != NULL ? malloc(reject->len + 1) : NULL;
    *retry = (struct store_retry){.n = reject->n, .received = reject->received};
    run->starved = run->limits != NULL && text == NULL;
    if (run->starved)
        return -1;
    if (text != NULL) {
        memcpy(text, reject->text, reject->len);
        retry->text = text;
        retry->len = reject->len;
        run->bytes += reject->len;
    }
    run->count++;
    run->after = reject->n;
    if (!run->all) {
        run->numbers++;
        run->left--;
        return -1; /* the next number may be far away */
    }
    return run->count == run->most || run->bytes >= REJECTS_SLICE_BYTES;
}

static void rejects_clear(struct rejects_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        free((char *)run->retries[i].text);
        batch_free(run->retries[i].batch);
    }
    run->count = run->bytes = 0;
}

/* The next slice's rejects; none: that was all. */
static int rejects_collect(struct rejects_run *run, struct error *err)
{
    bool more;
    int status = STORE_OK;
    run->most = slices_quiet(run->engine->writer) ? SLICES_EVENTS_QUIET : SLICES_EVENTS;
    if (run->all)
        status = store_page_rejects(run->reader, run->after, rejects_row, run, &more, err);
    while (!run->all && status == STORE_OK && run->left > 0 && run->count < run->most &&
           run->bytes < REJECTS_SLICE_BYTES && !run->starved) {
        size_t before = run->count;
        status = store_page_rejects(run->reader, *run->numbers - 1, rejects_row, run, &more, err);
        if (status != STORE_OK || run->count > before || run->starved)
            continue;
        run->out->missing++;
        run->numbers++;
        run->left--;
    }
    if (run->starved) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    return status;
}

static int rejects_retry_slice(struct rejects_run *run, struct error *err)
{
    for (size_t i = 0; i < run->count; i++) {
        if (rejects_read(run, &run->retries[i]) == 0)
            continue;
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    int status = slices_retry(run->engine->writer, run->retries, run->count, err);
    for (size_t i = 0; i < run->count && status == STORE_OK; i++) {
        enum store_retried outcome = run->retries[i].outcome;
        run->out->stored += outcome == STORE_RETRY_STORED;
        run->out->duplicate += outcome == STORE_RETRY_DUPLICATE;
        run->out->kept += outcome == STORE_RETRY_KEPT;
        run->out->missing += outcome == STORE_RETRY_GONE && !run->all;
    }
    return status;
}

static int rejects_drop_slice(struct rejects_run *run, struct error *err)
{
    int64_t numbers[SLICES_EVENTS_QUIET];
    size_t erased = 0;
    for (size_t i = 0; i < run->count; i++)
        numbers[i] = run->retries[i].n;
    int status = slices_erase_rejects(run->engine->writer, numbers, run->count, &erased, err);
    run->out->dropped += (int64_t)erased;
    return status;
}

static int rejects_slices(struct rejects_run *run, const struct progress *progress,
                          struct error *err)
{
    int64_t done = 0, total = run->all ? 0 : (int64_t)run->left;
    int status = STORE_OK;
    while (status == STORE_OK && !run->out->stopped) {
        status = rejects_collect(run, err);
        if (status != STORE_OK || run->count == 0)
            break;
        done += (int64_t)run->count;
        status = run->limits != NULL ? rejects_retry_slice(run, err) : rejects_drop_slice(run, err);
        rejects_clear(run);
        run->out->stopped = progress_step(progress, "rejects", done, total) != 0;
    }
    rejects_clear(run);
    return status;
}

static int rejects_all(struct engine *engine, const int64_t *numbers, size_t count,
                       const struct batch_limits *limits, const struct progress *progress,
                       struct chores_rejects *out, struct error *err)
{
    struct rejects_run *run = calloc(1, sizeof *run);
    *out = (struct chores_rejects){0};
    if (run == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    run->engine = engine;
    run->limits = limits;
    run->numbers = numbers;
    run->left = count;
    run->all = count == 0;
    run->began_ms = clock_wall_ms();
    run->after = INT64_MIN;
    run->out = out;
    uuid_source_init(&run->uuids);
    int status = store_reader_open(engine->store, &run->reader, err);
    if (status == STORE_OK)
        status = rejects_slices(run, progress, err);
    store_reader_close(run->reader);
    free(run);
    return status;
}

int engine_retry_rejects(struct engine *engine, const int64_t *numbers, size_t count,
                         const struct batch_limits *limits, const struct progress *progress,
                         struct chores_rejects *out, struct error *err)
{
    return rejects_all(engine, numbers, count, limits, progress, out, err);
}

int engine_drop_rejects(struct engine *engine, const int64_t *numbers, size_t count,
                        const struct progress *progress, struct chores_rejects *out,
                        struct error *err)
{
    return rejects_all(engine, numbers, count, NULL, progress, out, err);
}
