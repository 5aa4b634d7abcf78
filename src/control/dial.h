/*
 * dial.h: a command's end of the control socket.
 */
#ifndef BEACOND_CONTROL_DIAL_H
#define BEACOND_CONTROL_DIAL_H

#include <jansson.h>

#include "control/link.h"
#include "engine/progress.h"

enum dial_status {
    DIAL_OK = 0,
    DIAL_NOBODY = 1,  /* no daemon has this database open */
    DIAL_FAILED = -1, /* there may be one, but it can't be reached */
};

/* Connects to the daemon that has the database open; of those that have one open that is no file,
 * to the one whose first address is at (NULL: to none). DIAL_OK: link_clear the link. */
int dial_open(struct link *link, const char *database, const char *at,
              struct error *err) MUST_CHECK;

/* Waits for the answer to what was sent, passing on what it hears of progress; when progress asks
 * to stop, tells the other end and goes on waiting, for the job to end as a whole. STORE_OK and
 * *result (json_decref it), or another store_status with err. */
int dial_wait(struct link *link, const struct progress *progress, json_t **result,
              struct error *err) MUST_CHECK;

#endif
