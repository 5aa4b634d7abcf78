#include "server/conn_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/secure.h"

struct address conn_peer(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    struct address address = {ADDRESS_NONE, {0}};
    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return address;
    if (peer.ss_family == AF_UNIX) {
        address.family = ADDRESS_UNIX;
    } else if (peer.ss_family == AF_INET) {
        address.family = ADDRESS_IPV4;
        memcpy(address.bytes, &((struct sockaddr_in *)&peer)->sin_addr, 4);
    } else if (peer.ss_family == AF_INET6) {
        address = address_from_ipv6(((struct sockaddr_in6 *)&peer)->sin6_addr.s6_addr);
    }
    return address;
}

/* What the kernel knows of the connection; zeros when it is no TCP. */
static struct tcp_info conn_info(const struct conn *conn)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        memset(&info, 0, sizeof info);
    return info;
}

bool conn_reset(const struct conn *conn)
{
    return conn_info(conn).tcpi_state == TCP_CLOSE;
}

/* Whether the peer broke the connection off: a reset came, or what was sent is not acknowledged. */
static bool conn_broken(const struct conn *conn)
{
    struct tcp_info info = conn_info(conn);
    return info.tcpi_state == TCP_CLOSE || info.tcpi_unacked > 0;
}

bool conn_gone(const struct conn *conn)
{
    char c;
    if (conn != NULL && conn->secure)
        return secure_gone(conn->bev);
    ssize_t n = conn == NULL ? 0 : recv(conn->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void conn_watch(struct conn *conn, struct engine *engine, uint64_t receipt, bool keep)
{
    if (conn_gone(conn)) {
        engine_lost(engine, receipt);
        return;
    }
    conn->receipt = receipt;
    conn->answered = false;
    conn->keep = keep;
}

void conn_judge(struct conn *conn)
{
    if (conn->receipt != 0 && (!conn->answered || (conn->keep && conn_broken(conn))))
        engine_lost(conn->loop->engine, conn->receipt);
}

bool conn_unread(const struct conn *conn)
{
    int waiting = 0, fd = bufferevent_getfd(conn->bev);
    if (conn->secure && secure_holds(conn->bev))
        return true;
    return fd >= 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}
