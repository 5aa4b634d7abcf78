/*
 * control_path.h: where the control socket of a database is.
 *
 * FILE.control beside the database, its links followed. A socket's path may have about a hundred
 * bytes only: where that is too few the socket is in the runtime directory (RUNTIME_DIRECTORY, or
 * XDG_RUNTIME_DIR), and FILE.control a symbolic link that leads to it.
 */
#ifndef BEACOND_CONTROL_PATH_H
#define BEACOND_CONTROL_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

#include "base/error.h"

struct control_path {
    char beside[PATH_MAX];     /* FILE.control */
    struct sockaddr_un socket; /* where the socket is */
    bool linked;               /* beside is to be a link to it */
};

/* For who makes the socket. 0, or -1 with err. */
int control_path_make(struct control_path *path, const char *database,
                      struct error *err) MUST_CHECK;

/* For who looks for it. 0, or -1 with err, also when nothing is there. */
int control_path_find(struct control_path *path, const char *database,
                      struct error *err) MUST_CHECK;

#endif
