/*
 * control_path.h: where the control socket of a database is.
 *
 * FILE.control beside the database, its links followed. A socket's path may have about a hundred
 * bytes only: where that is too few the socket is in the runtime directory (RUNTIME_DIRECTORY, or
 * XDG_RUNTIME_DIR), and FILE.control a symbolic link that leads to it.
 *
 * A database that is no file has nothing beside it, and may have several daemons on one machine:
 * their sockets are in the runtime directory, under a name made of the database's and of where the
 * daemon listens, which no two can have in common.
 */
#ifndef BEACOND_CONTROL_PATH_H
#define BEACOND_CONTROL_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

#include "base/error.h"

struct control_path {
    char beside[PATH_MAX];     /* FILE.control; "" for what is no file */
    struct sockaddr_un socket; /* where the socket is */
    bool linked;               /* beside is to be a link to it */
};

/* For who makes the socket. at: the address that the daemon listens on, the first of them. 0, or -1
 * with err. */
int control_path_make(struct control_path *path, const char *database, const char *at,
                      struct error *err) MUST_CHECK;

/* For who looks for it. 0, or -1 with err, also when nothing is there; at may be NULL where any
 * daemon of a file will do, and none of what is no file. */
int control_path_find(struct control_path *path, const char *database, const char *at,
                      struct error *err) MUST_CHECK;

#endif
