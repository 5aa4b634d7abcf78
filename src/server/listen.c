#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A restart is met by every client at once; the kernel cuts this to net.core.somaxconn. */
#define LISTEN_BACKLOG 4096

void listen_close(struct listen_socket *sock)
{
    if (sock->fd >= 0)
        close(sock->fd);
    if (sock->path != NULL)
        (void)unlink(sock->path);
    free(sock->path);
    sock->fd = -1;
    sock->path = NULL; /* name and door stay: loops look at them until they have ended */
}

static int listen_fail(struct listen_socket *sock, const char *address, const char *what,
                       struct error *err)
{
    error_set(err, "can't listen on %s: %s", address, what);
    listen_close(sock);
    return -1;
}

/* Whether somebody accepts on the socket of that name. */
static bool listen_in_use(const struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool used =
        fd >= 0 && (connect(fd, (const struct sockaddr *)sun, sizeof *sun) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return used;
}

static int listen_unix(struct listen_socket *sock, const char *address, struct error *err)
{
    const char *path = address + strlen("unix:");
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct stat info;
    if (strlen(path) >= sizeof sun.sun_path)
        return listen_fail(sock, address, "the path is too long for a socket", err);
    strcpy(sun.sun_path, path);
    sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock->fd < 0)
        return listen_fail(sock, address, strerror(errno), err);
    if (lstat(path, &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return listen_fail(sock, address, "the file exists and is no socket", err);
        if (listen_in_use(&sun))
            return listen_fail(sock, address, "another process listens there", err);
        (void)unlink(path);
    }
    if (bind(sock->fd, (const struct sockaddr *)&sun, sizeof sun) != 0)
        return listen_fail(sock, address, strerror(errno), err);
    sock->path = strdup(path);
    if (sock->path == NULL || chmod(path, 0666) != 0 || listen(sock->fd, LISTEN_BACKLOG) != 0)
        return listen_fail(sock, address, strerror(errno), err);
    snprintf(sock->name, sizeof sock->name, "%s", address);
    return 0;
}

/* Splits "HOST:PORT" and "[v6]:PORT". */
static int listen_split(const char *address, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
    const char *colon = strrchr(address, ':');
    const char *from = address, *to = colon;
    if (colon == NULL || strlen(colon + 1) >= NI_MAXSERV)
        return -1;
    if (*from == '[') {
        from++;
        if (to == address || *--to != ']')
            return -1;
    }
    if (to <= from || (size_t)(to - from) >= NI_MAXHOST)
        return -1;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    strcpy(port, colon + 1);
    return 0;
}

static void listen_describe(struct listen_socket *sock)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
    if (getsockname(sock->fd, (struct sockaddr *)&bound, &len) == 0)
        (void)getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(sock->name, sizeof sock->name, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
             port);
}

static int listen_inet(struct listen_socket *sock, const char *address, struct error *err)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST};
    const int on = 1;
    if (listen_split(address, host, port) != 0)
        return listen_fail(sock, address, "expected HOST:PORT, [IPv6]:PORT or unix:PATH", err);
    /* No resolver at start-up: localhost is the one name that needs none. */
    int code =
        getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, &found);
    if (code != 0)
        return listen_fail(sock, address, gai_strerror(code), err);
    sock->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock->fd >= 0) {
        (void)setsockopt(sock->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        /* Inherited by what is accepted: the end of a streamed answer must not wait for an ACK. */
        (void)setsockopt(sock->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (found->ai_family == AF_INET6)
            (void)setsockopt(sock->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    bool fine = sock->fd >= 0 && bind(sock->fd, found->ai_addr, found->ai_addrlen) == 0 &&
                listen(sock->fd, LISTEN_BACKLOG) == 0;
    int saved = errno;
    freeaddrinfo(found);
    if (!fine)
        return listen_fail(sock, address, strerror(saved), err);
    listen_describe(sock);
    return 0;
}

/* The path is whoever's who bound it. */
static void listen_describe_unix(struct listen_socket *sock, const struct sockaddr_un *sun,
                                 socklen_t len)
{
    /* Not terminated when it fills all; an abstract one begins with a NUL. */
    size_t room = len - offsetof(struct sockaddr_un, sun_path);
    bool abstract = room > 0 && sun->sun_path[0] == '\0';
    size_t path_len = abstract ? room - 1 : strnlen(sun->sun_path, room);
    snprintf(sock->name, sizeof sock->name, "unix:%s%.*s", abstract ? "@" : "", (int)path_len,
             sun->sun_path + (abstract ? 1 : 0));
}

void listen_take(struct listen_socket *sock, int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    const int on = 1;
    *sock = (struct listen_socket){.fd = fd, .passed = true};
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0 && bound.ss_family == AF_UNIX) {
        listen_describe_unix(sock, (const struct sockaddr_un *)&bound, len);
    } else {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        listen_describe(sock);
    }
}

int listen_open(struct listen_socket *sock, const char *address, struct error *err)
{
    *sock = (struct listen_socket){.fd = -1};
    return strncmp(address, "unix:", 5) == 0 ? listen_unix(sock, address, err)
                                             : listen_inet(sock, address, err);
}

#ifndef __GLIBC__
/* musl's knows no Unix sockets, and evhttp, which asks it who each connection comes from, ends the
 * process when it fails. Nobody here wants more than numbers: of a Unix socket what glibc says. */
int getnameinfo(const struct sockaddr *restrict address, socklen_t address_len, char *restrict host,
                socklen_t host_len, char *restrict service, socklen_t service_len, int flags)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    char text[INET6_ADDRSTRLEN] = "localhost";
    unsigned port = 0;
    (void)flags;
    if (address->sa_family == AF_INET && address_len >= sizeof *v4) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6 && address_len >= sizeof *v6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        port = ntohs(v6->sin6_port);
    } else if (address->sa_family != AF_UNIX) {
        return EAI_FAMILY;
    }
    if (host != NULL && (size_t)snprintf(host, host_len, "%s", text) >= host_len)
        return EAI_OVERFLOW;
    if (service != NULL && (size_t)snprintf(service, service_len, "%u", port) >= service_len)
        return EAI_OVERFLOW;
    return 0;
}
#endif
