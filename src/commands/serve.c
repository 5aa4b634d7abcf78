#include "commands/commands.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "commands/activation.h"
#include "commands/lengthy.h"
#include "commands/notify.h"
#include "commands/pulse.h"
#include "commands/serve_setup.h"
#include "commands/work.h"
#include "control/control.h"
#include "engine/engine.h"
#include "server/server.h"

/* While draining: how often the end is looked for. */
#define SERVE_DRAIN_MS 20

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

static void serve_until_signal(struct engine *engine, struct server *server, const sigset_t *set,
                               int64_t drain_ms)
{
    struct pulse pulse;
    pulse_init(&pulse, engine, server);
    int got = pulse_wait(&pulse, set, -1);
    log_info("signal %d: finishing", got);
    notify_stopping(drain_ms);
    pulse_drain(&pulse);
    server_drain(server);
    while (!server_drained(server)) {
        if (pulse_wait(&pulse, set, SERVE_DRAIN_MS) == 0)
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
    struct serve_setup setup;
    struct activation activation = {NULL, 0};
    struct lengthy lengthy;
    struct engine_options engine_options = work_engine_options(options);
    int code = COMMAND_FAILED, status;
    sigset_t signals = serve_block_signals();
    /* Database, WAL and lock are nobody else's business. */
    (void)umask(077);
    json_object_seed(0);
    if (serve_setup_make(&setup, options, &err) != 0) {
        log_error("%s", err.text);
        return COMMAND_CONFIG;
    }
    if (activation_take(&activation, options, &err) != 0) {
        log_error("%s", err.text);
        code = COMMAND_CONFIG;
        goto out;
    }
    setup.server.passed = activation.sockets;
    setup.server.passed_count = activation.count;
    lengthy_begin(&lengthy, "opening the database");
    status = engine_open(&engine, &engine_options, &err);
    lengthy_end(&lengthy);
    if (status != STORE_OK) {
        log_error("%s", err.text);
        code = status == STORE_UNFIT || status == STORE_HELD ? COMMAND_CONFIG : COMMAND_FAILED;
        goto out;
    }
    /* Without it commands can't write while the daemon runs, but it can run. */
    if (control_start(&control, engine, options->database, &setup.server.limits, &err) != 0)
        log_warn("%s; commands that write will find the database in use", err.text);
    if (server_start(&server, &setup.server, setup.access, engine, &err) != 0) {
        log_error("%s", err.text);
        goto out;
    }
    log_info("ready");
    notify_ready();
    serve_until_signal(engine, server, &signals, options->drain_ms);
    code = COMMAND_OK;
out:
    if (engine != NULL) {
        lengthy_begin(&lengthy, "closing the database");
        control_stop(control);
        engine_close(engine);
        lengthy_end(&lengthy);
    }
    server_free(server);
    serve_setup_clear(&setup);
    activation_clear(&activation);
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
