#include "engine/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "cache/ring.h"
#include "engine/internal.h"
#include "engine/keeper.h"
#include "engine/receipts.h"
#include "engine/waiting.h"

/* A transaction ends after so many events or bytes: long enough that fsync does not matter, short
 * enough that nobody waits long for an answer. */
#define WRITER_GROUP_EVENTS 4000
#define WRITER_GROUP_BYTES (8 << 20)
#define WRITER_GROUP_BATCHES 1024
/* While commits fail: how long until the next try. */
#define WRITER_RETRY_MS 100
/* Nothing came for so long: put the WAL back, and look whether another program has changed
 * something. */
#define WRITER_IDLE_MS 1000

struct writer {
    pthread_t thread;
    struct store *store;
    struct ring *ring; /* NULL without a cache */
    struct follow *follow;
    size_t queue_bytes;

    pthread_mutex_t mutex; /* guards all down to lost_room */
    pthread_cond_t wake;   /* something was queued, or stopping; on the monotonic clock */
    pthread_cond_t ran;    /* an errand is done */
    struct waiting waiting;
    struct errand *errands; /* last in, first out: each is waited for by its own thread */
    size_t bytes;           /* memory of the queued batches and of those being committed */
    bool stopping;
    bool healthy;   /* the last commit worked */
    uint64_t *lost; /* receipts whose answers were lost, to be told to receipts */
    size_t lost_count, lost_room;

    /* The thread's own. */
    struct receipts *receipts;
    struct bytes row;        /* of receipts, of the open transaction */
    int64_t receipts_before; /* older rows are not needed */
    int64_t erasures;        /* as the ring knows them */
    int64_t look_ms;         /* when the store is looked after if nothing is committed before */
    struct submission *group[WRITER_GROUP_BATCHES];
    struct store_item items[WRITER_GROUP_BATCHES];
};

bool writer_has_room(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool room = writer->bytes < writer->queue_bytes;
    pthread_mutex_unlock(&writer->mutex);
    return room;
}

bool writer_healthy(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool healthy = writer->healthy;
    pthread_mutex_unlock(&writer->mutex);
    return healthy;
}

void writer_submit(struct writer *writer, struct submission *submission)
{
    pthread_mutex_lock(&writer->mutex);
    bool sleeping = writer->waiting.first == NULL;
    waiting_append(&writer->waiting, submission);
    writer->bytes += submission->batch->memory;
    if (sleeping)
        pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
}

bool writer_withdraw(struct writer *writer, struct submission *submission)
{
    pthread_mutex_lock(&writer->mutex);
    bool queued = submission->queued;
    if (queued) {
        waiting_remove(&writer->waiting, submission);
        writer->bytes -= submission->batch->memory;
    }
    pthread_mutex_unlock(&writer->mutex);
    return queued;
}

/* Takes a group off the queue. Called locked. */
static size_t writer_take(struct writer *writer)
{
    size_t count = 0, events = 0, bytes = 0;
    while (writer->waiting.first != NULL && count < WRITER_GROUP_BATCHES) {
        struct submission *submission = writer->waiting.first;
        events += submission->batch->event_count;
        bytes += submission->batch->memory;
        if (count > 0 && (events > WRITER_GROUP_EVENTS || bytes > WRITER_GROUP_BYTES))
            break;
        waiting_remove(&writer->waiting, submission);
        writer->group[count++] = submission;
    }
    return count;
}

/* Notes whether commits work, and logs the change. */
static void writer_note_health(struct writer *writer, bool healthy, const struct error *err)
{
    pthread_mutex_lock(&writer->mutex);
    bool changed = healthy != writer->healthy;
    writer->healthy = healthy;
    pthread_mutex_unlock(&writer->mutex);
    if (changed && healthy)
        log_info("the database takes commits again");
    else if (changed)
        log_error("can't commit, trying again until it works: %s", err->text);
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
        if (submission->gone && submission->receipt != 0 && !submission->told) {
            receipts_lost(writer->receipts, submission->receipt);
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
    }
    writer->row.len = 0;
    return receipts_row(writer->receipts, &writer->row);
}

/* Tells the ring what has been committed. */
static void writer_tell_ring(struct writer *writer, size_t from, size_t to)
{
    struct store_state state;
    if (writer->ring == NULL)
        return;
    store_look(writer->store, &state);
    if (state.erasures != writer->erasures) {
        ring_clear(writer->ring, keeper_ceiling_ms());
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

/* One transaction of items [from, to), with their receipts. Answers when it is committed. */
static int writer_transact(struct writer *writer, size_t from, size_t to, writer_append_fn *append,
                           struct error *err)
{
    int64_t now_ms = clock_wall_ms();
    int status = STORE_BUSY;
    if (writer_take_receipts(writer, from, to, now_ms) == 0) {
        struct store_receipts receipts = {
            .row = receipts_row_number(writer->receipts),
            .at_ms = now_ms,
            .data = writer->row.data,
            .len = writer->row.len,
            .before = writer->receipts_before,
        };
        status = append(writer, from, to, &receipts, err);
    } else {
        error_set(err, "out of memory");
    }
    if (status == STORE_OK) {
        writer->receipts_before = receipts_commit(writer->receipts, now_ms);
        writer_note_health(writer, true, NULL);
        /* Before the answers: who has one finds its events, whose texts go back to the submitters
         * with them. */
        writer_tell_ring(writer, from, to);
        follow_publish(writer->follow, &writer->items[from], to - from);
        writer_answer(writer, from, to);
    } else {
        receipts_rollback(writer->receipts);
    }
    return status;
}

static int writer_commit_one(struct writer *writer, size_t n, struct error *err)
{
    int status = writer_transact(writer, n, n + 1, writer_append_all, err);
    if (status != STORE_REFUSED)
        return status;
    log_warn("the database refuses an event, which is put among the rejects: %s", err->text);
    return writer_transact(writer, n, n + 1, writer_append_apart, err);
}

/* Commits the group and answers. Returns how many were answered; less than count when the store is
 * busy, err says why. */
static size_t writer_commit(struct writer *writer, size_t count, struct error *err)
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

/* What could not be committed goes back to the head, or is given up when stopping. Called locked.
 */
static void writer_put_back(struct writer *writer, size_t from, size_t count)
{
    for (size_t i = count; i-- > from;) {
        struct submission *submission = writer->group[i];
        if (writer->stopping) {
            writer->bytes -= submission->batch->memory;
            submission->stored = false;
            mailbox_post(submission->reply_to, &submission->mail);
        } else {
            waiting_prepend(&writer->waiting, submission);
        }
    }
}

/* Waits, called locked, until woken or the time is over. False: time over. */
static void writer_wait(struct writer *writer, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&writer->wake, &writer->mutex, &until);
}

/* Called locked. */
static void writer_run_errands(struct writer *writer)
{
    while (writer->errands != NULL) {
        struct errand *errand = writer->errands;
        writer->errands = errand->next;
        pthread_mutex_unlock(&writer->mutex);
        errand->run(errand);
        pthread_mutex_lock(&writer->mutex);
        errand->done = true;
        pthread_cond_broadcast(&writer->ran);
    }
}

/* Another program may have changed rows while nothing is committed here: an append of nothing
 * notices. */
static bool writer_notice(struct writer *writer)
{
    struct error err = {""};
    if (!store_changed(writer->store))
        return false;
    if (writer_transact(writer, 0, 0, writer_append_all, &err) != STORE_OK)
        log_debug("what has changed can't be counted now: %s", err.text);
    return true;
}

/* Looks after the store, called locked, once nothing was committed for so long, whatever errands
 * there are. */
static void writer_look(struct writer *writer, bool *untidy)
{
    pthread_mutex_unlock(&writer->mutex);
    *untidy = writer_notice(writer) || *untidy;
    if (*untidy)
        *untidy = store_tend(writer->store, true);
    pthread_mutex_lock(&writer->mutex);
    writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
}

/* Sleeps, called locked, until something is queued or stopping. */
static void writer_sleep(struct writer *writer, bool *untidy)
{
    while (writer->waiting.first == NULL && !writer->stopping) {
        int64_t wait_ms = writer->look_ms - clock_mono_ms();
        if (wait_ms <= 0)
            writer_look(writer, untidy);
        else if (writer->errands != NULL)
            return;
        else
            writer_wait(writer, wait_ms);
    }
}

/* Called locked. */
static void writer_note_lost(struct writer *writer)
{
    for (size_t i = 0; i < writer->lost_count; i++)
        receipts_lost(writer->receipts, writer->lost[i]);
    writer->lost_count = 0;
}

static void writer_turn(struct writer *writer, bool *untidy)
{
    struct error err = {""};
    size_t count = writer_take(writer);
    writer_note_lost(writer);
    pthread_mutex_unlock(&writer->mutex);
    size_t done = writer_commit(writer, count, &err);
    if (done > 0)
        *untidy = store_tend(writer->store, false) || *untidy;
    if (done < count)
        writer_note_health(writer, false, &err);
    bool stuck = done < count && clock_mono_ms() >= writer->look_ms;
    if (stuck) /* where the disk is full, the room that the WAL takes may help */
        *untidy = store_tend(writer->store, true);
    if (stuck || done > 0)
        writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
    pthread_mutex_lock(&writer->mutex);
    if (done == count)
        return;
    writer_put_back(writer, done, count);
    /* Woken early by what is submitted meanwhile: wait the time out all the same. */
    if (!writer->stopping) {
        pthread_mutex_unlock(&writer->mutex);
        (void)nanosleep(&(struct timespec){0, WRITER_RETRY_MS * 1000000L}, NULL);
        pthread_mutex_lock(&writer->mutex);
    }
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    bool untidy = true; /* what the last run left in the WAL */
    pthread_mutex_lock(&writer->mutex);
    for (;;) {
        writer_sleep(writer, &untidy);
        writer_run_errands(writer);
        if (writer->waiting.first != NULL)
            writer_turn(writer, &untidy);
        else if (writer->stopping)
            break;
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

void writer_run(struct writer *writer, struct errand *errand)
{
    pthread_mutex_lock(&writer->mutex);
    errand->done = false;
    errand->next = writer->errands;
    writer->errands = errand;
    pthread_cond_signal(&writer->wake);
    while (!errand->done)
        pthread_cond_wait(&writer->ran, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
}

void writer_gone(struct writer *writer, struct submission *submission)
{
    pthread_mutex_lock(&writer->mutex);
    submission->gone = true;
    pthread_mutex_unlock(&writer->mutex);
}

void writer_lost(struct writer *writer, uint64_t receipt)
{
    pthread_mutex_lock(&writer->mutex);
    if (writer->lost_count == writer->lost_room) {
        size_t room = writer->lost_room == 0 ? 64 : writer->lost_room * 2;
        uint64_t *lost = realloc(writer->lost, room * sizeof *lost);
        if (lost != NULL) {
            writer->lost = lost;
            writer->lost_room = room;
        }
    }
    /* Without memory the retry is stored a second time, which is the lesser evil. */
    if (writer->lost_count < writer->lost_room)
        writer->lost[writer->lost_count++] = receipt;
    pthread_mutex_unlock(&writer->mutex);
}

static int writer_load_row(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    struct writer *writer = arg;
    return receipts_load(writer->receipts, row, at_ms, data, len);
}

static int writer_load(struct writer *writer, size_t receipts_bytes, struct error *err)
{
    writer->receipts = receipts_new(receipts_bytes);
    if (writer->receipts == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    int status = store_load_receipts(writer->store, writer_load_row, writer, err);
    if (status == STORE_OK)
        writer->receipts_before = receipts_commit(writer->receipts, clock_wall_ms());
    return status;
}

static void writer_free(struct writer *writer)
{
    receipts_free(writer->receipts);
    bytes_clear(&writer->row);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->ran);
    pthread_mutex_destroy(&writer->mutex);
    free(writer->lost);
    free(writer);
}

int writer_start(struct writer **out, struct store *store, struct ring *ring, struct follow *follow,
                 const struct engine_options *options, struct error *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    writer->store = store;
    writer->ring = ring;
    writer->follow = follow;
    writer->queue_bytes = options->queue_bytes;
    writer->healthy = true;
    writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
    struct store_state state;
    store_look(store, &state);
    writer->erasures = state.erasures;
    bytes_init(&writer->row);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&writer->ran, NULL);
    pthread_mutex_init(&writer->mutex, NULL);
    int status = writer_load(writer, options->receipts_bytes, err);
    int code = status == STORE_OK ? pthread_create(&writer->thread, NULL, writer_main, writer) : 0;
    if (code != 0) {
        error_set(err, "can't start the writer thread: %s", strerror(code));
        status = STORE_BUSY;
    }
    if (status == STORE_OK)
        *out = writer;
    else
        writer_free(writer);
    return status;
}

void writer_stop(struct writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    writer_free(writer);
}
