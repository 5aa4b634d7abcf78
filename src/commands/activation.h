/*
 * activation.h: listening sockets that the service manager passes: sd_listen_fds(3), by LISTEN_FDS.
 *
 * One that is named admin (FileDescriptorName=) takes the place of admin-listen, all others that of
 * listen. They must be stream sockets that listen, TCP or Unix, and without a key only this machine
 * may reach them, as it is with listen.
 */
#ifndef BEACOND_COMMANDS_ACTIVATION_H
#define BEACOND_COMMANDS_ACTIVATION_H

#include "base/error.h"
#include "options/options.h"
#include "server/server.h"

struct activation {
    struct server_passed *sockets; /* NULL when there is none */
    size_t count;
    int reachable; /* one of listen's that other machines can reach; 0: there is none */
    char reachable_name[256];
};

/* Finds and examines them. 0, or -1 with err: one is of no use, or beacond was built without
 * libsystemd and would listen elsewhere. Clear it either way. Once, on the main thread. */
int activation_take(struct activation *activation, const struct options *options,
                    struct error *err) MUST_CHECK;

/* Whether they may be served with those options: on SIGHUP the last key may go. 0, or -1 with err.
 */
int activation_check(const struct activation *activation, const struct options *options,
                     struct error *err) MUST_CHECK;

/* The descriptors remain. */
void activation_clear(struct activation *activation);

#endif
