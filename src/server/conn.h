/*
 * conn.h: a connection, beside evhttp's own idea of it.
 *
 * evhttp 2.1 tells nothing of a connection before its first whole request, reads heads leniently,
 * and has no hook to answer a bad one. So the bufferevent is made here, a reference to it is kept,
 * and a callback on its input looks at each head before evhttp does (head.h). A head that fails is
 * taken out of the input and replaced by a plain GET, so that evhttp hands the request out like any
 * other and it is answered, as JSON with CORS headers, by the same code; the connection is closed
 * behind it.
 *
 * The conn is freed when evhttp frees the connection (conn_of is NULL from then on).
 */
#ifndef BEACOND_SERVER_CONN_H
#define BEACOND_SERVER_CONN_H

#include <event2/bufferevent.h>
#include <event2/http.h>

#include "base/list.h"
#include "server/loop.h"

struct exchange;

enum conn_phase {
    CONN_HEAD,    /* a head is awaited or coming in */
    CONN_BODY,    /* evhttp has the head: body and answer of a request */
    CONN_DISCARD, /* a body over the limit is thrown away before it is answered */
    CONN_REFUSED, /* the stand-in for a bad head is in the input or with evhttp */
};

struct conn {
    struct list node; /* in loop->conns */
    struct loop *loop;
    struct bufferevent *bev;         /* our reference */
    struct evhttp_connection *evcon; /* NULL until the first byte came */
    int fd;                          /* -1 until then */
    enum conn_phase phase;
    bool touching;    /* the input is being changed by us: the callback looks away */
    bool fresh;       /* no request has been answered on it yet */
    size_t seen;      /* of the head: bytes searched for its end */
    uint64_t discard; /* bytes of the body still to be thrown away */
    int refuse;       /* HTTP status of the refusal, 0 for none */
    const char *why;  /* its sentence */
    char *stand_in;   /* the head to put in once discard is 0, malloc'ed */
    size_t stand_in_len;
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
