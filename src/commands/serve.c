#include "commands/commands.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "commands/activation.h"
#include "commands/lengthy.h"
#include "commands/notify.h"
#include "commands/pulse.h"
#include "commands/serve_reload.h"
#include "commands/work.h"
#include "control/control.h"
#include "engine/engine.h"
#include "server/server.h"

/* While draining: how often the end is looked for. */
#define SERVE_DRAIN_MS 20
/* Between two tries to open the database of a server that can't be reached; for how long the
 * service manager is asked at each. */
#define SERVE_AGAIN_S 1
#define SERVE_MORE_MS 30000
/* Of serve_open: a signal has ended it. */
#define SERVE_ENDED 1

/* Signals are taken by the main thread alone, with sigtimedwait: blocked before any other exists.
 */
static sigset_t serve_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    /* nohup has it ignored, but a closed terminal is no order to stop here. */
    (void)signal(SIGHUP, SIG_DFL);
    return set;
}

static void serve_finish(struct serve *serve, struct pulse *pulse, const sigset_t *set)
{
    control_unready(serve->control, "draining");
    notify_stopping(serve->options->drain_ms);
    pulse_drain(pulse);
    server_drain(serve->server);
    while (!server_drained(serve->server)) {
        int got = pulse_wait(pulse, set, SERVE_DRAIN_MS);
        if (got == 0)
            continue;
        if (got == SIGHUP) {
            log_info("finishing: nothing is reloaded any more");
            continue;
        }
        /* As good as kill -9, and as harmless: what was acknowledged is on disk. */
        log_warn("second signal: exiting at once");
        _exit(COMMAND_FAILED);
    }
    server_join(serve->server);
    /* What is left is the last commit and the checkpoint; a second signal ends that too. */
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static void serve_until_signal(struct serve *serve, const sigset_t *set)
{
    struct pulse pulse;
    int got;
    pulse_init(&pulse, serve->engine, serve->server);
    while ((got = pulse_wait(&pulse, set, -1)) == SIGHUP)
        serve_reload(serve);
    log_info("signal %d: finishing", got);
    serve_finish(serve, &pulse, set);
}

/* Waits for the next try. False: the daemon is to end. */
static bool serve_pause(const sigset_t *set)
{
    const struct timespec pause = {.tv_sec = SERVE_AGAIN_S};
    notify_extend(SERVE_MORE_MS);
    if (notify_watchdog_ms() > 0)
        notify_alive();
    int got = sigtimedwait(set, NULL, &pause);
    if (got == SIGTERM || got == SIGINT)
        log_info("signal %d: finishing", got);
    return got != SIGTERM && got != SIGINT;
}

/*
 * Opens the engine. A store_status, or SERVE_ENDED. A server is waited for: who can't reach it now
 * could when it has started, restarted or been failed over, and nobody would start the daemon anew
 * then. A file that can't be opened is another matter.
 */
static int serve_open(struct serve *serve, const struct engine_options *options,
                      const sigset_t *set, struct error *err)
{
    struct error told = {""};
    struct lengthy lengthy;
    int status;
    for (;;) {
        lengthy_begin(&lengthy, "opening the database");
        status = engine_open(&serve->engine, options, err);
        lengthy_end(&lengthy);
        if (status != STORE_BUSY || store_is_file(options->store.database) || error_of_memory(err))
            return status;
        if (strcmp(told.text, err->text) != 0)
            log_warn("%s; trying again until it works", err->text);
        told = *err;
        if (!serve_pause(set))
            return SERVE_ENDED;
    }
}

/* What this daemon works with, for who reads the log of one of many. */
static void serve_tell(const struct engine_options *options)
{
    char name[STORE_NAME_SIZE];
    store_name(options->store.database, name, sizeof name);
    if (options->store.node == NULL || store_is_file(options->store.database))
        log_info("database %s", name);
    else
        log_info("database %s, node \"%s\"", name, options->store.node);
}

/* Without it commands can't write to a file while the daemon runs, but it can run. */
static void serve_control(struct serve *serve)
{
    const struct options *options = serve->options;
    struct error err = {""};
    if (control_start(&serve->control, serve->engine, options->database, options->listen.items[0],
                      &serve->setup.server.limits, &err) == 0)
        return;
    if (store_is_file(options->database))
        log_warn("%s; commands that write will find the database in use", err.text);
    else
        log_info("%s; `beacond ready` can't ask this daemon", err.text);
}

static int serve_run(const struct options *options, const struct arguments *arguments)
{
    struct serve serve = {.options = options, .arguments = arguments};
    struct error err = {""};
    struct activation activation = {0};
    struct lengthy lengthy;
    struct engine_options engine_options = work_engine_options(options);
    char node[200];
    int code = COMMAND_FAILED, status;
    sigset_t signals = serve_block_signals();
    /* Database, WAL and lock are nobody else's business. */
    (void)umask(077);
    json_object_seed(0);
    engine_options.store.node = serve_setup_node(options, node, sizeof node);
    if (options->config != NULL)
        log_info("options from %s", options->config);
    if (serve_setup_make(&serve.setup, options, &err) != 0) {
        log_error("%s", err.text);
        return error_of_memory(&err) ? COMMAND_FAILED : COMMAND_CONFIG;
    }
    if (activation_take(&activation, options, &err) != 0) {
        log_error("%s", err.text);
        code = error_of_memory(&err) ? COMMAND_FAILED : COMMAND_CONFIG;
        goto out;
    }
    serve.activation = &activation;
    serve.setup.server.passed = activation.sockets;
    serve.setup.server.passed_count = activation.count;
    status = serve_open(&serve, &engine_options, &signals, &err);
    if (status == SERVE_ENDED) {
        code = COMMAND_OK;
        goto out;
    }
    if (status != STORE_OK) {
        log_error("%s", err.text);
        if ((status == STORE_UNFIT || status == STORE_HELD) && !error_of_memory(&err))
            code = COMMAND_CONFIG;
        goto out;
    }
    serve_tell(&engine_options);
    serve_control(&serve);
    if (server_start(&serve.server, &serve.setup.server, serve.setup.access, serve.engine, &err) !=
        0) {
        log_error("%s", err.text);
        goto out;
    }
    control_unready(serve.control, NULL);
    log_info("ready");
    notify_ready();
    serve_until_signal(&serve, &signals);
    code = COMMAND_OK;
out:
    if (serve.engine != NULL) {
        lengthy_begin(&lengthy, "closing the database");
        control_stop(serve.control);
        engine_close(serve.engine);
        lengthy_end(&lengthy);
    }
    server_free(serve.server);
    serve_setup_clear(&serve.setup);
    serve_reload_clear(&serve);
    activation_clear(&activation);
    if (code == COMMAND_OK)
        log_info("stopped");
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .help = "run the daemon (the default)",
    .usage = {.serves = true},
    .takes_hangups = true,
    .run = serve_run,
};
