#include "server/conn_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/dispatch.h"
#include "server/exchange.h"
#include "server/feed.h"
#include "server/inflow.h"
#include "server/linger.h"
#include "server/secure.h"
#include "server/websocket.h"

/* Written to one connection before the others have their turn. */
#define CONN_WRITE_BYTES (64 << 10)
/* A request of this size is taken in even while all together are too much: an ordinary batch must
 * not wait for the large ones. */
#define CONN_SMALL_BYTES (16 << 10)
/* While draining, a connection just accepted may still send its first request. */
#define CONN_GRACE_MS 1000

void conn_count(struct conn *conn, int64_t bytes)
{
    if (bytes != conn->counted)
        atomic_fetch_add(&conn->loop->shared->receiving, bytes - conn->counted);
    conn->counted = bytes;
}

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
    conn_count(conn, 0);
    atomic_fetch_sub(&loop->shared->connections, 1);
    guard_clear(&conn->guard);
    free(conn);
}

/* Whether the client may be in the middle of sending, and is to get the answer that is on its way.
 * One that was too slow to send has had its time. */
static bool conn_lingers(const struct conn *conn)
{
    const struct guard *guard = &conn->guard;
    if (conn->websocket != NULL || !conn->answered || guard->refuse == 408)
        return false;
    return guard->refuse != 0 || guard->closing || conn_unread(conn);
}

/* evhttp frees the connection; what hangs on it must know before. */
static void conn_on_close(struct evhttp_connection *evcon, void *arg)
{
    struct conn *conn = arg;
    (void)evcon;
    bool whole = conn->exchange == NULL; /* no streamed answer is cut off */
    conn_judge(conn);
    if (conn->exchange != NULL)
        exchange_gone(conn->exchange);
    if (conn->websocket != NULL)
        websocket_gone(conn->websocket);
    if (conn->secure && whole)
        secure_bye(conn->bev);
    if (whole && conn_lingers(conn))
        linger_begin(conn->loop, conn->fd);
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
    conn->peer = conn_peer(conn->fd);
    evhttp_connection_set_closecb(conn->evcon, conn_on_close, conn);
    return 0;
}

void conn_read(struct conn *conn)
{
    conn_count(conn, 0);
}

bool conn_too_much(const struct conn *conn)
{
    return atomic_load(&conn->loop->shared->receiving) > conn->loop->options->max_receiving;
}

bool conn_crowded(const struct conn *conn)
{
    return atomic_load(&conn->loop->shared->receiving) > conn->loop->options->max_receiving / 2;
}

/* Takes note of what the guard has made of new bytes. */
static void conn_account(struct conn *conn, enum guard_phase before, bool idle)
{
    enum guard_phase phase = conn->guard.phase;
    if (phase != before || idle)
        conn->phase_ms = clock_mono_ms();
    conn_count(conn, (int64_t)guard_bytes(&conn->guard));
    if ((phase == GUARD_BODY || phase == GUARD_CHUNKS) && conn->stalled_ms == 0 &&
        conn->counted > CONN_SMALL_BYTES && conn_too_much(conn)) {
        conn->stalled_ms = clock_mono_ms();
        conn_quiet(conn);
    }
}

/* Without memory for what the guard must keep, nothing may be served on the connection. */
static void conn_fail(struct conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    /* evhttp is told of the input before it hears of the end. */
    conn->guard.touching = true;
    (void)evbuffer_drain(input, evbuffer_get_length(input));
    conn->guard.touching = false;
    bufferevent_trigger_event(conn->bev, BEV_EVENT_ERROR | BEV_EVENT_READING,
                              BEV_TRIG_DEFER_CALLBACKS);
}

/* The next request has the limits of now. evhttp's stand behind the guard's, and must never be met
 * by a request that the guard has let through. */
static void conn_limits(struct conn *conn)
{
    const struct server_options *options = conn->loop->options;
    struct guard *guard = &conn->guard;
    if (guard->max_header == options->max_header && guard->max_body == options->max_body)
        return;
    guard->max_header = options->max_header;
    guard->max_body = options->max_body;
    evhttp_connection_set_max_headers_size(conn->evcon, loop_max_header(options));
    evhttp_connection_set_max_body_size(conn->evcon, loop_max_body(options));
}

static void conn_on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;
    (void)input;
    if (info->n_added == 0)
        return;
    /* Who sends again has read the answer. */
    if (conn->answered)
        conn->receipt = 0;
    enum guard_phase before = conn->guard.phase;
    bool idle = guard_idle(&conn->guard);
    if (conn->evcon == NULL && conn_greet(conn) != 0) {
        conn_fail(conn);
        return;
    }
    if (idle && !conn->guard.touching)
        conn_limits(conn);
    if (guard_input(&conn->guard) != 0)
        conn_fail(conn);
    else if (!conn->guard.touching)
        conn_account(conn, before, idle);
    if (conn->secure && !conn->guard.touching)
        secure_make_room(conn->bev);
}

static struct bufferevent *conn_bev(const struct door *door, struct event_base *base)
{
    if (door->kind != DOOR_TLS)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    return tls_accept(door->loop->options->tls, base);
}

struct bufferevent *conn_accept(struct event_base *base, void *arg)
{
    struct door *door = arg;
    struct loop *loop = door->loop;
    struct conn *conn = calloc(1, sizeof *conn);
    /* evhttp makes a bufferevent itself when it gets none; requests on it are refused (conn_of). */
    if (conn == NULL)
        return NULL;
    conn->bev = conn_bev(door, base);
    if (conn->bev == NULL ||
        evbuffer_add_cb(bufferevent_get_input(conn->bev), conn_on_input, conn) == NULL) {
        if (conn->bev != NULL)
            bufferevent_free(conn->bev);
        free(conn);
        return NULL;
    }
    struct bufferevent *bev = conn->bev;
    bufferevent_incref(bev);
    /* libevent's 16 KiB would make two thousand turns of the loop of a large answer. */
    (void)bufferevent_set_max_single_write(bev, CONN_WRITE_BYTES);
    guard_init(&conn->guard, bev, loop->options->max_header, loop->options->max_body);
    conn->guard.wants = dispatch_wants;
    conn->guard.wants_arg = conn;
    conn->guard.secure = conn->secure = door->kind == DOOR_TLS;
    conn->loop = loop;
    conn->door = door;
    conn->fd = -1;
    conn->fresh = true;
    conn->since_ms = clock_mono_ms();
    list_append(&loop->conns, &conn->node);
    loop_count_conn(loop);
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

void conn_listen(struct conn *conn)
{
    bufferevent_enable(conn->bev, EV_READ);
    if (conn->secure)
        secure_wake(conn->bev);
}

void conn_shut(struct conn *conn)
{
    if (conn->secure)
        secure_bye(conn->bev);
    (void)shutdown(conn->fd, SHUT_WR);
}

void conn_next(struct conn *conn)
{
    conn->fresh = false;
    conn->answered = true;
    conn->phase_ms = clock_mono_ms();
    conn_count(conn, 0);
    /* evhttp will turn reading on. */
    if (conn->secure)
        secure_wake(conn->bev);
    conn_limits(conn);
    if (guard_next(&conn->guard) != 0)
        conn_fail(conn);
}

void conn_upgrade(struct conn *conn, struct websocket *websocket)
{
    conn->websocket = websocket;
    conn->receipt = 0;
    (void)evbuffer_remove_cb(bufferevent_get_input(conn->bev), conn_on_input, conn);
    guard_clear(&conn->guard);
}

/* Whether evhttp has freed its side: it takes its callbacks off first. */
static bool conn_abandoned(struct conn *conn)
{
    bufferevent_event_cb event_cb = NULL;
    bufferevent_getcb(conn->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

static void conn_give_up(struct conn *conn, int status, const char *why)
{
    conn->stalled_ms = 0;
    conn->phase_ms = clock_mono_ms();
    if (guard_give_up(&conn->guard, status, why) != 0) {
        conn_fail(conn);
        return;
    }
    conn_count(conn, 0);
    bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

/* Ends a request that takes too long to come in. */
static void conn_hurry(struct conn *conn, int64_t now)
{
    const struct server_options *options = conn->loop->options;
    if (conn->guard.phase == GUARD_PASS || guard_idle(&conn->guard))
        return;
    if (conn->guard.phase == GUARD_POUR) {
        if (conn->exchange != NULL && conn->exchange->inflow != NULL)
            inflow_tick(conn->exchange->inflow, now);
    } else if (conn->guard.phase == GUARD_HEAD) {
        if (now - conn->phase_ms > options->head_timeout_ms)
            conn_give_up(conn, 408, "the request head took too long");
    } else if (now - conn->phase_ms > options->body_timeout_ms) {
        conn_give_up(conn, 408, "the request body took too long");
    } else if (conn->stalled_ms != 0 && !conn_too_much(conn)) {
        conn->stalled_ms = 0;
        conn_listen(conn);
    } else if (conn->stalled_ms != 0 && now - conn->stalled_ms > options->hold_ms) {
        conn_give_up(conn, 503, "too much is being sent at once; send it again");
    }
}

/* Ends a handshake that takes too long, and a record between two requests that does. A client that
 * is there and sends nothing is evhttp's timeout's business, which any byte pushes away. */
static void conn_hurry_record(struct conn *conn, int64_t now)
{
    if (!secure_half(conn->bev)) {
        conn->half_ms = 0;
        return;
    }
    if (conn->half_ms == 0)
        conn->half_ms = conn->evcon == NULL ? conn->since_ms : now;
    if (now - conn->half_ms <= conn->loop->options->head_timeout_ms)
        return;
    conn->half_ms = now;
    bufferevent_trigger_event(conn->bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING,
                              BEV_TRIG_DEFER_CALLBACKS);
}

/* evhttp has let go of it before its first request. */
static void conn_drop(struct conn *conn)
{
    if (conn->secure && log_enabled(LOG_LEVEL_DEBUG)) {
        const char *why = secure_failure(conn->bev);
        if (*why != '\0')
            log_debug("a TLS handshake failed: %s", why);
    }
    conn_free(conn);
}

void conn_sweep(struct loop *loop)
{
    int64_t now = clock_mono_ms();
    struct list *node = loop->conns.next;
    while (node != &loop->conns) {
        struct conn *conn = LIST_OF(node, struct conn, node);
        node = node->next;
        if (conn->websocket != NULL) {
            websocket_tick(conn->websocket, now);
        } else if (conn->evcon == NULL && conn_abandoned(conn)) {
            conn_drop(conn);
        } else {
            if (conn->secure && guard_idle(&conn->guard))
                conn_hurry_record(conn, now);
            if (conn->evcon != NULL)
                conn_hurry(conn, now);
        }
    }
}

static void conn_retime(struct conn *conn, const struct timeval *timeout)
{
    void *evcon = conn->evcon;
    if (evcon == NULL && !conn_abandoned(conn))
        bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
    if (evcon != NULL)
        evhttp_connection_set_timeout_tv(evcon, timeout);
}

void conn_renew(struct loop *loop, const struct access *before, const struct timeval *timeout)
{
    struct list *node = loop->conns.next;
    while (node != &loop->conns) {
        struct conn *conn = LIST_OF(node, struct conn, node);
        const struct exchange *exchange = conn->exchange;
        node = node->next;
        if (conn->websocket != NULL) {
            websocket_renew(conn->websocket, before, timeout);
            continue;
        }
        if (timeout != NULL)
            conn_retime(conn, timeout);
        if (exchange != NULL && exchange->feed != NULL)
            feed_renew(exchange->feed);
        else if (exchange != NULL && exchange->inflow != NULL)
            inflow_renew(exchange->inflow);
    }
}

/* Nothing of a request has arrived, not even in the kernel, or may be about to. */
static bool conn_idle(struct conn *conn)
{
    if (!guard_idle(&conn->guard))
        return false;
    if (conn->fresh && clock_mono_ms() - conn->since_ms < CONN_GRACE_MS)
        return false;
    return !conn_unread(conn);
}

size_t conn_close_idle(struct loop *loop, bool force)
{
    size_t left = 0;
    struct list *node = loop->conns.next;
    while (node != &loop->conns) {
        struct conn *conn = LIST_OF(node, struct conn, node);
        node = node->next;
        if (!force && conn->websocket != NULL) {
            left++;
            websocket_drain(conn->websocket);
        } else if (!force && !conn_idle(conn)) {
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
