/*
 * loop.h: one thread that owns connections. See server.h.
 *
 * Everything in struct loop belongs to its thread once it runs, but for what is said otherwise.
 */
#ifndef BEACOND_SERVER_LOOP_H
#define BEACOND_SERVER_LOOP_H

#include <event2/event.h>
#include <event2/http.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/mailbox.h"
#include "contract/uuid.h"
#include "server/counters.h"
#include "server/listen.h"
#include "server/server.h"
#include "server/shared.h"

/* How often a loop looks after what has waited too long, while it has connections. */
#define LOOP_TICK_MS 100

struct conn;
struct follower;

/* An evhttp for all sockets of one kind: it does not tell by which of its own one came in. */
struct door {
    struct loop *loop;
    enum door_kind kind;
    struct evhttp *http; /* NULL when no socket is of that kind */
};

struct loop {
    /* A reload puts others in their places between two events: nobody keeps pointers into them
     * for longer. */
    const struct server_options *options;
    const struct access *access;
    struct engine *engine;

    pthread_t thread;
    struct event_base *base;
    struct door doors[DOOR_KINDS];
    struct mailbox *mailbox; /* answers of the engine, and the order to drain */
    struct event *mail;      /* its descriptor */
    struct event *tick;      /* armed while there are connections, or draining */
    bool ticking;
    bool paused;  /* listeners are off until a tick finds room: out of descriptors, or at the cap */
    bool starved; /* the last accept failed for want of descriptors, and that was logged */
    struct evhttp_bound_socket **bound; /* one a listening socket; NULL when closed */
    struct listen_socket *sockets;      /* the server's */
    size_t socket_count;

    struct uuid_source uuids;
    struct list conns;   /* all connections, struct conn */
    struct conn **by_fd; /* those that have sent something, by descriptor */
    size_t by_fd_size;
    struct list lingers;       /* sockets of connections that are over, struct linger_socket */
    size_t lingering;          /* how many */
    struct list held;          /* POSTs that wait for room, struct intake, oldest first */
    size_t settling;           /* those in shared->settling */
    struct list pending;       /* batches in the writer's hands, struct intake, oldest first */
    struct list blocked;       /* WebSockets that wait for room, struct websocket */
    struct list pushes;        /* those that want pushes, struct push */
    struct follower *follower; /* of the engine, while there are such */
    bool websockets_first;     /* when there is room again: by turns */
    size_t busy;               /* exchanges that wait for the engine: no end before they are done */

    struct list feeds;              /* Server-Sent Events, struct feed */
    struct follower *feed_follower; /* of the engine, while there are such */

    struct mail beat_mail; /* server_beat posts it */

    struct mail reload_mail; /* server_reload posts it */
    struct mail drain_mail;  /* server_drain posts it */
    bool draining;
    int64_t drain_until_ms; /* monotonic */
    atomic_bool asked;      /* beat_mail has not been opened yet */
    atomic_bool ended;      /* the thread has left its base: the engine may be closed */
    struct shared *shared;  /* with the other loops */
    struct counters counters;
};

/* Makes base, evhttp and mailbox and listens on dups of the sockets. 0, or -1 with err (loop_clear
 * it all the same). */
int loop_init(struct loop *loop, struct listen_socket *sockets, size_t count,
              struct error *err) MUST_CHECK;
int loop_start(struct loop *loop, struct error *err) MUST_CHECK; /* runs the thread */
void loop_clear(struct loop *loop); /* after its thread has been joined, or was never started */

/* Counts a connection just accepted; at the cap listening pauses until there are less. */
void loop_count_conn(struct loop *loop);

/* A connection or a waiting request has come: the tick must run. */
void loop_keep_ticking(struct loop *loop);

/* The limits per client, NULL when there are none. */
static inline struct buckets *loop_buckets(const struct loop *loop)
{
    bool limited = loop->options->limit_events > 0 || loop->options->limit_bytes > 0;
    return limited ? loop->shared->buckets : NULL;
}

/* What evhttp is to have as its limits. */
ev_ssize_t loop_max_header(const struct server_options *options);
ev_ssize_t loop_max_body(const struct server_options *options);

#endif
