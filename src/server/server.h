/*
 * server.h: HTTP in front of an engine.
 *
 * Each loop thread has an event_base and an evhttp of its own and owns the connections it accepted,
 * all from the same listening sockets. Loops parse, check and answer; they never touch the store
 * and never block.
 */
#ifndef BEACOND_SERVER_SERVER_H
#define BEACOND_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/access.h"
#include "contract/address.h"
#include "contract/batch.h"
#include "engine/engine.h"
#include "server/files.h"
#include "server/route.h"
#include "server/tls.h"

/* A listening stream socket that is there already. */
struct server_passed {
    int fd;
    bool admin;
};

struct server_options {
    char *const *listen; /* "HOST:PORT", "[v6]:PORT", "unix:PATH" */
    size_t listen_count;
    char *const *admin_listen; /* likewise: probes and metrics, for whoever can reach it */
    size_t admin_listen_count;
    struct tls *tls; /* TCP sockets of listen speak it; NULL: they are plain. The caller's */
    const struct server_passed *passed; /* server_start takes them over, in the place of listen, and
                                         * the admin ones of admin_listen */
    size_t passed_count;
    char *const *admin_host; /* names it may be asked by, see contract/admin_host.h */
    size_t admin_host_count;
    struct routes routes;
    struct files *dashboard; /* served at routes.dashboard; NULL when that is */
    bool dashboard_open;     /* to everyone: no password is asked for */

    const char *app_id;  /* told by ping */
    const char *version; /* likewise */

    size_t max_header;          /* bytes of a request head */
    size_t max_body;            /* bytes of a body on the wire */
    size_t max_inflated;        /* bytes of a body once inflated */
    int64_t max_message;        /* bytes of a WebSocket message, inflated */
    struct batch_limits limits; /* of one event */
    int64_t max_events;         /* in one answer */

    unsigned threads;   /* loops, 1 or more */
    int64_t hold_ms;    /* a request waits so long for a full queue or a sick disk before 503 */
    int64_t drain_ms;   /* a shutdown waits so long for clients */
    int64_t timeout_ms; /* silence after which a connection is closed */
    int64_t head_timeout_ms;          /* from a request's first byte to the end of its head */
    int64_t body_timeout_ms;          /* from there to the end of its body */
    int64_t ping_interval_ms;         /* a WebSocket that is silent so long is pinged; 0: never */
    int64_t max_push;                 /* bytes of pushes that wait for one WebSocket */
    size_t max_connections;           /* at once; lowered to what descriptors there are */
    int64_t max_receiving;            /* bytes of requests that are not read yet, all together */
    size_t max_reads;                 /* answers to reads under way at once */
    int64_t limit_events;             /* a second from one client address; 0 for no limit */
    int64_t limit_bytes;              /* likewise */
    enum address_header proxy_header; /* where trusted proxies tell the client's address */
    const struct address_net *proxies;
    size_t proxy_count;
};

struct server;

/* Binds, then starts the loops; logs "listening on …" per address. options, access and engine must
 * outlive the server. 0, or -1 with err; *out may be set then and is to be freed as below. */
int server_start(struct server **out, const struct server_options *options,
                 const struct access *access, struct engine *engine, struct error *err) MUST_CHECK;

/* Has all loops go by other options, keys and origins. listen, admin_listen and threads are not
 * looked at; the rest may differ. Waits until no loop uses the old ones any more, which the caller
 * may free then: each swaps between two events. The thread that started the server, not once it has
 * been drained; any number of times.
 *
 * Connections stay. Requests under way finish, but for what need not end: a feed and a body of
 * lines whose key or origin is not allowed any more end. max_header and max_body hold from the next
 * request of a connection on, max_message from its next message. A WebSocket goes on while the key
 * that it has sent is one, with the scopes that this has now; else, and when there are keys for the
 * first or last time, it is closed with 1012. All other limits hold at once; a lowered
 * max_connections closes none. */
void server_reload(struct server *server, const struct server_options *options,
                   const struct access *access);

/* Begins to end: what waits in the backlog is accepted, requests under way are finished, idle
 * connections are closed, after drain_ms the rest. admin_listen answers until all loops have ended.
 * Returns at once. Any thread, once. */
void server_drain(struct server *server);

/* Whether all loops have ended. Any thread. */
bool server_drained(struct server *server);

/* Whether every loop that has not ended has come round since this was last asked, true the first
 * time; asks them anew. False for long: one is stuck. Never blocks. One thread at a time, until
 * server_join. */
bool server_beat(struct server *server);

size_t server_connections(struct server *server); /* open at the moment; any thread */

/* Waits for the loops to end; server_drain must have been called. */
void server_join(struct server *server);

/* Frees all, after server_join, and after engine_close: readings that were given up while a reader
 * thread was at them come home as late as that. NULL is fine. */
void server_free(struct server *server);

#endif
