#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "commands/work.h"
#include "contract/access.h"
#include "control/control.h"
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
    for (size_t i = 0; i < options->beacon_origin.count && status == 0; i++)
        status = access_add_beacon_origin(access, options->beacon_origin.items[i], err);
    if (options->allow_keyless)
        access_allow_keyless(access);
    if (status == 0)
        return access;
    access_free(access);
    return NULL;
}

static unsigned serve_threads(const struct options *options)
{
    if (options->threads > 0)
        return (unsigned)options->threads;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > SERVE_MOST_THREADS ? SERVE_MOST_THREADS : (unsigned)cpus;
}

/* The networks of trusted-proxy, to be freed. NULL when there is none, or no memory (err is set).
 */
static struct address_net *serve_proxies(const struct options *options, struct error *err)
{
    size_t count = options->trusted_proxy.count;
    struct address_net *nets = count == 0 ? NULL : calloc(count, sizeof *nets);
    if (count > 0 && nets == NULL)
        error_set(err, "out of memory");
    for (size_t i = 0; nets != NULL && i < count; i++) {
        if (address_net_parse(&nets[i], options->trusted_proxy.items[i], err) == 0)
            continue;
        free(nets);
        nets = NULL;
    }
    return nets;
}

static struct server_options serve_server(const struct options *options,
                                          const struct address_net *proxies)
{
    static const enum address_header headers[] = {
        [OPTIONS_PROXY_NONE] = ADDRESS_HEADER_NONE,
        [OPTIONS_PROXY_X_FORWARDED_FOR] = ADDRESS_X_FORWARDED_FOR,
        [OPTIONS_PROXY_FORWARDED] = ADDRESS_FORWARDED,
    };
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
        .head_timeout_ms = options->head_timeout_ms,
        .body_timeout_ms = options->body_timeout_ms,
        .max_message = options->max_message,
        .ping_interval_ms = options->ping_interval_ms,
        .max_push = options->max_push,
        .max_connections = (size_t)options->max_connections,
        .max_receiving = options->max_receiving,
        .max_reads = (size_t)options->max_reads,
        .limit_events = options->limit_events,
        .limit_bytes = options->limit_bytes,
        .proxy_header = headers[options->proxy_header],
        .proxies = proxies,
        .proxy_count = options->trusted_proxy.count,
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
    /* What is left is the last commit and the checkpoint; a second signal ends that too. */
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static int serve_run(const struct options *options, const struct arguments *arguments)
{
    (void)arguments;
    struct error err = {""};
    struct engine *engine = NULL;
    struct server *server = NULL;
    struct control *control = NULL;
    struct engine_options engine_options = work_engine_options(options);
    struct address_net *proxies = serve_proxies(options, &err);
    struct server_options server_options = serve_server(options, proxies);
    int code = COMMAND_FAILED, status;
    sigset_t signals = serve_block_signals();
    /* Database, WAL and lock are nobody else's business. */
    (void)umask(077);
    json_object_seed(0);
    struct access *access = err.text[0] == '\0' ? serve_access(options, &err) : NULL;
    if (access == NULL) {
        log_error("%s", err.text);
        free(proxies);
        return COMMAND_CONFIG;
    }
    status = engine_open(&engine, &engine_options, &err);
    if (status != STORE_OK) {
        log_error("%s", err.text);
        code = status == STORE_UNFIT || status == STORE_HELD ? COMMAND_CONFIG : COMMAND_FAILED;
        goto out;
    }
    /* Without it commands can't write while the daemon runs, but it can run. */
    if (control_start(&control, engine, options->database, &server_options.limits, &err) != 0)
        log_warn("%s; commands that write will find the database in use", err.text);
    if (server_start(&server, &server_options, access, engine, &err) != 0) {
        log_error("%s", err.text);
        goto out;
    }
    log_info("ready");
    serve_until_signal(server, &signals);
    code = COMMAND_OK;
out:
    control_stop(control);
    engine_close(engine);
    server_free(server);
    access_free(access);
    free(proxies);
    if (code == COMMAND_OK)
        log_info("stopped");
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .help = "run the daemon (the default)",
    .usage = {.serves = true},
    .run = serve_run,
};
