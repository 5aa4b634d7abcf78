/*
 * job.h: what can be asked of who owns the database: one table of jobs, run by the daemon for a
 * command that reached it through the control socket, or by the command itself when no daemon runs.
 *
 * A job takes a request, {"job":"name",…}, and gives a result, a JSON object. It runs on a thread
 * of its own and may block; whatever it does to the database it does through the engine.
 */
#ifndef BEACOND_CONTROL_JOB_H
#define BEACOND_CONTROL_JOB_H

#include <jansson.h>

#include "contract/batch.h"
#include "control/link.h"
#include "engine/engine.h"
#include "engine/progress.h"

struct job {
    struct engine *engine;
    const char *database;       /* its path */
    struct batch_limits limits; /* of an event */
    const char *unready;        /* why the daemon takes no events, a static text; NULL: it does */
    const json_t *request;      /* the caller's */
    struct link *link; /* to who asked, for jobs that receive more; NULL: within this process */
    struct progress progress;
    json_t *result; /* made by the job, the caller's to json_decref; NULL when it failed */
};

/* Runs the job that the request names. A store_status; STORE_REFUSED when the request is none, or
 * asks for what can't be. err says why. */
int job_run(struct job *job, struct error *err) MUST_CHECK;

#endif
