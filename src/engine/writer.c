#include "engine/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/condition.h"
#include "engine/receipts.h"
#include "engine/writer_parts.h"

/* A transaction ends after so many events or bytes: long enough that fsync does not matter, short
 * enough that nobody waits long for an answer. */
#define WRITER_GROUP_EVENTS 4000
#define WRITER_GROUP_BYTES (8 << 20)
/* While commits fail: how long until the next try. */
#define WRITER_RETRY_MS 100
/* Nothing came for so long: put the WAL back, and look whether another program has changed
 * something. */
#define WRITER_IDLE_MS 1000

bool writer_has_room(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool room = writer->bytes < writer->queue_bytes;
    pthread_mutex_unlock(&writer->mutex);
    return room;
}

void writer_limit(struct writer *writer, size_t queue_bytes)
{
    pthread_mutex_lock(&writer->mutex);
    writer->queue_bytes = queue_bytes;
    pthread_mutex_unlock(&writer->mutex);
}

bool writer_healthy(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool healthy = writer->healthy;
    pthread_mutex_unlock(&writer->mutex);
    return healthy;
}

uint64_t writer_taken(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    uint64_t taken = writer->taken;
    pthread_mutex_unlock(&writer->mutex);
    return taken;
}

/* Without the mutex: a writer that is stuck with it must not take the asker along. A wake-up that
 * is lost so only costs the rest of the writer's second of idleness. */
bool writer_beat(struct writer *writer)
{
    bool came_round = !atomic_exchange(&writer->asked, true);
    pthread_cond_signal(&writer->wake);
    return came_round;
}

void writer_come_round(struct writer *writer)
{
    if (atomic_load_explicit(&writer->asked, memory_order_relaxed))
        atomic_store(&writer->asked, false);
}

static void writer_on_work(void *arg)
{
    writer_come_round(arg);
}

int64_t writer_known_ms(const struct writer *writer)
{
    return writer->known_ms;
}

struct measures *writer_measures(struct writer *writer)
{
    return &writer->measures;
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
    size_t most = writer->abreast == NULL ? WRITER_GROUP_BATCHES : STORE_SHARED_BATCHES;
    while (writer->waiting.first != NULL && count < most) {
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

/* Waits, called locked, until woken or the time is over. */
static void writer_wait(struct writer *writer, int64_t ms)
{
    struct timespec until = condition_deadline(ms);
    (void)condition_wait(&writer->wake, &writer->mutex, &until);
}

/* Those that wait now: what several callers ask for again and again must not keep it from its
 * commits. Called locked. */
static void writer_run_errands(struct writer *writer)
{
    struct errand *next = writer->errands;
    writer->errands = NULL;
    while (next != NULL) {
        struct errand *errand = next;
        next = errand->next; /* once it is done it may be gone */
        pthread_mutex_unlock(&writer->mutex);
        errand->run(errand);
        writer_come_round(writer);
        pthread_mutex_lock(&writer->mutex);
        errand->done = true;
        pthread_cond_broadcast(&writer->ran);
    }
}

/* While commits fail and nothing waits: one of our own tells when they work again, for who asks
 * whether we are ready sends nothing before. */
static void writer_probe(struct writer *writer)
{
    struct error err = {""};
    int status = store_probe(writer->store, &err);
    writer_note_health(writer, status == STORE_OK, &err);
    if (status == STORE_OK) /* it may have noticed what another program has changed */
        writer_tell(writer, 0, 0);
    writer->untidy = true;
}

/* Looks after the store, called locked, once nothing was committed for so long, whatever errands
 * there are. */
static void writer_look(struct writer *writer)
{
    bool sick = !writer->healthy;
    pthread_mutex_unlock(&writer->mutex);
    writer->untidy = writer_notice(writer) || writer->untidy;
    if (sick)
        writer_probe(writer);
    if (writer->untidy)
        writer_tend(writer);
    writer_show(writer);
    pthread_mutex_lock(&writer->mutex);
    writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
}

/* Whether something is to be heard from elsewhere at once; else *wait_ms is not longer than until
 * then. Called locked. */
static bool writer_hears(const struct writer *writer, int64_t *wait_ms)
{
    if (writer->abreast == NULL)
        return false;
    int64_t hear_ms = writer_hear_ms(writer);
    if (hear_ms < *wait_ms)
        *wait_ms = hear_ms;
    return hear_ms <= 0;
}

/* Sleeps, called locked, until something is queued or stopping. */
static void writer_sleep(struct writer *writer)
{
    while (writer->waiting.first == NULL && !writer->stopping) {
        writer_come_round(writer);
        int64_t wait_ms = writer->look_ms - clock_mono_ms();
        if (wait_ms <= 0)
            writer_look(writer);
        else if (writer->errands != NULL || writer_hears(writer, &wait_ms))
            return;
        else
            writer_wait(writer, wait_ms);
    }
}

/* Called locked. A status of store.h. */
static int writer_note_lost(struct writer *writer, struct error *err)
{
    if (writer->abreast != NULL)
        return writer_lose(writer, err);
    for (size_t i = 0; i < writer->lost_count; i++)
        receipts_lost(writer->receipts, writer->lost[i]);
    writer->lost_count = 0;
    return STORE_OK;
}

int64_t writer_now_ms(struct writer *writer)
{
    return wary_now(&writer->clock, clock_wall_ms(), clock_mono_ms(), WARY_SLACK_MS);
}

void writer_tend(struct writer *writer)
{
    writer->untidy = store_tend(writer->store, true, writer_now_ms(writer));
}

void writer_tidy_soon(struct writer *writer)
{
    writer->untidy = store_tend(writer->store, false, writer_now_ms(writer)) || writer->untidy;
}

static void writer_turn(struct writer *writer)
{
    struct error err = {""};
    size_t count = writer_take(writer);
    /* First: what is a retry is told by it. */
    bool noted = writer_note_lost(writer, &err) == STORE_OK;
    pthread_mutex_unlock(&writer->mutex);
    size_t done = noted ? writer_commit(writer, count, &err) : 0;
    if (done > 0) {
        writer_tidy_soon(writer);
        writer->committed_ms = clock_mono_ms();
    }
    if (done < count)
        writer_note_health(writer, false, &err);
    bool stuck = done < count && clock_mono_ms() >= writer->look_ms;
    writer_show(writer);
    if (stuck) /* where the disk is full, the room that the WAL takes may help */
        writer_tend(writer);
    if (stuck || done > 0)
        writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
    pthread_mutex_lock(&writer->mutex);
    if (done == count)
        return;
    writer_put_back(writer, done, count);
    /* Woken early by what is submitted meanwhile: wait the time out all the same. */
    if (!writer->stopping) {
        pthread_mutex_unlock(&writer->mutex);
        clock_sleep_us(WRITER_RETRY_MS * 1000);
        pthread_mutex_lock(&writer->mutex);
    }
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    writer->untidy = true; /* what the last run left in the WAL */
    pthread_mutex_lock(&writer->mutex);
    for (;;) {
        writer_sleep(writer);
        writer_come_round(writer); /* also from one commit that fails to the next */
        writer_run_errands(writer);
        writer_hear(writer);
        if (writer->waiting.first != NULL)
            writer_turn(writer);
        else if (writer->stopping && writer->errands == NULL)
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
    writer_add_lost(writer, receipt);
    if (writer->abreast != NULL)
        pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
}

static int writer_load_row(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    struct writer *writer = arg;
    writer->known_ms = at_ms;
    return writer->abreast != NULL ? 0 : receipts_load(writer->receipts, row, at_ms, data, len);
}

static int writer_load(struct writer *writer, size_t receipts_bytes, struct error *err)
{
    writer->receipts = receipts_new(receipts_bytes);
    if (writer->receipts == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    int64_t wall_ms = clock_wall_ms(), mono_ms = clock_mono_ms();
    writer->known_ms = WARY_UNKNOWN;
    int status = store_load_receipts(writer->store, writer_load_row, writer, err);
    wary_begin(&writer->clock, writer->known_ms, wall_ms, mono_ms);
    if (status == STORE_OK)
        writer->receipts_before = receipts_commit(
            writer->receipts, wary_now(&writer->clock, wall_ms, mono_ms, WARY_SLACK_MS));
    return status;
}

static void writer_free(struct writer *writer)
{
    writer_end_shared(writer);
    store_on_work(writer->store, NULL, NULL);
    receipts_free(writer->receipts);
    bytes_clear(&writer->row);
    bytes_clear(&writer->losses);
    bytes_clear(&writer->awaited);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->ran);
    pthread_mutex_destroy(&writer->mutex);
    free(writer->lost);
    free(writer);
}

int writer_start(struct writer **out, struct store *store, struct ring *ring, struct follow *follow,
                 struct abreast *abreast, const struct engine_options *options, struct error *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    writer->store = store;
    writer->ring = ring;
    writer->follow = follow;
    writer->abreast = abreast;
    writer->queue_bytes = options->queue_bytes;
    writer->healthy = true;
    writer->look_ms = clock_mono_ms() + WRITER_IDLE_MS;
    writer->committed_ms = INT64_MIN / 2;
    struct store_state state;
    store_look(store, &state);
    writer->erasures = state.erasures;
    store_on_work(store, writer_on_work, writer);
    bytes_init(&writer->row);
    bytes_init(&writer->losses);
    bytes_init(&writer->awaited);
    condition_init(&writer->wake);
    pthread_cond_init(&writer->ran, NULL);
    pthread_mutex_init(&writer->mutex, NULL);
    int status = writer_load(writer, options->receipts_bytes, err);
    if (status == STORE_OK) {
        writer_show(writer);
        writer_begin_shared(writer);
    }
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
