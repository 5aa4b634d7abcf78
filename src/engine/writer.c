#include "engine/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

/* A transaction ends after so many events or bytes: long enough that fsync does not matter, short
 * enough that nobody waits long for an answer. */
#define WRITER_GROUP_EVENTS 4000
#define WRITER_GROUP_BYTES (8 << 20)
#define WRITER_GROUP_BATCHES 1024
/* While commits fail: how long until the next try. */
#define WRITER_RETRY_MS 100
/* Nothing came for so long: put the WAL back. */
#define WRITER_IDLE_MS 1000

struct writer {
    pthread_t thread;
    struct store *store;
    size_t queue_bytes;

    pthread_mutex_t mutex; /* guards all below but group and items */
    pthread_cond_t wake;   /* something was queued, or stopping; on the monotonic clock */
    struct submission *first, *last;
    size_t bytes; /* memory of the queued batches and of those being committed */
    bool stopping;
    bool healthy; /* the last commit worked */

    struct submission *group[WRITER_GROUP_BATCHES]; /* the thread's own */
    struct store_item items[WRITER_GROUP_BATCHES];
};

static void writer_push_back(struct writer *writer, struct submission *submission)
{
    submission->next = NULL;
    submission->previous = writer->last;
    if (writer->last != NULL)
        writer->last->next = submission;
    else
        writer->first = submission;
    writer->last = submission;
    submission->queued = true;
}

static void writer_push_front(struct writer *writer, struct submission *submission)
{
    submission->previous = NULL;
    submission->next = writer->first;
    if (writer->first != NULL)
        writer->first->previous = submission;
    else
        writer->last = submission;
    writer->first = submission;
    submission->queued = true;
}

static void writer_unlink(struct writer *writer, struct submission *submission)
{
    if (submission->previous != NULL)
        submission->previous->next = submission->next;
    else
        writer->first = submission->next;
    if (submission->next != NULL)
        submission->next->previous = submission->previous;
    else
        writer->last = submission->previous;
    submission->queued = false;
}

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
    bool sleeping = writer->first == NULL;
    writer_push_back(writer, submission);
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
        writer_unlink(writer, submission);
        writer->bytes -= submission->batch->memory;
    }
    pthread_mutex_unlock(&writer->mutex);
    return queued;
}

/* Takes a group off the queue. Called locked. */
static size_t writer_take(struct writer *writer)
{
    size_t count = 0, events = 0, bytes = 0;
    while (writer->first != NULL && count < WRITER_GROUP_BATCHES) {
        struct submission *submission = writer->first;
        events += submission->batch->event_count;
        bytes += submission->batch->memory;
        if (count > 0 && (events > WRITER_GROUP_EVENTS || bytes > WRITER_GROUP_BYTES))
            break;
        writer_unlink(writer, submission);
        writer->group[count++] = submission;
    }
    return count;
}

/* Gives the answers of committed items [from, to). */
static void writer_answer(struct writer *writer, size_t from, size_t to)
{
    size_t bytes = 0;
    for (size_t i = from; i < to; i++)
        bytes += writer->group[i]->batch->memory;
    pthread_mutex_lock(&writer->mutex);
    writer->bytes -= bytes;
    pthread_mutex_unlock(&writer->mutex);
    for (size_t i = from; i < to; i++) {
        struct submission *submission = writer->group[i];
        const struct store_item *item = &writer->items[i];
        submission->stored = true;
        submission->saved = item->saved;
        submission->duplicate = item->duplicate;
        submission->rejected = submission->batch->reject_count + item->refused;
        /* From here on it may be gone. */
        mailbox_post(submission->reply_to, &submission->mail);
    }
}

static int writer_commit_one(struct writer *writer, size_t n, struct error *err)
{
    int status = store_append(writer->store, &writer->items[n], 1, err);
    if (status != STORE_REFUSED)
        return status;
    log_warn("the database refuses an event, which is put among the rejects: %s", err->text);
    return store_append_apart(writer->store, &writer->items[n], err);
}

/* Commits the group and answers. Returns how many were answered; less than count when the store is
 * busy, err says why. */
static size_t writer_commit(struct writer *writer, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        writer->items[i] = (struct store_item){.batch = writer->group[i]->batch};
    int status = store_append(writer->store, writer->items, count, err);
    if (status == STORE_OK) {
        writer_answer(writer, 0, count);
        return count;
    }
    if (status != STORE_REFUSED)
        return 0;
    /* One of them is the culprit: batch by batch, so that it takes no neighbour down. */
    size_t done = 0;
    while (done < count && writer_commit_one(writer, done, err) == STORE_OK) {
        writer_answer(writer, done, done + 1);
        done++;
    }
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
            writer_push_front(writer, submission);
        }
    }
}

/* Called locked; logs outside. */
static void writer_note_health(struct writer *writer, bool healthy, const struct error *err)
{
    if (healthy == writer->healthy)
        return;
    writer->healthy = healthy;
    pthread_mutex_unlock(&writer->mutex);
    if (healthy)
        log_info("the database takes commits again");
    else
        log_error("can't commit, trying again until it works: %s", err->text);
    pthread_mutex_lock(&writer->mutex);
}

/* Waits, called locked, until woken or the time is over. False: time over. */
static bool writer_wait(struct writer *writer, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&writer->wake, &writer->mutex, &until) != ETIMEDOUT;
}

/* Sleeps, called locked, until something is queued or stopping; tidies up the store meanwhile. */
static void writer_sleep(struct writer *writer, bool *untidy)
{
    while (writer->first == NULL && !writer->stopping) {
        if (!*untidy) {
            pthread_cond_wait(&writer->wake, &writer->mutex);
        } else if (!writer_wait(writer, WRITER_IDLE_MS) && writer->first == NULL) {
            pthread_mutex_unlock(&writer->mutex);
            *untidy = store_tend(writer->store, true);
            pthread_mutex_lock(&writer->mutex);
        }
    }
}

static void writer_turn(struct writer *writer, bool *untidy)
{
    struct error err = {""};
    size_t count = writer_take(writer);
    pthread_mutex_unlock(&writer->mutex);
    size_t done = writer_commit(writer, count, &err);
    if (done > 0)
        *untidy = store_tend(writer->store, false) || *untidy;
    pthread_mutex_lock(&writer->mutex);
    writer_note_health(writer, done == count, &err);
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
        if (writer->first == NULL)
            break;
        writer_turn(writer, &untidy);
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

struct writer *writer_start(struct store *store, size_t queue_bytes, struct error *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        error_set(err, "out of memory");
        return NULL;
    }
    writer->store = store;
    writer->queue_bytes = queue_bytes;
    writer->healthy = true;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&writer->mutex, NULL);
    int code = pthread_create(&writer->thread, NULL, writer_main, writer);
    if (code != 0) {
        error_set(err, "can't start the writer thread: %s", strerror(code));
        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->mutex);
        free(writer);
        return NULL;
    }
    return writer;
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
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}
