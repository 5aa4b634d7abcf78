#include "commands/serve_reload.h"

#include <stdlib.h>

#include "base/log.h"
#include "commands/notify.h"
#include "commands/work.h"
#include "options/again.h"

/* What is to be in force. */
struct reload_next {
    struct options *options;
    struct options_changes changes;
    struct serve_setup setup;
    bool has_setup;
};

static void reload_drop(struct options *options)
{
    if (options == NULL)
        return;
    options_clear(options);
    free(options);
}

/*
 * All that can fail, none of which is seen by anyone yet. What is made of files (keys, and whatever
 * serve_setup_make makes beside) is made anew although no option says otherwise: the files may have
 * changed.
 */
static int reload_prepare(const struct serve *serve, struct reload_next *next, struct error *err)
{
    next->options = calloc(1, sizeof *next->options);
    if (next->options == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    if (options_read_again(next->options, serve->options, serve->arguments, &next->changes, err) !=
            0 ||
        activation_check(serve->activation, next->options, err) != 0 ||
        serve_setup_make(&next->setup, next->options, err) != 0)
        return -1;
    next->has_setup = true;
    if ((next->setup.tls == NULL) == (serve->setup.tls == NULL))
        return 0;
    error_set(err, "tls-cert: TLS can't be turned on or off while the daemon runs: restart it");
    return -1;
}

/* The line shows when either level would show it. */
static void reload_tell(const struct serve *serve, const struct reload_next *next)
{
    const char *changed = next->changes.changed, *restart = next->changes.restart;
    if (next->options->log_level > serve->options->log_level)
        log_set_level(next->options->log_level);
    if (*restart != '\0')
        log_warn("needs a restart: %s", restart);
    if (*changed != '\0')
        log_info("reloaded: %s", changed);
    else
        log_info("reloaded: files read anew, no option has changed");
    log_set_level(next->options->log_level);
}

/* Can't fail. next is what was in force when it returns. */
static void reload_commit(struct serve *serve, struct reload_next *next)
{
    const struct engine_options engine_options = work_engine_options(next->options);
    server_reload(serve->server, &next->setup.server, next->setup.access);
    engine_reload(serve->engine, &engine_options);
    control_reload(serve->control, &next->setup.server.limits);
    reload_tell(serve, next);

    struct options *before = serve->read_again;
    struct serve_setup setup = serve->setup;
    serve->options = serve->read_again = next->options;
    serve->setup = next->setup;
    next->options = before;
    next->setup = setup;
}

void serve_reload(struct serve *serve)
{
    struct reload_next next = {.options = NULL};
    struct error err = {""};
    notify_reloading();
    if (reload_prepare(serve, &next, &err) == 0)
        reload_commit(serve, &next);
    else
        log_error("not reloaded, all stays as it was: %s", err.text);
    if (next.has_setup)
        serve_setup_clear(&next.setup);
    reload_drop(next.options);
    notify_ready();
}

void serve_reload_clear(struct serve *serve)
{
    reload_drop(serve->read_again);
    serve->read_again = NULL;
}
