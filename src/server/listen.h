/*
 * listen.h: listening sockets, bound once and shared by all loops.
 */
#ifndef BEACOND_SERVER_LISTEN_H
#define BEACOND_SERVER_LISTEN_H

#include <stdbool.h>

#include "base/error.h"

/* What comes in by a socket. */
enum door_kind {
    DOOR_MAIN,
    DOOR_ADMIN, /* admin-listen: probes and metrics alone, without a key */
    DOOR_KINDS,
};

struct listen_socket {
    int fd;         /* listening, non-blocking, close-on-exec; -1 when closed */
    char name[128]; /* "127.0.0.1:4242", "[::1]:4242", "unix:/run/x": as bound, port 0 resolved */
    char *path;  /* of a Unix socket that listen_open has made, to be removed at the end; or NULL */
    bool passed; /* by the service manager: it goes on listening when this process has ended */
    enum door_kind door;
};

/* Binds "HOST:PORT" (a numeric address or localhost), "[v6]:PORT" or "unix:PATH". A Unix socket
 * that nobody listens on any more is replaced; its mode is 0666, as 127.0.0.1 is open to every
 * local user too: a narrower folder narrows it. 0, or -1 with err. */
int listen_open(struct listen_socket *socket, const char *address, struct error *err) MUST_CHECK;

/* Takes over a listening stream socket that was passed to the process, TCP or Unix. */
void listen_take(struct listen_socket *socket, int fd);

/* Closes, and removes the Unix socket. What the loops look at, door and passed, stays. */
void listen_close(struct listen_socket *socket);

#endif
