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
#include "server/guard.h"
#include "server/loop.h"

struct exchange;

struct conn {
    struct list node; /* in loop->conns */
    struct loop *loop;
    struct bufferevent *bev;         /* our reference */
    struct evhttp_connection *evcon; /* NULL until the first byte came */
    int fd;                          /* -1 until then */
    struct guard guard;
    bool fresh;                /* no request has been answered on it yet */
    int64_t since_ms;          /* accepted; monotonic */
    struct exchange *exchange; /* the streamed answer under way, NULL for none */
};

/* evhttp_set_bevcb's callback: a bufferevent for what was just accepted. arg is the loop. */
struct bufferevent *conn_accept(struct event_base *base, void *arg);

/* The conn of a request, NULL when its connection has gone. */
struct conn *conn_of(struct loop *loop, struct evhttp_request *request);

/* Stops reading while an answer is written: what is pipelined stays in the kernel, and a client
 * that has closed its half still gets its answer. evhttp starts reading again behind the answer. */
void conn_quiet(struct conn *conn);

/* The answer is written: the next head may come. Called from evhttp's on_complete. */
void conn_next(struct conn *conn);

/* Frees what evhttp has let go of without a word (connections on which nothing was ever sent). */
void conn_sweep(struct loop *loop);

/* Closes connections that wait for nothing; all of them when force is set. Returns how many are
 * left. */
size_t conn_close_idle(struct loop *loop, bool force);

#endif
