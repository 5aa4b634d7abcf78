#include "commands/work.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands/interrupt.h"
#include "control/dial.h"
#include "control/job.h"

/* How long a process that holds the lock and has no socket is waited for, and looked at again. */
#define WORK_PATIENCE_MS 2000
#define WORK_AGAIN_MS 50

struct engine_options work_engine_options(const struct options *options)
{
    static const enum store_synchronous synchronous[] = {
        [OPTIONS_SYNC_FULL] = STORE_SYNC_FULL,
        [OPTIONS_SYNC_NORMAL] = STORE_SYNC_NORMAL,
        [OPTIONS_SYNC_OFF] = STORE_SYNC_OFF,
    };
    return (struct engine_options){
        .store = {.database = options->database,
                  .synchronous = synchronous[options->synchronous],
                  .max_rejects = options->max_rejects,
                  .max_rejects_bytes = options->max_rejects_size,
                  .max_receipts_bytes = options->receipts_size},
        .queue_bytes = (size_t)options->queue_size,
        .receipts_bytes = (size_t)options->receipts_size,
        .cache_events = (size_t)options->cache_events,
        .cache_bytes = (size_t)options->cache_bytes,
        .readers = (unsigned)options->readers,
        .retain_ms = options->retain_ms,
        .retain_bytes = options->retain_size,
        .min_free_bytes = options->min_free_disk,
    };
}

void work_tell(struct work *work, const struct error *err)
{
    meter_say(work->meter, "beacond: %s", err->text);
}

static int work_code(int status)
{
    return status == STORE_UNFIT || status == STORE_HELD ? COMMAND_CONFIG : COMMAND_FAILED;
}

/* No daemon: takes the lock and opens the database here. A store_status. */
static int work_open_here(struct work *work, struct error *err)
{
    struct engine_options options = work_engine_options(work->options);
    /* What is for a daemon with readers. */
    options.cache_events = 0;
    options.readers = 1;
    options.by_hand = true;
    return engine_open(&work->engine, &options, err);
}

/* A daemon that starts holds the lock and has no socket yet; one that ends has none any more.
 * Either is over soon. */
static int work_find(struct work *work, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + WORK_PATIENCE_MS;
    for (;;) {
        int dialled = dial_open(&work->link, work->options->database, NULL, err);
        if (dialled != DIAL_NOBODY)
            return dialled == DIAL_OK ? COMMAND_OK : COMMAND_FAILED;
        int status = work_open_here(work, err);
        if (status != STORE_HELD)
            return status == STORE_OK ? COMMAND_OK : work_code(status);
        if (interrupted() || clock_mono_ms() >= until_ms)
            break;
        (void)poll(NULL, 0, WORK_AGAIN_MS);
    }
    struct error held = *err;
    error_set(err, "%s. It takes no commands: it starts, it ends, or it is a command itself",
              held.text);
    return interrupted() ? COMMAND_STOPPED : COMMAND_CONFIG;
}

/* Is there a database to work on? STORE_OK, or another store_status with err. */
static int work_look(const char *database, struct error *err)
{
    struct store_reader *reader = NULL;
    if (!store_is_file(database)) {
        int status = store_reader_open_file(database, &reader, err);
        store_reader_close(reader);
        return status;
    }
    if (access(database, F_OK) == 0)
        return STORE_OK;
    error_set(err, "%s: %s", database,
              errno == ENOENT ? "there is no such database" : strerror(errno));
    return STORE_UNFIT;
}

/* create: a database that is not there is made. */
static int work_open(struct work *work, const struct options *options, struct meter *meter,
                     bool create)
{
    struct error err = {""};
    *work = (struct work){.options = options, .meter = meter};
    link_init(&work->link, -1);
    interrupt_watch();
    (void)umask(077);
    json_object_seed(0);
    int status = create ? STORE_OK : work_look(options->database, &err);
    int code = status == STORE_OK ? work_find(work, &err) : work_code(status);
    if (code != COMMAND_OK)
        work_tell(work, &err);
    return code;
}

int work_create(struct work *work, const struct options *options, struct meter *meter)
{
    return work_open(work, options, meter, true);
}

void work_close(struct work *work)
{
    engine_close(work->engine);
    link_clear(&work->link);
}

static int work_here(struct work *work, const json_t *request, const struct progress *progress,
                     json_t **result, struct error *err)
{
    struct job job = {
        .engine = work->engine,
        .database = work->options->database,
        .limits = {.event_bytes = (size_t)work->options->max_event,
                   .depth = (unsigned)work->options->max_depth},
        .request = request,
        .progress = *progress,
    };
    int status = job_run(&job, err);
    *result = job.result != NULL ? job.result : json_object();
    return status;
}

static int work_there(struct work *work, json_t *request, const struct progress *progress,
                      json_t **result, struct error *err)
{
    if (link_send(&work->link, request, NULL, 0) == 0)
        return dial_wait(&work->link, progress, result, err);
    error_set(err, "the daemon does not answer");
    return STORE_BUSY;
}

static int work_do(struct work *work, json_t *request, json_t **result)
{
    struct error err = {""};
    struct progress progress = meter_progress(work->meter);
    int status = STORE_BUSY;
    *result = NULL;
    if (request == NULL)
        error_set(&err, "out of memory");
    else if (work->engine != NULL)
        status = work_here(work, request, &progress, result, &err);
    else
        status = work_there(work, request, &progress, result, &err);
    meter_clear(work->meter);
    json_decref(request);
    if (status == STORE_OK)
        return COMMAND_OK;
    json_decref(*result);
    *result = NULL;
    work_tell(work, &err);
    return work_code(status);
}

int work_run(const struct options *options, struct meter *meter, json_t *request, json_t **result)
{
    struct work work;
    *result = NULL;
    int code = work_open(&work, options, meter, false);
    if (code == COMMAND_OK)
        code = work_do(&work, request, result);
    else
        json_decref(request);
    work_close(&work);
    return code;
}
