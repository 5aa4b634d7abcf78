#include "server/conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <event2/buffer.h>
#include <event2/bufferevent_struct.h>

#include "base/clock.h"
#include "server/exchange.h"
#include "server/head.h"

/* Of a body over the limit so many times the limit are read and thrown away, so that the client has
 * sent all of it and reads the answer; beyond, the connection is closed in its face. */
#define CONN_DISCARD_TIMES 4
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
    free(conn->stand_in);
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

static void conn_drain_input(struct conn *conn, size_t len)
{
    conn->touching = true;
    (void)evbuffer_drain(bufferevent_get_input(conn->bev), len);
    conn->touching = false;
}

static const char conn_plain_stand_in[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/* A line "Name: value" of the stand-in, or nothing. */
static size_t conn_line(char *out, const char *name, struct head_slice value)
{
    if (value.at == NULL)
        return 0;
    size_t n = strlen(name);
    memcpy(out, name, n);
    memcpy(out + n, value.at, value.len);
    memcpy(out + n + value.len, "\r\n", 2);
    return n + value.len + 2;
}

/* Builds the stand-in of a bad head into conn->stand_in. */
static void conn_prepare_stand_in(struct conn *conn, const struct head *head)
{
    struct head_slice target = head->target;
    if (target.at == NULL)
        target = (struct head_slice){"/", 1};
    char *text = malloc(target.len + head->origin.len + head->host.len + 64);
    if (text == NULL)
        return;
    size_t n = 4;
    memcpy(text, "GET ", n);
    memcpy(text + n, target.at, target.len);
    n += target.len;
    memcpy(text + n, " HTTP/1.1\r\n", 11);
    n += 11;
    n += conn_line(text + n, "Host: ", head->host);
    n += conn_line(text + n, "Origin: ", head->origin);
    memcpy(text + n, "\r\n", 2);
    conn->stand_in = text;
    conn->stand_in_len = n + 2;
}

/* Puts the stand-in where evhttp reads it next. */
static void conn_stand_in(struct conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    bool made = conn->stand_in != NULL;
    conn->touching = true;
    /* libevent keeps the end of an input frozen but while it reads into it itself. */
    (void)evbuffer_unfreeze(input, 0);
    (void)evbuffer_add(input, made ? conn->stand_in : conn_plain_stand_in,
                       made ? conn->stand_in_len : sizeof conn_plain_stand_in - 1);
    (void)evbuffer_freeze(input, 0);
    conn->touching = false;
    free(conn->stand_in);
    conn->stand_in = NULL;
    conn->phase = CONN_REFUSED;
}

/* Throws away what has come of a body over the limit; answers when that was all of it. */
static void conn_discard(struct conn *conn)
{
    size_t have = evbuffer_get_length(bufferevent_get_input(conn->bev));
    size_t take = have < conn->discard ? have : (size_t)conn->discard;
    conn_drain_input(conn, take);
    conn->discard -= take;
    if (conn->discard > 0)
        return;
    conn_drain_input(conn, have - take);
    conn_stand_in(conn);
}

/* Takes the bad head out of the input; the slices of head point into it. */
static void conn_refuse(struct conn *conn, const struct head *head, size_t len)
{
    uint64_t most = (uint64_t)conn->loop->options->max_body * CONN_DISCARD_TIMES;
    conn->refuse = head->refuse;
    conn->why = head->why;
    conn->phase = CONN_DISCARD;
    conn->discard = 0;
    conn_prepare_stand_in(conn, head);
    if (head->refuse == 413 && head->content_length <= most)
        conn->discard = head->content_length;
    conn_drain_input(conn, len);
    conn_discard(conn);
}

static void conn_refuse_long(struct conn *conn)
{
    struct head head = {.refuse = 431, .why = "request head over the limit"};
    conn_refuse(conn, &head, 0);
}

/* Looks at the head at the front of the input, if it is there as a whole. */
static void conn_look(struct conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t have = evbuffer_get_length(input), most = conn->loop->options->max_header;
    /* One byte over the limit is enough to know. */
    size_t view = have < most + 1 ? have : most + 1;
    if (view == 0)
        return;
    conn->touching = true;
    const char *text = (const char *)evbuffer_pullup(input, (ev_ssize_t)view);
    conn->touching = false;
    /* Empty lines before a request line are to be ignored (RFC 9112, 2.2); evhttp would not. */
    if (text != NULL && conn->seen == 0 && (text[0] == '\r' || text[0] == '\n')) {
        size_t empty = 1;
        while (empty < view && (text[empty] == '\r' || text[empty] == '\n'))
            empty++;
        conn_drain_input(conn, empty);
        conn_look(conn); /* once: it begins with something else now, or is empty */
        return;
    }
    size_t len = text == NULL ? 0 : head_end(text, view, &conn->seen);
    if (len == 0 && (view > most || text == NULL)) {
        conn_refuse_long(conn);
    } else if (len > 0) {
        struct head head;
        head_check(text, len, conn->loop->options->max_body, &head);
        conn->phase = CONN_BODY;
        if (head.refuse != 0)
            conn_refuse(conn, &head, len);
    }
}

static void conn_on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;
    (void)input;
    if (conn->touching || info->n_added == 0)
        return;
    if (conn->evcon == NULL && conn_greet(conn) != 0) {
        /* Out of memory: without a conn nothing may be served on it. */
        bufferevent_trigger_event(conn->bev, BEV_EVENT_ERROR | BEV_EVENT_READING,
                                  BEV_TRIG_DEFER_CALLBACKS);
        return;
    }
    if (conn->phase == CONN_HEAD)
        conn_look(conn);
    else if (conn->phase == CONN_DISCARD)
        conn_discard(conn);
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
    conn->phase = CONN_HEAD;
    conn->seen = 0;
    conn->fresh = false;
    /* What was pipelined behind the last request is in the input already. */
    conn_look(conn);
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
    if (conn->phase != CONN_HEAD || evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)
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
