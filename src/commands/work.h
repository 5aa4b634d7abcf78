/*
 * work.h: has a job done for a command, by the daemon that has the database open or, when there is
 * none, here, with the lock of the database taken. A database that several may write to at once is
 * always opened here, beside whoever else has it open.
 */
#ifndef BEACOND_COMMANDS_WORK_H
#define BEACOND_COMMANDS_WORK_H

#include <jansson.h>

#include "commands/commands.h"
#include "commands/meter.h"
#include "control/link.h"
#include "engine/engine.h"

/* Who does the work. */
struct work {
    const struct options *options;
    struct meter *meter;
    struct engine *engine; /* open when it is done here; else NULL, and link is */
    struct link link;
};

/* Has one job done, whose request the callee takes over (NULL: for want of memory), and tells
 * errors. The database must exist. COMMAND_OK and *result (json_decref it), or another exit code.
 * interrupt_watch is called. */
int work_run(const struct options *options, struct meter *meter, json_t *request,
             json_t **result) MUST_CHECK;

/* For a job that is more than one request and one result: finds out who does it. A database that is
 * not there is made. COMMAND_OK, or another exit code, the error told. work_close in any case.
 * interrupt_watch is called. */
int work_create(struct work *work, const struct options *options, struct meter *meter) MUST_CHECK;
void work_close(struct work *work);

/* Tells an error on standard error, as "beacond: …". */
void work_tell(struct work *work, const struct error *err);

/* The options as the engine wants them. */
struct engine_options work_engine_options(const struct options *options);

#endif
