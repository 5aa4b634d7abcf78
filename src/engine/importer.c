#include "engine/importer.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "engine/internal.h"

/* Chunks under way: enough for the writer to have one in hand while others are read. */
#define IMPORTER_ORDERS 4
/* How often progress is asked while the writer is waited for. */
#define IMPORTER_LOOK_MS 100

struct importer_order {
    struct submission submission;
    struct importer *importer;
    bool busy;    /* it is the writer's */
    size_t known; /* events dropped before */
};

struct importer {
    struct engine *engine;
    struct batch_limits limits;
    const struct progress *progress;
    struct store_reader *reader;
    struct mailbox *mailbox;
    struct line_ids ids;
    struct importer_counts counts; /* of the file */
    bool lost;                     /* something of it was taken back */
    bool *known;                   /* store_known's answer */
    size_t known_room;
    struct importer_order orders[IMPORTER_ORDERS];
};

int importer_open(struct importer **out, struct engine *engine, const struct batch_limits *limits,
                  const struct progress *progress, struct error *err)
{
    struct importer *importer = calloc(1, sizeof *importer);
    int status = STORE_BUSY;
    if (importer != NULL)
        importer->mailbox = mailbox_new();
    if (importer == NULL || importer->mailbox == NULL)
        error_set(err, "out of memory or descriptors");
    else
        status = store_reader_open(engine->store, &importer->reader, err);
    if (status != STORE_OK) {
        if (importer != NULL)
            mailbox_free(importer->mailbox);
        free(importer);
        return status;
    }
    importer->engine = engine;
    importer->limits = *limits;
    importer->progress = progress;
    line_ids_init(&importer->ids);
    for (size_t i = 0; i < IMPORTER_ORDERS; i++)
        importer->orders[i].importer = importer;
    *out = importer;
    return STORE_OK;
}

static void importer_free_order(struct importer_order *order)
{
    batch_free(order->submission.batch);
    order->submission.batch = NULL;
    order->busy = false;
}

static void importer_on_answer(struct mail *mail)
{
    struct submission *submission = LIST_OF(mail, struct submission, mail);
    struct importer_order *order = LIST_OF(submission, struct importer_order, submission);
    struct importer_counts *counts = &order->importer->counts;
    if (submission->stored) {
        counts->stored += (int64_t)(submission->saved - submission->duplicate);
        counts->duplicate += (int64_t)(submission->duplicate + order->known);
        counts->refused += (int64_t)submission->rejected;
    } else {
        order->importer->lost = true;
    }
    importer_free_order(order);
}

static struct importer_order *importer_idle_order(struct importer *importer)
{
    for (size_t i = 0; i < IMPORTER_ORDERS; i++)
        if (!importer->orders[i].busy)
            return &importer->orders[i];
    return NULL;
}

static bool importer_busy(const struct importer *importer)
{
    for (size_t i = 0; i < IMPORTER_ORDERS; i++)
        if (importer->orders[i].busy)
            return true;
    return false;
}

/* Takes back what the writer has and can't commit. What it can it will have committed soon. */
static void importer_withdraw(struct importer *importer)
{
    if (engine_healthy(importer->engine))
        return;
    for (size_t i = 0; i < IMPORTER_ORDERS; i++) {
        struct importer_order *order = &importer->orders[i];
        if (order->busy && engine_withdraw(importer->engine, &order->submission)) {
            importer->lost = true;
            importer_free_order(order);
        }
    }
}

/* Waits a moment for the writer. */
static void importer_wait(struct importer *importer)
{
    struct pollfd ready = {.fd = mailbox_fd(importer->mailbox), .events = POLLIN};
    if (poll(&ready, 1, IMPORTER_LOOK_MS) <= 0) {
        bool healthy = engine_healthy(importer->engine);
        if (progress_step(importer->progress, healthy ? NULL : IMPORTER_WAITING, 0, 0) != 0)
            importer_withdraw(importer);
    }
    (void)mailbox_open_all(importer->mailbox);
}

static int importer_submit(struct importer *importer, struct batch *batch, size_t known)
{
    struct importer_order *order;
    while ((order = importer_idle_order(importer)) == NULL)
        importer_wait(importer);
    order->known = known;
    order->busy = true;
    order->submission = (struct submission){
        .mail = {.open = importer_on_answer}, .reply_to = importer->mailbox, .batch = batch};
    engine_submit(importer->engine, &order->submission);
    return STORE_OK;
}

/* Drops what is stored already. *dropped: how many. */
static int importer_drop_known(struct importer *importer, struct batch *batch, size_t *dropped,
                               struct error *err)
{
    size_t count = batch->event_count;
    if (count > importer->known_room) {
        bool *known = realloc(importer->known, count * sizeof *known);
        if (known == NULL) {
            error_set(err, "out of memory");
            return STORE_BUSY;
        }
        importer->known = known;
        importer->known_room = count;
    }
    int status = store_known(importer->reader, batch, importer->known, err);
    if (status == STORE_OK)
        batch_drop(batch, importer->known);
    *dropped = count - batch->event_count;
    return status;
}

int importer_take(struct importer *importer, const struct lines_chunk *chunk,
                  struct lines_report *report, struct error *err)
{
    struct batch *batch = NULL;
    size_t known = 0;
    int status = STORE_BUSY;
    if (lines_import(chunk, &importer->limits, &importer->ids, clock_wall_ms(), report, &batch,
                     err) != BATCH_OK)
        return status;
    importer->counts.lines += report->lines;
    importer->counts.skipped += report->skipped;
    importer->counts.malformed += report->malformed;
    status = importer_drop_known(importer, batch, &known, err);
    if (status == STORE_OK && batch->event_count > 0)
        return importer_submit(importer, batch, known);
    if (status == STORE_OK)
        importer->counts.duplicate += (int64_t)known;
    (void)mailbox_open_all(importer->mailbox);
    batch_free(batch);
    return status;
}

int importer_end_file(struct importer *importer, struct importer_counts *counts, struct error *err)
{
    while (importer_busy(importer))
        importer_wait(importer);
    bool lost = importer->lost;
    *counts = importer->counts;
    importer->counts = (struct importer_counts){0};
    importer->lost = false;
    line_ids_clear(&importer->ids);
    if (lost)
        error_set(err, "the database can't be written; the last lines are not stored");
    return lost ? STORE_BUSY : STORE_OK;
}

void importer_close(struct importer *importer)
{
    if (importer == NULL)
        return;
    while (importer_busy(importer))
        importer_wait(importer);
    line_ids_clear(&importer->ids);
    store_reader_close(importer->reader);
    mailbox_free(importer->mailbox);
    free(importer->known);
    free(importer);
}
