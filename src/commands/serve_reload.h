/*
 * serve_reload.h: what SIGHUP does: the configuration is read anew, and what can change changes.
 *
 * All or nothing: everything that can fail is made first, beside what is in force; then all of it
 * takes its place, which can't fail. The main thread's alone.
 */
#ifndef BEACOND_COMMANDS_SERVE_RELOAD_H
#define BEACOND_COMMANDS_SERVE_RELOAD_H

#include "commands/activation.h"
#include "commands/serve_setup.h"
#include "control/control.h"
#include "engine/engine.h"
#include "options/options.h"

/* The running daemon. */
struct serve {
    const struct options *options; /* in force. The first are the caller's of serve_run, whose path
                                    * of the database the engine keeps */
    struct options *read_again;    /* the same once they have been reloaded, else NULL; owned */
    const struct arguments *arguments;
    const struct activation *activation; /* what the server listens on, where it was passed */
    struct serve_setup setup;            /* made of options */
    struct engine *engine;
    struct control *control; /* NULL: there is no control socket */
    struct server *server;
};

/* Once: reads, compares, changes, and tells the log what. The server runs and does not drain. */
void serve_reload(struct serve *serve);

/* Frees what a reload has left, after the server and the setup. */
void serve_reload_clear(struct serve *serve);

#endif
