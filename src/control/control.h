/*
 * control.h: the daemon's end of the control socket.
 *
 * Commands that write reach the running daemon here, since nobody else may write to its database.
 * The socket is made under umask 077 with the lock of the database held, so one that is in the way
 * is a dead daemon's. To a database that is no file others may write: there it serves who asks for
 * the daemon itself, and one that is in the way and answers is left alone. Who connects must be the
 * daemon's own user or root. Each connection asks for one job (job.h) and has a thread while it
 * runs.
 */
#ifndef BEACOND_CONTROL_CONTROL_H
#define BEACOND_CONTROL_CONTROL_H

#include "contract/batch.h"
#include "engine/engine.h"

#define CONTROL_MOST_SESSIONS 16

struct control;

/* Listens from here on. at: the first address that the daemon listens on. engine and database must
 * outlive it. 0 and *out, or -1 with err. */
int control_start(struct control **out, struct engine *engine, const char *database, const char *at,
                  const struct batch_limits *limits, struct error *err) MUST_CHECK;

/* Other limits count for jobs that begin from now on. NULL is fine. */
void control_reload(struct control *control, const struct batch_limits *limits);

/* Why the daemon takes no events, a static text; NULL: it does. From control_start on it is
 * "starting". Any thread; a NULL control is fine. */
void control_unready(struct control *control, const char *why);

/* Takes the socket away, has the jobs under way stop and waits for them. Before engine_close. NULL
 * is fine. */
void control_stop(struct control *control);

#endif
