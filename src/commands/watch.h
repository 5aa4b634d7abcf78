/*
 * watch.h: waits for a database to change, without asking it.
 *
 * The kernel tells when something is written into the folder's files of that name (inotify); where
 * it does not, as with what is no file, and beside it, time passes: a wait ends after a second at
 * the latest. What is written is not committed yet, so waits are short at first and grow while
 * nothing comes. One thread.
 */
#ifndef BEACOND_COMMANDS_WATCH_H
#define BEACOND_COMMANDS_WATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd;                  /* inotify; -1: time alone */
    int wait_ms;             /* of the next wait */
    int64_t quiet_ms;        /* monotonic: nothing was found since, or idle was told */
    char name[NAME_MAX + 1]; /* of the database, in its folder */
};

void watch_open(struct watch *watch, const char *database);
void watch_close(struct watch *watch);

/* Something has been found: the next wait is short again. */
void watch_found(struct watch *watch);

/* Waits until it is worth to look again. out: a descriptor that is written to; false when nobody
 * reads it any more. *idle: nothing was found for a second; true once a second. Signals end it. */
bool watch_wait(struct watch *watch, int out, bool *idle);

#endif
