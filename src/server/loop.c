#include "server/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/conn.h"
#include "server/dispatch.h"
#include "server/feed.h"
#include "server/ingest.h"
#include "server/intake.h"
#include "server/linger.h"
#include "server/reserve.h"
#include "server/websocket.h"

/* While draining: how often the end is looked for. */
#define LOOP_DRAIN_MS 20
/* While draining: how long new connections are still taken from the backlog at most. */
#define LOOP_BACKLOG_MS 1000

/* libevent hands a listener's error callback evhttp's argument, not ours. */
static _Thread_local struct loop *loop_here;

static void loop_arm_tick(struct loop *loop)
{
    int ms = loop->draining ? LOOP_DRAIN_MS : LOOP_TICK_MS;
    if (loop->settling > 0) {
        int settles_in = intake_settles_in(loop);
        ms = settles_in < ms ? settles_in : ms;
    }
    event_add(loop->tick, &(struct timeval){0, ms * 1000});
    loop->ticking = true;
}

void loop_keep_ticking(struct loop *loop)
{
    if (!loop->ticking)
        loop_arm_tick(loop);
}

static void loop_pause(struct loop *loop, bool pause)
{
    loop->paused = pause;
    for (size_t i = 0; i < loop->socket_count; i++) {
        if (loop->bound[i] == NULL)
            continue;
        /* Who fills the main port must not blind those who watch; SERVER_RESERVED has room. */
        if (pause && !loop->starved && loop->sockets[i].door == DOOR_ADMIN)
            continue;
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(loop->bound[i]);
        if (pause)
            (void)evconnlistener_disable(listener);
        else
            (void)evconnlistener_enable(listener);
    }
}

static bool loop_full(const struct loop *loop)
{
    return atomic_load(&loop->shared->connections) >= loop->options->max_connections;
}

void loop_count_conn(struct loop *loop)
{
    atomic_fetch_add(&loop->shared->connections, 1);
    counter_add(&loop->counters.accepted, 1);
    loop->starved = false;
    if (loop_full(loop) || reserve_short())
        loop_pause(loop, true);
    loop_keep_ticking(loop);
}

/* Mostly EMFILE: the backlog stays readable, so trying again at once would spin. */
static void loop_on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct loop *loop = loop_here;
    int code = errno;
    (void)listener;
    (void)arg;
    if (!loop->starved)
        log_warn("can't accept a connection, trying again until it works: %s", strerror(code));
    counter_add(&loop->counters.accept_failures, 1);
    loop->starved = true;
    loop_pause(loop, true);
    loop_keep_ticking(loop);
}

/* admin-listen stays open to the end: that is how others see that we are on our way out. */
static bool loop_closes_early(const struct loop *loop, size_t n)
{
    return loop->bound[n] != NULL && loop->sockets[n].door != DOOR_ADMIN;
}

static void loop_close(struct loop *loop, size_t n)
{
    evhttp_del_accept_socket(loop->doors[loop->sockets[n].door].http, loop->bound[n]);
    loop->bound[n] = NULL;
}

/* passed: those alone that outlive the process. */
static void loop_stop_listening(struct loop *loop, bool passed)
{
    for (size_t i = 0; i < loop->socket_count; i++)
        if (loop_closes_early(loop, i) && (!passed || loop->sockets[i].passed))
            loop_close(loop, i);
}

static void loop_close_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->socket_count; i++)
        if (loop->bound[i] != NULL)
            loop_close(loop, i);
}

static bool loop_listens(const struct loop *loop)
{
    for (size_t i = 0; i < loop->socket_count; i++)
        if (loop_closes_early(loop, i))
            return true;
    return false;
}

/* Whether a client waits in a backlog. Closing the last descriptor would drop it. */
static bool loop_backlog(struct loop *loop)
{
    for (size_t i = 0; i < loop->socket_count; i++) {
        if (!loop_closes_early(loop, i))
            continue;
        struct pollfd poll_fd = {.fd = evhttp_bound_socket_get_fd(loop->bound[i]),
                                 .events = POLLIN};
        if (poll(&poll_fd, 1, 0) > 0)
            return true;
    }
    return false;
}

/* One look at whether the loop may end. */
static void loop_drain(struct loop *loop)
{
    int64_t left_ms = loop->drain_until_ms - clock_mono_ms();
    bool force = left_ms <= 0;
    /* Who waits behind a passed socket is served by the next process. */
    loop_stop_listening(loop, true);
    if (!loop_backlog(loop) || loop->options->drain_ms - left_ms > LOOP_BACKLOG_MS)
        loop_stop_listening(loop, false);
    size_t left = conn_close_idle(loop, force); /* and may leave some to linger */
    left += linger_sweep(loop, force);
    if (left > 0 || loop->busy > 0 || loop->settling > 0 || loop_listens(loop))
        return;
    /* What came in by it now would be answered by nobody, and looked after by nobody. */
    loop_close_all(loop);
    event_base_loopbreak(loop->base);
}

/* Whoever goes first may fill the queue: by turns. */
static void loop_resume(struct loop *loop, bool all)
{
    loop->websockets_first = !loop->websockets_first;
    if (loop->websockets_first)
        websocket_resume(loop, all);
    ingest_resume(loop);
    if (!loop->websockets_first)
        websocket_resume(loop, all);
}

static void loop_on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    (void)fd;
    (void)what;
    loop->ticking = false;
    conn_sweep(loop);
    (void)linger_sweep(loop, false);
    feed_tick(loop, clock_mono_ms());
    if (loop->paused && !loop_full(loop) && !reserve_short())
        loop_pause(loop, false);
    intake_settle(loop);
    ingest_expire(loop);
    loop_resume(loop, true);
    if (loop->draining)
        loop_drain(loop);
    if (loop->draining || loop->paused || loop->busy > 0 || loop->lingering > 0 ||
        !list_empty(&loop->conns))
        loop_keep_ticking(loop);
}

static void loop_on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    (void)fd;
    (void)what;
    (void)mailbox_open_all(loop->mailbox);
    loop_resume(loop, false);
}

static void loop_on_drain(struct mail *mail)
{
    struct loop *loop = LIST_OF(mail, struct loop, drain_mail);
    loop->draining = true;
    loop->drain_until_ms = clock_mono_ms() + loop->options->drain_ms;
    loop_arm_tick(loop);
}

static void loop_on_beat(struct mail *mail)
{
    struct loop *loop = LIST_OF(mail, struct loop, beat_mail);
    atomic_store(&loop->asked, false);
}

static int loop_listen(struct loop *loop, size_t n, struct error *err)
{
    int fd = fcntl(loop->sockets[n].fd, F_DUPFD_CLOEXEC, 0);
    struct evconnlistener *listener =
        fd < 0 ? NULL
               : evconnlistener_new(loop->base, NULL, NULL,
                                    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (listener != NULL) {
        evconnlistener_set_error_cb(listener, loop_on_accept_error);
        loop->bound[n] = evhttp_bind_listener(loop->doors[loop->sockets[n].door].http, listener);
        if (loop->bound[n] != NULL)
            return 0;
        evconnlistener_free(listener);
    } else if (fd >= 0) {
        close(fd);
    }
    error_set(err, "can't listen on %s: %s", loop->sockets[n].name, strerror(errno));
    return -1;
}

static struct event_base *loop_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* One thread a base; other threads reach it through the mailbox alone. */
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* The guard keeps both within our own limits; these only stand behind it. */
ev_ssize_t loop_max_header(const struct server_options *options)
{
    return (ev_ssize_t)options->max_header + 1024;
}

ev_ssize_t loop_max_body(const struct server_options *options)
{
    return (ev_ssize_t)options->max_body;
}

static struct timeval loop_timeout(const struct loop *loop)
{
    int64_t ms = loop->options->timeout_ms;
    return (struct timeval){ms / 1000, (ms % 1000) * 1000};
}

/* Of connections to come. */
static void loop_limits(struct door *door)
{
    const struct server_options *options = door->loop->options;
    const struct timeval timeout = loop_timeout(door->loop);
    evhttp_set_max_headers_size(door->http, loop_max_header(options));
    evhttp_set_max_body_size(door->http, loop_max_body(options));
    evhttp_set_timeout_tv(door->http, &timeout);
}

static void loop_furnish(struct door *door)
{
    loop_limits(door);
    evhttp_set_allowed_methods(door->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                               EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                               EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_default_content_type(door->http, NULL);
    evhttp_set_bevcb(door->http, conn_accept, door);
    evhttp_set_gencb(door->http, dispatch_begin, door);
}

/* Between two events, where nobody has a pointer into what is replaced. */
static void loop_on_reload(struct mail *mail)
{
    struct loop *loop = LIST_OF(mail, struct loop, reload_mail);
    struct reload *reload = &loop->shared->reload;
    const struct access *before = loop->access;
    bool timeout = loop->options->timeout_ms != reload->options->timeout_ms;
    loop->options = reload->options;
    loop->access = reload->access;
    for (size_t i = 0; i < DOOR_KINDS; i++)
        if (loop->doors[i].http != NULL)
            loop_limits(&loop->doors[i]);
    if (!loop->paused && loop_full(loop)) { /* a higher cap is seen by the tick */
        loop_pause(loop, true);
        loop_keep_ticking(loop);
    }
    const struct timeval wait = loop_timeout(loop);
    conn_renew(loop, before, timeout ? &wait : NULL);
    pthread_mutex_lock(&reload->mutex);
    if (--reload->left == 0)
        pthread_cond_signal(&reload->taken);
    pthread_mutex_unlock(&reload->mutex);
}

static int loop_open_doors(struct loop *loop)
{
    for (size_t i = 0; i < loop->socket_count; i++) {
        struct door *door = &loop->doors[loop->sockets[i].door];
        if (door->http != NULL)
            continue;
        door->loop = loop;
        door->kind = loop->sockets[i].door;
        door->http = evhttp_new(loop->base);
        if (door->http == NULL)
            return -1;
        loop_furnish(door);
    }
    return 0;
}

int loop_init(struct loop *loop, struct listen_socket *sockets, size_t count, struct error *err)
{
    list_init(&loop->conns);
    list_init(&loop->lingers);
    list_init(&loop->held);
    list_init(&loop->pending);
    list_init(&loop->blocked);
    list_init(&loop->pushes);
    list_init(&loop->feeds);
    uuid_source_init(&loop->uuids);
    loop->sockets = sockets;
    loop->socket_count = count;
    loop->reload_mail.open = loop_on_reload;
    loop->drain_mail.open = loop_on_drain;
    loop->beat_mail.open = loop_on_beat;
    loop->bound = calloc(count, sizeof(struct evhttp_bound_socket *));
    loop->mailbox = mailbox_new();
    loop->base = loop_base();
    if (loop->bound == NULL || loop->mailbox == NULL || loop->base == NULL ||
        loop_open_doors(loop) != 0)
        goto memory;
    loop->mail =
        event_new(loop->base, mailbox_fd(loop->mailbox), EV_READ | EV_PERSIST, loop_on_mail, loop);
    loop->tick = event_new(loop->base, -1, 0, loop_on_tick, loop);
    if (loop->mail == NULL || loop->tick == NULL || event_add(loop->mail, NULL) != 0)
        goto memory;
    for (size_t i = 0; i < count; i++)
        if (loop_listen(loop, i, err) != 0)
            return -1;
    return 0;
memory:
    error_set(err, "can't make a loop: out of memory or descriptors");
    return -1;
}

static void *loop_main(void *arg)
{
    struct loop *loop = arg;
    loop_here = loop;
    (void)event_base_dispatch(loop->base);
    /* libevent frees bufferevents in the turn after. */
    (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
    loop->ended = true;
    atomic_fetch_sub(&loop->shared->running, 1);
    return NULL;
}

int loop_start(struct loop *loop, struct error *err)
{
    int code = pthread_create(&loop->thread, NULL, loop_main, loop);
    if (code == 0)
        return 0;
    error_set(err, "can't start a loop thread: %s", strerror(code));
    return -1;
}

void loop_clear(struct loop *loop)
{
    /* Readings given up while a reader thread was at them. */
    if (loop->mailbox != NULL)
        (void)mailbox_open_all(loop->mailbox);
    if (loop->mail != NULL)
        event_free(loop->mail);
    if (loop->tick != NULL)
        event_free(loop->tick);
    for (size_t i = 0; i < DOOR_KINDS; i++)
        if (loop->doors[i].http != NULL)
            evhttp_free(loop->doors[i].http);
    if (loop->lingering > 0) /* of connections that were open until now */
        (void)linger_sweep(loop, true);
    if (loop->base != NULL)
        event_base_free(loop->base);
    if (loop->mailbox != NULL)
        mailbox_free(loop->mailbox);
    free(loop->bound);
    free(loop->by_fd);
}
