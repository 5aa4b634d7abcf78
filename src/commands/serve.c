#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "commands/serve_setup.h"
#include "commands/work.h"
#include "control/control.h"
#include "engine/engine.h"
#include "server/server.h"

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
    struct serve_setup setup;
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
    status = engine_open(&engine, &engine_options, &err);
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
    serve_until_signal(server, &signals);
    code = COMMAND_OK;
out:
    control_stop(control);
    engine_close(engine);
    server_free(server);
    serve_setup_clear(&setup);
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
