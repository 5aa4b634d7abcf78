/*
 * conn.h: a connection, beside evhttp's own idea of it.
 *
 * evhttp 2.1 tells nothing of a connection before its first whole request. So the bufferevent is
 * made here, a reference to it is kept, and a guard sits on its input.
 *
 * The conn is freed when evhttp frees the connection (conn_of is NULL from then on).
 */
#ifndef BEACOND_SERVER_CONN_H
#define BEACOND_SERVER_CONN_H

#include <event2/bufferevent.h>
#include <event2/http.h>

#include "base/list.h"
#include "contract/address.h"
#include "server/guard.h"
#include "server/loop.h"

struct exchange;
struct websocket;

struct conn {
    struct list node; /* in loop->conns */
    struct loop *loop;
    const struct door *door;         /* it came in by */
    bool secure;                     /* it speaks TLS (secure.h) */
    struct bufferevent *bev;         /* our reference */
    struct evhttp_connection *evcon; /* NULL until the first byte came */
    int fd;                          /* -1 until then */
    struct guard guard;
    bool fresh;          /* no request has been answered on it yet */
    struct address peer; /* who is at the other end; known from the first byte on */
    int64_t counted;     /* of shared->receiving: bytes of the request that is coming in, or that
                          * waits to be read */
    int64_t phase_ms;    /* when the guard's phase began; monotonic */
    int64_t
        stalled_ms; /* when reading was stopped since all together receive too much; 0: it is not */
    int64_t half_ms;             /* when a handshake or a record between requests was first seen
                                  * unfinished; 0: there is none */
    int64_t since_ms;            /* accepted; monotonic */
    uint64_t receipt;            /* of the last answer, which may yet prove lost; 0 for none */
    bool answered;               /* that answer is with the kernel */
    bool keep;                   /* and the connection was to stay open behind it */
    struct exchange *exchange;   /* the streamed answer under way, NULL for none */
    struct websocket *websocket; /* what it has become, NULL while it is HTTP */
};

/* evhttp_set_bevcb's callback: a bufferevent for what was just accepted. arg is the door. */
struct bufferevent *conn_accept(struct event_base *base, void *arg);

/* The conn of a request, NULL when its connection has gone. */
struct conn *conn_of(struct loop *loop, struct evhttp_request *request);

/* Stops reading while an answer is written: what is pipelined stays in the kernel, and a client
 * that has closed its half still gets its answer. evhttp starts reading again behind the answer. */
void conn_quiet(struct conn *conn);

/* Reads again. */
void conn_listen(struct conn *conn);

/* Sends nothing more; what the client sends is read. What waits in the output is not sent. */
void conn_shut(struct conn *conn);

/* Whether the client has closed or reset the connection, as far as can be seen. NULL: it has. */
bool conn_gone(const struct conn *conn);

/* Whether something has come that has not been read, in the kernel too. */
bool conn_unread(const struct conn *conn);

/* Whether a reset has come. */
bool conn_reset(const struct conn *conn);

/* About to answer a batch with a receipt (engine.h): tells the engine if the client has gone, now
 * or as long as that can be noticed. conn may be NULL: gone. keep: the connection stays open behind
 * the answer. */
void conn_watch(struct conn *conn, struct engine *engine, uint64_t receipt, bool keep);

/* The answer is written: the next head may come. Called from evhttp's on_complete. */
void conn_next(struct conn *conn);

/* The body of the request has been read: it is not counted any more. */
void conn_read(struct conn *conn);

/* It is a WebSocket from here on: the guard lets go of it. */
void conn_upgrade(struct conn *conn, struct websocket *websocket);

/* Sets how many bytes of it have come in and have not been read. */
void conn_count(struct conn *conn, int64_t bytes);

/* Whether all connections together have more of those than max-receiving; than half of that. */
bool conn_too_much(const struct conn *conn);
bool conn_crowded(const struct conn *conn);

/* Looks after all connections: frees those that evhttp has let go of without a word (nothing was
 * ever sent on them), ends requests that take too long, goes on reading where it was stopped. */
void conn_sweep(struct loop *loop);

/* The loop has other options, and other keys and origins than before: all connections go by them,
 * see server_reload. timeout: NULL when it is what it was. */
void conn_renew(struct loop *loop, const struct access *before, const struct timeval *timeout);

/* Closes connections that wait for nothing; all of them when force is set. Returns how many are
 * left. */
size_t conn_close_idle(struct loop *loop, bool force);

#endif
