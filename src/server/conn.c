#include "server/conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <event2/buffer.h>
#include <event2/bufferevent_struct.h>

#include "base/clock.h"
#include "server/exchange.h"

/* While draining, a connection just accepted may still send its first request. */
#define CONN_GRACE_MS 1000

static void conn_on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg);

static void conn_free(struct conn *conn)
{
    struct loop *loop = conn->loop;
    list_remove(&conn->node);
    if (conn->fd >= 0 && (size_t)conn->fd < loop->by_fd_size && loop->by_fd[conn->fd] == conn)
        loop->by_fd[conn->fd] = NULL;
    /* The input outlives the conn until libevent finalizes it. */
    (void)evbuffer_remove_cb(bufferevent_get_input(conn->bev), conn_on_input, conn);
    bufferevent_decref(conn->bev);
    guard_clear(&conn->guard);
    free(conn);
}

/* evhttp frees the connection; what hangs on it must know before. */
static void conn_on_close(struct evhttp_connection *evcon, void *arg)
{
    struct conn *conn = arg;
    (void)evcon;
    if (conn->exchange != NULL)
        exchange_gone(conn->exchange);
    conn_free(conn);
}

static int conn_register(struct conn *conn)
{
    struct loop *loop = conn->loop;
    int fd = bufferevent_getfd(conn->bev);
    if (fd < 0)
        return -1;
    if ((size_t)fd >= loop->by_fd_size) {
        size_t size = ((size_t)fd + 1) * 2;
        struct conn **by_fd = realloc(loop->by_fd, size * sizeof *by_fd);
        if (by_fd == NULL)
            return -1;
        memset(by_fd + loop->by_fd_size, 0, (size - loop->by_fd_size) * sizeof *by_fd);
        loop->by_fd = by_fd;
        loop->by_fd_size = size;
    }
    loop->by_fd[fd] = conn;
    conn->fd = fd;
    return 0;
}

/* The first bytes are here, so evhttp has set its callbacks: their argument is its connection. */
static int conn_greet(struct conn *conn)
{
    void *arg = NULL;
    bufferevent_getcb(conn->bev, NULL, NULL, NULL, &arg);
    if (arg == NULL || conn_register(conn) != 0)
        return -1;
    conn->evcon = arg;
    evhttp_connection_set_closecb(conn->evcon, conn_on_close, conn);
    return 0;
}

/* Without memory for what the guard must keep, nothing may be served on the connection. */
static void conn_fail(struct conn *conn)
{
    bufferevent_trigger_event(conn->bev, BEV_EVENT_ERROR | BEV_EVENT_READING,
                              BEV_TRIG_DEFER_CALLBACKS);
}

static void conn_on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;
    (void)input;
    if (info->n_added == 0)
        return;
    if ((conn->evcon == NULL && conn_greet(conn) != 0) || guard_input(&conn->guard) != 0)
        conn_fail(conn);
}

struct bufferevent *conn_accept(struct event_base *base, void *arg)
{
    struct loop *loop = arg;
    struct conn *conn = calloc(1, sizeof *conn);
    /* evhttp makes a bufferevent itself when it gets none; requests on it are refused (conn_of). */
    if (conn == NULL)
        return NULL;
    conn->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (conn->bev == NULL ||
        evbuffer_add_cb(bufferevent_get_input(conn->bev), conn_on_input, conn) == NULL) {
        if (conn->bev != NULL)
            bufferevent_free(conn->bev);
        free(conn);
        return NULL;
    }
    struct bufferevent *bev = conn->bev;
    bufferevent_incref(bev);
    guard_init(&conn->guard, bev, loop->options->max_header, loop->options->max_body);
    conn->loop = loop;
    conn->fd = -1;
    conn->fresh = true;
    conn->since_ms = clock_mono_ms();
    list_append(&loop->conns, &conn->node);
    loop_keep_ticking(loop);
    return bev;
}

struct conn *conn_of(struct loop *loop, struct evhttp_request *request)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(request);
    if (evcon == NULL)
        return NULL;
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
    if (fd < 0 || (size_t)fd >= loop->by_fd_size || loop->by_fd[fd] == NULL ||
        loop->by_fd[fd]->evcon != evcon)
        return NULL;
    return loop->by_fd[fd];
}

void conn_quiet(struct conn *conn)
{
    bufferevent_disable(conn->bev, EV_READ);
}

void conn_next(struct conn *conn)
{
    conn->fresh = false;
    if (guard_next(&conn->guard) != 0)
        conn_fail(conn);
}

/* Whether evhttp has freed its side: it takes its callbacks off first. */
static bool conn_abandoned(struct conn *conn)
{
    bufferevent_event_cb event_cb = NULL;
    bufferevent_getcb(conn->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

void conn_sweep(struct loop *loop)
{
    struct list *node = loop->conns.next;
    while (node != &loop->conns) {
        struct conn *conn = LIST_OF(node, struct conn, node);
        node = node->next;
        if (conn->evcon == NULL && conn_abandoned(conn))
            conn_free(conn);
    }
}

/* Nothing of a request has arrived, not even in the kernel, or may be about to. */
static bool conn_idle(struct conn *conn)
{
    int waiting = 0;
    if (!guard_idle(&conn->guard))
        return false;
    if (conn->fresh && clock_mono_ms() - conn->since_ms < CONN_GRACE_MS)
        return false;
    int fd = bufferevent_getfd(conn->bev);
    return fd < 0 || ioctl(fd, FIONREAD, &waiting) != 0 || waiting == 0;
}

size_t conn_close_idle(struct loop *loop, bool force)
{
    size_t left = 0;
    struct list *node = loop->conns.next;
    while (node != &loop->conns) {
        struct conn *conn = LIST_OF(node, struct conn, node);
        node = node->next;
        if (!force && !conn_idle(conn)) {
            left++;
        } else if (conn->evcon != NULL) {
            evhttp_connection_free(conn->evcon); /* and conn, by conn_on_close */
        } else {
            void *evcon = NULL;
            bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
            if (evcon != NULL)
                evhttp_connection_free(evcon);
            conn_free(conn);
        }
    }
    return left;
}
