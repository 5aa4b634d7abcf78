/* What the writer does with a group: commits it, tells everyone, answers. */

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "cache/ring.h"
#include "engine/filler.h"
#include "engine/internal.h"
#include "engine/receipts.h"
#include "engine/writer_parts.h"

void writer_note_health(struct writer *writer, bool healthy, const struct error *err)
{
    pthread_mutex_lock(&writer->mutex);
    bool changed = healthy != writer->healthy;
    writer->healthy = healthy;
    pthread_mutex_unlock(&writer->mutex);
    if (changed)
        gauge_set(&writer->measures.failing_since_ms, healthy ? 0 : clock_wall_ms());
    if (!healthy)
        counter_add(&writer->measures.failures, 1);
    if (changed && healthy)
        log_info("the database takes commits again");
    else if (changed)
        log_error("can't commit, trying again until it works: %s", err->text);
}

void writer_show(struct writer *writer)
{
    struct measures *measures = &writer->measures;
    struct store_state state;
    struct store_checkpoints checkpoints;
    struct receipts_facts receipts;
    store_look(writer->store, &state);
    store_look_checkpoints(writer->store, &checkpoints);
    receipts_tell(writer->receipts, &receipts);
    gauge_set(&measures->stored, state.total);
    if (writer->abreast == NULL) { /* else the database has them */
        gauge_set(&measures->receipts, (int64_t)receipts.count);
        gauge_set(&measures->receipts_bytes, (int64_t)receipts.bytes);
        gauge_set(&measures->receipts_oldest_ms, receipts.oldest_ms);
    }
    gauge_set(&measures->checkpoints, checkpoints.done);
    gauge_set(&measures->checkpoints_failed, checkpoints.failed);
    gauge_set(&measures->checkpoint_ms, checkpoints.last_ms);
    gauge_set(&measures->checkpoint_spoilt, checkpoints.spoilt);
}

/* Gives the answers of committed items [from, to). */
static void writer_answer(struct writer *writer, size_t from, size_t to)
{
    size_t bytes = 0;
    for (size_t i = from; i < to; i++)
        bytes += writer->group[i]->batch->memory;
    /* Locked until all are posted: who looks for the mail behind engine_gone either finds it or has
     * been heard. */
    pthread_mutex_lock(&writer->mutex);
    writer->bytes -= bytes;
    for (size_t i = from; i < to; i++) {
        struct submission *submission = writer->group[i];
        const struct store_item *item = &writer->items[i];
        submission->stored = true;
        submission->saved = item->saved;
        submission->duplicate = item->duplicate;
        submission->rejected = submission->batch->reject_count + item->refused;
        writer->taken += item->saved - item->duplicate;
        if (submission->gone && submission->receipt != 0 && !submission->told) {
            writer_add_lost(writer, submission->receipt);
            submission->told = true;
        }
        /* From here on it may have been freed. */
        mailbox_post(submission->reply_to, &submission->mail);
    }
    pthread_mutex_unlock(&writer->mutex);
}

/* Takes the receipts of items [from, to) and makes their row. 0, or -1 when out of memory. */
static int writer_take_receipts(struct writer *writer, size_t from, size_t to, int64_t now_ms)
{
    writer->row.len = writer->losses.len = writer->awaited.len = 0;
    for (size_t i = from; i < to; i++) {
        struct submission *submission = writer->group[i];
        struct receipts_verdict verdict;
        pthread_mutex_lock(&writer->mutex);
        bool gone = submission->gone;
        pthread_mutex_unlock(&writer->mutex);
        if (receipts_take(writer->receipts, &submission->batch->marks, gone, now_ms, &verdict) != 0)
            return -1;
        writer->items[i] = (struct store_item){.batch = submission->batch, .known = verdict.known};
        submission->receipt = verdict.serial;
        submission->told = gone && verdict.serial != 0;
        if (!gone && verdict.serial != 0 && writer->abreast != NULL &&
            bytes_append(&writer->awaited, &verdict.serial, sizeof verdict.serial) != 0)
            return -1;
    }
    if (writer->abreast != NULL && receipts_losses(writer->receipts, &writer->losses) != 0)
        return -1;
    return receipts_row(writer->receipts, &writer->row);
}

/* Tells the ring what has been committed of the group, and what else has become of the database. */
static void writer_tell_ring(struct writer *writer, size_t from, size_t to)
{
    struct store_state state;
    if (writer->ring == NULL)
        return;
    store_look(writer->store, &state);
    if (state.erasures != writer->erasures) {
        ring_clear(writer->ring, filler_ceiling_ms());
        ring_set_erasures(writer->ring, state.erasures);
        writer->erasures = state.erasures;
    }
    int64_t now_ms = clock_mono_ms();
    for (size_t i = from; i < to; i++) {
        const struct batch *batch = writer->items[i].batch;
        ring_tell(writer->ring, batch->events, batch->event_count, now_ms);
    }
    ring_told(writer->ring, state.last_seq, (uint64_t)state.total);
}

void writer_tell(struct writer *writer, size_t from, size_t to)
{
    if (writer->abreast != NULL) {
        writer_tell_shared(writer, from, to);
        return;
    }
    writer_tell_ring(writer, from, to);
    follow_publish(writer->follow, &writer->items[from], to - from);
}

typedef int writer_append_fn(struct writer *writer, size_t from, size_t to,
                             const struct store_receipts *receipts, struct error *err);

static int writer_append_all(struct writer *writer, size_t from, size_t to,
                             const struct store_receipts *receipts, struct error *err)
{
    return store_append(writer->store, &writer->items[from], to - from, receipts, err);
}

static int writer_append_apart(struct writer *writer, size_t from, size_t to,
                               const struct store_receipts *receipts, struct error *err)
{
    (void)to;
    return store_append_apart(writer->store, &writer->items[from], receipts, err);
}

/* Takes the receipts and appends items [from, to), in a transaction that has begun where the store
 * is shared. */
static int writer_store(struct writer *writer, size_t from, size_t to, int64_t now_ms,
                        writer_append_fn *append, struct error *err)
{
    if (writer_take_receipts(writer, from, to, now_ms) != 0) {
        error_set(err, "out of memory");
        if (writer->abreast != NULL)
            store_release(writer->store);
        return STORE_BUSY;
    }
    const struct store_receipts receipts = {
        .row = receipts_row_number(writer->receipts),
        .at_ms = now_ms,
        .data = writer->row.data,
        .len = writer->row.len,
        .before = writer->receipts_before,
        .first_serial = writer->serial,
        .losses = (const struct store_loss *)(const void *)writer->losses.data,
        .loss_count = writer->losses.len / sizeof(struct store_loss),
        .awaited = (const uint64_t *)(const void *)writer->awaited.data,
        .awaited_count = writer->awaited.len / sizeof(uint64_t),
    };
    /* Also when it fails: it may have been committed all the same. */
    writer->serial += receipts_taken(writer->receipts);
    return append(writer, from, to, &receipts, err);
}

/* One transaction of items [from, to), with their receipts. Answers when it is committed. */
static int writer_transact(struct writer *writer, size_t from, size_t to, writer_append_fn *append,
                           struct error *err)
{
    int64_t began_us = clock_mono_us();
    int64_t now_ms = writer_now_ms(writer);
    int status = writer->abreast == NULL ? STORE_OK : writer_claim(writer, from, to, err);
    if (status == STORE_OK)
        status = writer_store(writer, from, to, now_ms, append, err);
    if (status != STORE_OK) {
        receipts_rollback(writer->receipts);
        return status;
    }
    writer->receipts_before = receipts_commit(writer->receipts, now_ms);
    writer_note_health(writer, true, NULL);
    if (from < to)
        measures_commit(&writer->measures, &writer->items[from], to - from,
                        clock_mono_us() - began_us);
    /* Before the answers: who has one finds its events, whose texts go back to the submitters with
     * them. */
    writer_tell(writer, from, to);
    writer_show(writer);
    writer_answer(writer, from, to);
    return STORE_OK;
}

static int writer_commit_one(struct writer *writer, size_t n, struct error *err)
{
    int status = writer_transact(writer, n, n + 1, writer_append_all, err);
    if (status != STORE_REFUSED)
        return status;
    log_warn("the database refuses an event, which is put among the rejects: %s", err->text);
    return writer_transact(writer, n, n + 1, writer_append_apart, err);
}

size_t writer_commit(struct writer *writer, size_t count, struct error *err)
{
    int status = writer_transact(writer, 0, count, writer_append_all, err);
    if (status == STORE_OK)
        return count;
    if (status != STORE_REFUSED)
        return 0;
    /* One of them is the culprit: batch by batch, so that it takes no neighbour down. */
    size_t done = 0;
    while (done < count && writer_commit_one(writer, done, err) == STORE_OK)
        done++;
    return done;
}

/* Another program may have changed rows while nothing is committed here: an append of nothing
 * notices. */
bool writer_notice(struct writer *writer)
{
    struct error err = {""};
    if (!store_changed(writer->store))
        return false;
    if (writer_transact(writer, 0, 0, writer_append_all, &err) != STORE_OK)
        log_debug("what has changed can't be counted now: %s", err.text);
    return true;
}
