#include "server/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/listen.h"
#include "server/loop.h"
#include "server/reserve.h"

/* Descriptors that connections leave alone: listeners, the database's files, the log. */
#define SERVER_RESERVED 64

struct server {
    struct listen_socket *sockets;
    size_t socket_count;
    struct loop *loops;
    unsigned loop_count;
    unsigned started;                 /* threads */
    struct server_options options[2]; /* the caller's, the caps fitted to this process; a reload
                                       * fills in the other, while loops still look at the one */
    unsigned current;
    struct shared shared;
};

static void server_on_log(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN)
        log_warn("libevent: %s", text);
    else
        log_debug("libevent: %s", text);
}

/* TCP speaks TLS when there is a certificate; Unix sockets and admin-listen never do. */
static enum door_kind server_door(const struct server *server, const struct listen_socket *socket,
                                  enum door_kind door)
{
    bool secure = door == DOOR_MAIN && server->options[server->current].tls != NULL &&
                  strncmp(socket->name, "unix:", strlen("unix:")) != 0;
    return secure ? DOOR_TLS : door;
}

static int server_listen_at(struct server *server, enum door_kind door, char *const *addresses,
                            size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct listen_socket *socket = &server->sockets[server->socket_count];
        if (listen_open(socket, addresses[i], err) != 0)
            return -1;
        socket->door = server_door(server, socket, door);
        server->socket_count++;
    }
    return 0;
}

static void server_take_passed(struct server *server, const struct server_options *options)
{
    for (size_t i = 0; i < options->passed_count; i++) {
        struct listen_socket *socket = &server->sockets[server->socket_count++];
        listen_take(socket, options->passed[i].fd);
        socket->door =
            server_door(server, socket, options->passed[i].admin ? DOOR_ADMIN : DOOR_MAIN);
    }
}

static bool server_has(const struct server *server, bool admin)
{
    for (size_t i = 0; i < server->socket_count; i++)
        if ((server->sockets[i].door == DOOR_ADMIN) == admin)
            return true;
    return false;
}

static const char *server_door_name(enum door_kind door)
{
    return door == DOOR_TLS ? " with TLS" : door == DOOR_ADMIN ? " for admin" : "";
}

static int server_listen(struct server *server, const struct server_options *options,
                         struct error *err)
{
    server->sockets =
        calloc(options->listen_count + options->admin_listen_count + options->passed_count,
               sizeof *server->sockets);
    if (server->sockets == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    server_take_passed(server, options);
    if (!server_has(server, false) &&
        server_listen_at(server, DOOR_MAIN, options->listen, options->listen_count, err) != 0)
        return -1;
    if (server_has(server, true))
        return 0;
    return server_listen_at(server, DOOR_ADMIN, options->admin_listen, options->admin_listen_count,
                            err);
}

/* Every connection needs a descriptor, and SQLite some when least expected. */
static void server_fit(struct server_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    size_t most = limit.rlim_cur > 2 * SERVER_RESERVED ? (size_t)limit.rlim_cur - SERVER_RESERVED
                                                       : (size_t)limit.rlim_cur / 2;
    if (options->max_connections <= most)
        return;
    log_warn("max-connections is lowered to %zu: the process may open %llu files", most,
             (unsigned long long)limit.rlim_cur);
    options->max_connections = most;
}

static int server_loops(struct server *server, const struct server_options *options,
                        const struct access *access, struct engine *engine, struct error *err)
{
    server->loops = calloc(options->threads, sizeof *server->loops);
    if (server->loops == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    for (unsigned i = 0; i < options->threads; i++) {
        struct loop *loop = &server->loops[i];
        loop->options = options;
        loop->access = access;
        loop->engine = engine;
        loop->shared = &server->shared;
        server->loop_count++;
        if (loop_init(loop, server->sockets, server->socket_count, err) != 0)
            return -1;
    }
    server->shared.loops = server->loops;
    server->shared.loop_count = server->loop_count;
    for (unsigned i = 0; i < options->threads; i++) {
        atomic_fetch_add(&server->shared.running, 1);
        if (loop_start(&server->loops[i], err) != 0) {
            atomic_fetch_sub(&server->shared.running, 1);
            return -1;
        }
        server->started++;
    }
    return 0;
}

/* Makes the caller's options its own, in the place that no loop looks at. */
static const struct server_options *server_take(struct server *server,
                                                const struct server_options *options)
{
    server->current = 1 - server->current;
    server->options[server->current] = *options;
    server_fit(&server->options[server->current]);
    return &server->options[server->current];
}

int server_start(struct server **out, const struct server_options *options,
                 const struct access *access, struct engine *engine, struct error *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    reserve_begin();
    event_set_log_callback(server_on_log);
    pthread_mutex_init(&server->shared.settling_mutex, NULL);
    pthread_mutex_init(&server->shared.reload.mutex, NULL);
    pthread_cond_init(&server->shared.reload.taken, NULL);
    list_init(&server->shared.settling);
    server->shared.began_ms = clock_mono_ms();
    server->shared.started_ms = clock_wall_ms();
    page_init(&server->shared.page);
    server->shared.buckets = buckets_new(options->limit_events, options->limit_bytes);
    if (server->shared.buckets == NULL ||
        page_make(&server->shared.page, options->routes.prefixes[0]) != 0) {
        error_set(err, "out of memory");
        server_free(server);
        return -1;
    }
    options = server_take(server, options);
    if (server_listen(server, options, err) != 0 ||
        server_loops(server, options, access, engine, err) != 0) {
        server_drain(server);
        server_join(server);
        *out = server;
        return -1;
    }
    for (size_t i = 0; i < server->socket_count; i++)
        log_info("listening on %s%s", server->sockets[i].name,
                 server_door_name(server->sockets[i].door));
    *out = server;
    return 0;
}

void server_reload(struct server *server, const struct server_options *options,
                   const struct access *access)
{
    struct reload *reload = &server->shared.reload;
    reload->options = server_take(server, options);
    reload->access = access;
    reload->left = server->started;
    buckets_rates(server->shared.buckets, options->limit_events, options->limit_bytes);
    for (unsigned i = 0; i < server->started; i++)
        mailbox_post(server->loops[i].mailbox, &server->loops[i].reload_mail);
    pthread_mutex_lock(&reload->mutex);
    while (reload->left > 0)
        pthread_cond_wait(&reload->taken, &reload->mutex);
    pthread_mutex_unlock(&reload->mutex);
}

void server_drain(struct server *server)
{
    for (unsigned i = 0; i < server->started; i++)
        mailbox_post(server->loops[i].mailbox, &server->loops[i].drain_mail);
    /* The loops listen on descriptors of their own until the backlog is empty; on those of
     * admin-listen to the end. */
    for (size_t i = 0; i < server->socket_count; i++)
        if (server->sockets[i].door != DOOR_ADMIN)
            listen_close(&server->sockets[i]);
}

bool server_drained(struct server *server)
{
    return atomic_load(&server->shared.running) == 0;
}

bool server_beat(struct server *server)
{
    bool all = true;
    for (unsigned i = 0; i < server->started; i++) {
        struct loop *loop = &server->loops[i];
        if (atomic_load(&loop->ended))
            continue;
        /* A mail is posted again only when it has been opened. */
        if (atomic_load(&loop->asked)) {
            all = false;
            continue;
        }
        atomic_store(&loop->asked, true);
        mailbox_post(loop->mailbox, &loop->beat_mail);
    }
    return all;
}

size_t server_connections(struct server *server)
{
    return atomic_load(&server->shared.connections);
}

void server_join(struct server *server)
{
    for (unsigned i = 0; i < server->started; i++)
        pthread_join(server->loops[i].thread, NULL);
    server->started = 0;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_clear(&server->loops[i]);
    for (size_t i = 0; i < server->socket_count; i++)
        listen_close(&server->sockets[i]);
    pthread_mutex_destroy(&server->shared.settling_mutex);
    pthread_mutex_destroy(&server->shared.reload.mutex);
    pthread_cond_destroy(&server->shared.reload.taken);
    buckets_free(server->shared.buckets);
    page_clear(&server->shared.page);
    free(server->loops);
    free(server->sockets);
    free(server);
}
