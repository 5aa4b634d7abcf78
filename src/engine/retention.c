#include "engine/retention.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "base/wary.h"
#include "engine/measures.h"
#include "engine/pruning.h"
#include "engine/slices.h"
#include "store/step.h"

#define RETENTION_LOOK_MS 60000
#define RETENTION_LEAST_LOOK_MS 100
#define RETENTION_LEAST_SLACK_MS 10000
/* Free pages in a thousand that stay for what comes next: to give them back and take them again
 * costs twice. */
#define RETENTION_SLACK_PERMILLE 60
/* For the disk's sake nothing goes that is newer. */
#define RETENTION_KEEP_MS (INT64_C(24) * 3600 * 1000)

struct retention {
    pthread_t thread;
    struct writer *writer;

    pthread_mutex_t mutex; /* guards the next three */
    struct engine_options options;
    bool changed; /* since the thread last looked at options */
    bool stopping;
    pthread_cond_t wake; /* on the monotonic clock */

    /* The thread's own. */
    struct wary clock;
    bool doubted; /* it, and that was said */
    bool failed;  /* the last time, and it was said */
    bool told_short;
};

/* Of a database that is no file of this machine nobody here knows the disk. */
static bool retention_wants_room(const struct engine_options *options)
{
    return options->min_free_bytes > 0 && store_is_file(options->store.database);
}

bool retention_wanted(const struct engine_options *options)
{
    return options->retain_ms > 0 || options->retain_bytes > 0 || retention_wants_room(options);
}

/* --- one look --------------------------------------------------------------------------------- */

/* The bytes that are free for us on the database's disk. 0, or -1 with err. */
static int retention_room(const char *database, int64_t *room, struct error *err)
{
    struct statvfs disk;
    if (statvfs(database, &disk) != 0) {
        error_set(err, "%s: %s", database, strerror(errno));
        return -1;
    }
    *room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return 0;
}

/* What the disk gets back once the WAL can be put back: the WAL, and what the file is too long.
 * With a reader in the way to erase more helps nobody, and makes the WAL longer. */
static int64_t retention_owed(const char *database, const struct store_size *size)
{
    struct stat file;
    int64_t bytes = size->pages * size->page_bytes;
    bool longer = stat(database, &file) == 0 && file.st_size > bytes;
    return size->wal_bytes + (longer ? file.st_size - bytes : 0);
}

/* Gives free pages back to the disk, then erases what makes up for the rest. */
static int retention_disk(struct writer *writer, const struct engine_options *options,
                          int64_t now_ms, const struct progress *progress, struct erasure *out,
                          bool *short_of, struct error *err)
{
    struct store_size size;
    int64_t room;
    if (retention_room(options->store.database, &room, err) != 0)
        return STORE_BUSY;
    *short_of = false;
    if (room >= options->min_free_bytes)
        return STORE_OK;
    slices_tidy(writer);
    int status = slices_size(writer, &size, err);
    if (status != STORE_OK)
        return status;
    if (retention_room(options->store.database, &room, err) != 0)
        return STORE_BUSY;
    int64_t owed = retention_owed(options->store.database, &size);
    int64_t lacking = options->min_free_bytes - room - owed;
    if (lacking <= 0)
        return STORE_OK;
    int64_t goal = size.pages * size.page_bytes - lacking;
    const struct pruning pruning = {.before_ms = now_ms - RETENTION_KEEP_MS,
                                    .used_bytes = goal < 1 ? 1 : goal};
    status = pruning_run(writer, &pruning, progress, out, err);
    if (status == STORE_OK && !out->stopped &&
        retention_room(options->store.database, &room, err) == 0)
        *short_of = room < options->min_free_bytes;
    return status;
}

int retention_run(struct writer *writer, const struct engine_options *options, int64_t now_ms,
                  const struct progress *progress, struct erasure *out, bool *short_of,
                  struct error *err)
{
    int status = STORE_OK;
    bool is_short = false;
    if (options->retain_ms > 0) {
        const struct pruning pruning = {.before_ms = now_ms - options->retain_ms,
                                        .slack_permille = RETENTION_SLACK_PERMILLE};
        status = pruning_run(writer, &pruning, progress, out, err);
    }
    if (status == STORE_OK && options->retain_bytes > 0 && !out->stopped) {
        /* A server's tables become smaller by days that are dropped; not by today's. */
        bool days = !store_is_file(options->store.database);
        const struct pruning pruning = {.before_ms =
                                            days ? step_floor(STEP_DAY, now_ms) : INT64_MAX,
                                        .used_bytes = options->retain_bytes,
                                        .days_only = days,
                                        .slack_permille = RETENTION_SLACK_PERMILLE};
        status = pruning_run(writer, &pruning, progress, out, err);
    }
    if (status == STORE_OK && retention_wants_room(options) && !out->stopped)
        status = retention_disk(writer, options, now_ms, progress, out, &is_short, err);
    if (short_of != NULL)
        *short_of = is_short;
    return status;
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static bool retention_interrupted(struct retention *retention)
{
    pthread_mutex_lock(&retention->mutex);
    bool interrupted = retention->stopping || retention->changed;
    pthread_mutex_unlock(&retention->mutex);
    return interrupted;
}

/* The options to look with. */
static struct engine_options retention_begin(struct retention *retention)
{
    pthread_mutex_lock(&retention->mutex);
    struct engine_options options = retention->options;
    retention->changed = false;
    pthread_mutex_unlock(&retention->mutex);
    return options;
}

static int retention_step(void *arg, const char *what, int64_t done, int64_t total)
{
    (void)what;
    (void)done;
    (void)total;
    return retention_interrupted(arg);
}

/* How far the clock may run ahead in one look. Where an hour is much, less; but to read both clocks
 * may take a while on a busy machine. */
static int64_t retention_slack_ms(const struct engine_options *options)
{
    int64_t slack_ms = WARY_SLACK_MS;
    if (options->retain_ms > 0 && options->retain_ms / 4 < slack_ms)
        slack_ms = options->retain_ms / 4;
    return slack_ms > RETENTION_LEAST_SLACK_MS ? slack_ms : RETENTION_LEAST_SLACK_MS;
}

/* What time it is for what is to go. */
static int64_t retention_now(struct retention *retention, const struct engine_options *options)
{
    int64_t wall_ms = clock_wall_ms();
    struct wary *clock = &retention->clock;
    int64_t now_ms = wary_now(clock, wall_ms, clock_mono_ms(), retention_slack_ms(options));
    if (clock->doubts && !retention->doubted)
        log_warn("retention: this machine's clock is %lld hours ahead of where it should be: until "
                 "that has lasted for a day, nothing becomes older by it",
                 (long long)((wall_ms - now_ms) / 3600000));
    else if (!clock->doubts && retention->doubted)
        log_info("retention: goes by this machine's clock again");
    retention->doubted = clock->doubts;
    return now_ms;
}

static void retention_look(struct retention *retention, const struct engine_options *options)
{
    const struct progress progress = {retention_step, retention};
    struct erasure done = {0};
    struct error err = {""};
    bool short_of = false;
    int status = retention_run(retention->writer, options, retention_now(retention, options),
                               &progress, &done, &short_of, &err);
    if (done.events > 0)
        log_info("retention: erased %lld events; the database is %lld bytes smaller",
                 (long long)done.events, (long long)done.freed_bytes);
    if (status != STORE_OK && !retention->failed)
        log_warn("retention: can't erase now, trying again: %s", err.text);
    struct measures *measures = writer_measures(retention->writer);
    counter_add(&measures->retention_runs, 1);
    if (status != STORE_OK)
        counter_add(&measures->retention_failures, 1);
    else
        gauge_set(&measures->retention_ms, clock_wall_ms());
    retention->failed = status != STORE_OK;
    if (short_of && !retention->told_short)
        log_warn("retention: the disk has less room than min-free-disk, and what is left of the "
                 "database is newer than 24 hours, or not the database: it stays");
    if (status == STORE_OK)
        retention->told_short = short_of;
    gauge_set(&measures->retention_short, retention->told_short);
}

/* Of a file anyone can tell how large it is; any other database has to be asked, which who asks for
 * figures does not wait for. */
static void retention_measure(struct retention *retention)
{
    struct store_size size;
    struct error err;
    if (slices_size(retention->writer, &size, &err) == STORE_OK)
        gauge_set(&writer_measures(retention->writer)->database_bytes,
                  size.pages * size.page_bytes);
}

static int64_t retention_look_ms(const struct engine_options *options)
{
    int64_t look_ms = RETENTION_LOOK_MS;
    if (options->retain_ms > 0 && options->retain_ms / 10 < look_ms)
        look_ms = options->retain_ms / 10;
    return look_ms > RETENTION_LEAST_LOOK_MS ? look_ms : RETENTION_LEAST_LOOK_MS;
}

/* Sleeps so long (forever: until something changes). Returns whether to go on. */
static bool retention_sleep(struct retention *retention, int64_t ms, bool forever)
{
    struct timespec until = condition_deadline(ms);
    pthread_mutex_lock(&retention->mutex);
    bool time = true;
    while (!retention->stopping && !retention->changed && time) {
        if (forever)
            (void)pthread_cond_wait(&retention->wake, &retention->mutex);
        else
            time = condition_wait(&retention->wake, &retention->mutex, &until);
    }
    bool go_on = !retention->stopping;
    pthread_mutex_unlock(&retention->mutex);
    return go_on;
}

static void *retention_main(void *arg)
{
    struct retention *retention = arg;
    struct engine_options options;
    bool wanted, asked;
    do {
        options = retention_begin(retention);
        wanted = retention_wanted(&options);
        asked = !store_is_file(options.store.database);
        if (wanted)
            retention_look(retention, &options);
        if (asked)
            retention_measure(retention);
    } while (retention_sleep(retention, retention_look_ms(&options), !wanted && !asked));
    return NULL;
}

static void retention_free(struct retention *retention)
{
    pthread_cond_destroy(&retention->wake);
    pthread_mutex_destroy(&retention->mutex);
    free(retention);
}

int retention_start(struct retention **out, struct writer *writer,
                    const struct engine_options *options, struct error *err)
{
    *out = NULL;
    struct retention *retention = calloc(1, sizeof *retention);
    if (retention == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    retention->writer = writer;
    retention->options = *options;
    wary_begin(&retention->clock, writer_known_ms(writer), clock_wall_ms(), clock_mono_ms());
    condition_init(&retention->wake);
    pthread_mutex_init(&retention->mutex, NULL);
    int code = pthread_create(&retention->thread, NULL, retention_main, retention);
    if (code == 0) {
        *out = retention;
        return STORE_OK;
    }
    error_set(err, "can't start the retention thread: %s", strerror(code));
    retention_free(retention);
    return STORE_BUSY;
}

void retention_set(struct retention *retention, const struct engine_options *options)
{
    if (retention == NULL)
        return;
    pthread_mutex_lock(&retention->mutex);
    struct engine_options *own = &retention->options;
    if (own->retain_ms != options->retain_ms || own->retain_bytes != options->retain_bytes ||
        own->min_free_bytes != options->min_free_bytes) {
        own->retain_ms = options->retain_ms;
        own->retain_bytes = options->retain_bytes;
        own->min_free_bytes = options->min_free_bytes;
        retention->changed = true;
        pthread_cond_signal(&retention->wake);
    }
    pthread_mutex_unlock(&retention->mutex);
}

void retention_stop(struct retention *retention)
{
    if (retention == NULL)
        return;
    pthread_mutex_lock(&retention->mutex);
    retention->stopping = true;
    pthread_cond_signal(&retention->wake);
    pthread_mutex_unlock(&retention->mutex);
    pthread_join(retention->thread, NULL);
    retention_free(retention);
}
