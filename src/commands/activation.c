#include "commands/activation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int activation_check(const struct activation *activation, const struct options *options,
                     struct error *err)
{
    if (activation->reachable == 0 || options->key.count > 0 || options->allow_keyless)
        return 0;
    error_set(err,
              "other machines can reach socket %d, \"%s\", that the service manager passed, and "
              "there is no key: give a key-file, or have it listen on 127.0.0.1 or [::1] alone,"
              " or say allow-keyless if everyone there may write and read",
              activation->reachable, activation->reachable_name);
    return -1;
}

#ifdef HAVE_LIBSYSTEMD

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

static int activation_number(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* What is wrong with it, NULL when nothing is. */
static const char *activation_unfit(int fd, const struct sockaddr_storage *bound)
{
    int type = activation_number(fd, SO_TYPE);
    if (type < 0)
        return "it is no socket";
    if (type != SOCK_STREAM)
        return "it is no stream socket: beacond.socket needs ListenStream=";
    if (activation_number(fd, SO_ACCEPTCONN) != 1)
        return "it does not listen: beacond.socket needs Accept=no";
    if (bound->ss_family != AF_INET && bound->ss_family != AF_INET6 && bound->ss_family != AF_UNIX)
        return "it is neither TCP nor Unix";
    return NULL;
}

/* As options_check judges listen: a Unix socket is this machine's. */
static bool activation_is_local(const struct sockaddr_storage *bound)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)bound;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)bound;
    switch (bound->ss_family) {
    case AF_INET:
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
    default:
        return true;
    }
}

static int activation_look(struct activation *activation, int fd, const char *name,
                           struct error *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    (void)getsockname(fd, (struct sockaddr *)&bound, &len);
    const char *unfit = activation_unfit(fd, &bound);
    if (unfit != NULL) {
        error_set(err, "the service manager passed socket %d, \"%s\", of no use: %s", fd, name,
                  unfit);
        return -1;
    }
    bool admin = strcmp(name, "admin") == 0;
    activation->sockets[activation->count++] = (struct server_passed){.fd = fd, .admin = admin};
    if (!admin && activation->reachable == 0 && !activation_is_local(&bound)) {
        activation->reachable = fd;
        snprintf(activation->reachable_name, sizeof activation->reachable_name, "%s", name);
    }
    return 0;
}

int activation_take(struct activation *activation, const struct options *options, struct error *err)
{
    char **names = NULL;
    *activation = (struct activation){0};
    /* Taken out of the environment: nobody after us is meant. */
    int count = sd_listen_fds_with_names(1, &names), status = 0;
    if (count < 0) {
        error_set(err, "LISTEN_FDS and LISTEN_FDNAMES can't be read: %s", strerror(-count));
        return -1;
    }
    if (count > 0) {
        activation->sockets = calloc((size_t)count, sizeof *activation->sockets);
        if (activation->sockets == NULL) {
            error_set(err, "out of memory");
            status = -1;
        }
    }
    for (int i = 0; status == 0 && i < count; i++) {
        const char *name = names != NULL && names[i] != NULL ? names[i] : "";
        status = activation_look(activation, SD_LISTEN_FDS_START + i, name, err);
    }
    for (int i = 0; names != NULL && names[i] != NULL; i++)
        free(names[i]);
    free(names);
    return status != 0 ? status : activation_check(activation, options, err);
}

#else

int activation_take(struct activation *activation, const struct options *options, struct error *err)
{
    const char *pid = getenv("LISTEN_PID");
    (void)options;
    *activation = (struct activation){0};
    if (getenv("LISTEN_FDS") == NULL || pid == NULL || strtol(pid, NULL, 10) != getpid())
        return 0;
    error_set(err, "the service manager passes sockets, which beacond can't take: it was built "
                   "without libsystemd");
    return -1;
}

#endif

void activation_clear(struct activation *activation)
{
    free(activation->sockets);
    *activation = (struct activation){0};
}
