#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "contract/access.h"
#include "engine/engine.h"
#include "server/server.h"

/* Loops beyond this only fight for the one writer. */
#define SERVE_MOST_THREADS 8

static struct access *serve_access(const struct options *options, struct error *err)
{
    struct access *access = access_new();
    if (access == NULL) {
        error_set(err, "out of memory");
        return NULL;
    }
    int status = 0;
    for (size_t i = 0; i < options->key.count && status == 0; i++)
        status = access_add_key(access, options->key.items[i], err);
    for (size_t i = 0; i < options->allow_origin.count && status == 0; i++)
        status = access_add_origin(access, options->allow_origin.items[i], err);
    if (options->allow_keyless)
        access_allow_keyless(access);
    if (status == 0)
        return access;
    access_free(access);
    return NULL;
}

static struct engine_options serve_engine(const struct options *options)
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
                  .max_rejects_bytes = options->max_rejects_size},
        .queue_bytes = (size_t)options->queue_size,
        .readers = (unsigned)options->readers,
    };
}

static unsigned serve_threads(const struct options *options)
{
    if (options->threads > 0)
        return (unsigned)options->threads;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > SERVE_MOST_THREADS ? SERVE_MOST_THREADS : (unsigned)cpus;
}

static struct server_options serve_server(const struct options *options)
{
    return (struct server_options){
        .listen = options->listen.items,
        .listen_count = options->listen.count,
        .prefixes = options->prefix.items,
        .prefix_count = options->prefix.count,
        .app_id = options->app_id,
        .version = PACKAGE_VERSION,
        .max_header = (size_t)options->max_header,
        .max_body = (size_t)options->max_body,
        .max_inflated = (size_t)options->max_inflated,
        .limits = {.event_bytes = (size_t)options->max_event,
                   .depth = (unsigned)options->max_depth},
        .max_events = options->max_events,
        .threads = serve_threads(options),
        .hold_ms = options->hold_ms,
        .drain_ms = options->drain_ms,
        .timeout_ms = options->timeout_ms,
    };
}

/* Signals are taken by the main thread alone, with sigtimedwait: blocked before any other exists.
 */
static sigset_t serve_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    /* A closed terminal is no order to stop. */
    (void)signal(SIGHUP, SIG_IGN);
    return set;
}

static void serve_until_signal(struct server *server, const sigset_t *set)
{
    int got;
    do
        got = sigwaitinfo(set, NULL);
    while (got < 0 && errno == EINTR);
    log_info("signal %d: finishing", got);
    server_drain(server);
    while (!server_drained(server)) {
        if (sigtimedwait(set, NULL, &(struct timespec){0, 20000000}) < 0)
            continue;
        /* As good as kill -9, and as harmless: what was acknowledged is on disk. */
        log_warn("second signal: exiting at once");
        _exit(COMMAND_FAILED);
    }
    server_join(server);
}

int command_serve(const struct options *options)
{
    struct error err = {""};
    struct engine *engine = NULL;
    struct server *server = NULL;
    struct engine_options engine_options = serve_engine(options);
    struct server_options server_options = serve_server(options);
    int code = COMMAND_FAILED, status;
    sigset_t signals = serve_block_signals();
    /* Database, WAL and lock are nobody else's business. */
    (void)umask(077);
    json_object_seed(0);
    struct access *access = serve_access(options, &err);
    if (access == NULL) {
        log_error("%s", err.text);
        return COMMAND_CONFIG;
    }
    status = engine_open(&engine, &engine_options, &err);
    if (status != STORE_OK) {
        log_error("%s", err.text);
        code = status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
        goto out;
    }
    if (server_start(&server, &server_options, access, engine, &err) != 0) {
        log_error("%s", err.text);
        goto out;
    }
    log_info("ready");
    serve_until_signal(server, &signals);
    code = COMMAND_OK;
out:
    engine_close(engine);
    server_free(server);
    access_free(access);
    if (code == COMMAND_OK)
        log_info("stopped");
    return code;
}
