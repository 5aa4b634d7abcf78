/*
 * guard.h: stands between a connection's input and evhttp.
 *
 * evhttp 2.1 parses heads line by line as they come, leniently, and answers what it refuses with
 * HTML and no CORS headers; there is no hook before the first whole request. So the guard keeps the
 * input to itself until a request is whole, and judges its head (head.h). A fit one is put back for
 * evhttp to read. One that is not is replaced by a plain request for the same path, so that it
 * comes out of evhttp like any other and is answered, with refuse and why, by the same code as
 * everything else. Chunked bodies are decoded here and handed on with a length. So evhttp sees
 * well-formed requests with bodies within the limit, and nothing else.
 *
 * The body of a request of lines (NDJSON) may be of any length: evhttp gets its head as one without
 * a body, and who answers it takes the body from here.
 *
 * The guard acts in a callback on the bufferevent's input, which runs before evhttp is told of it.
 */
#ifndef BEACOND_SERVER_GUARD_H
#define BEACOND_SERVER_GUARD_H

#include <event2/bufferevent.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "server/chunked.h"
#include "server/head.h"

enum guard_phase {
    GUARD_HEAD,    /* a head is awaited or coming in */
    GUARD_BODY,    /* a body of known length is coming in */
    GUARD_CHUNKS,  /* a chunked body is coming in */
    GUARD_DISCARD, /* a body over the limit is thrown away before it is answered */
    GUARD_PASS,    /* the request is evhttp's: body, answer */
    GUARD_POUR,    /* evhttp has the head alone; the body is taken by guard_pour as it comes */
};

/* Whether the body of a request with that (fit) head will be read by anyone: one that is refused by
 * its head alone is not kept. */
typedef bool guard_wants_fn(void *arg, const struct head *head);

struct guard {
    guard_wants_fn *wants; /* asked when a head with a body is in; NULL: every body is kept */
    void *wants_arg;
    struct bufferevent *bev; /* the owner's */
    size_t max_header;       /* bytes of a head */
    size_t max_body;         /* bytes of a body */
    enum guard_phase phase;
    bool secure;            /* bev speaks TLS (secure.h) */
    bool touching;          /* the input is being changed by the guard itself */
    bool unwanted;          /* the body that is coming in is thrown away */
    bool closing;           /* the connection must end behind the answer */
    struct evbuffer *stash; /* what evhttp may not see yet; NULL until needed */
    size_t seen;            /* of the stash: bytes searched for the end of the head */
    size_t need;            /* bytes of the body, in GUARD_BODY */
    struct bytes head;      /* a head taken out of the stash: chunked, or refused */
    struct chunked chunked;
    bool expects;       /* of a poured body: the client waits for 100 Continue; */
    bool poured_chunks; /* it is chunked, */
    uint64_t left;      /* or so much is still to come */
    struct bytes body;  /* decoded so far */
    size_t given;       /* bytes of the request that evhttp has */
    size_t unread;      /* of a poured body: bytes of the head that evhttp has not looked at yet */
    uint64_t discard;   /* bytes still to be thrown away */
    int refuse;         /* the status to answer the request with, 0 for none */
    const char *why;    /* its sentence */
};

void guard_init(struct guard *guard, struct bufferevent *bev, size_t max_header, size_t max_body);
void guard_clear(struct guard *guard);

/* New bytes are in the input. 0, or -1 when out of memory: the connection must end. */
int guard_input(struct guard *guard) MUST_CHECK;

/* The request is answered: the next head may come, and may be in the input already. As guard_input.
 */
int guard_next(struct guard *guard) MUST_CHECK;

/* Refuses the request that is coming in, whatever there is of it: too slow, too much. The caller
 * lets evhttp read. As guard_input. */
int guard_give_up(struct guard *guard, int status, const char *why) MUST_CHECK;

/* Bytes of the request that is coming in, or that evhttp has been given. */
size_t guard_bytes(const struct guard *guard);

/* Whether nothing of a request has come. */
bool guard_idle(const struct guard *guard);

/* In GUARD_POUR: takes about most bytes of the body, at most, from what has come, and appends them
 * to out. 1 when the body has ended, 0 when it has not, -1 when it is malformed or memory ran out:
 * *why, and it may not be called again: what comes behind is no part of anything.
 */
int guard_pour(struct guard *guard, size_t most, struct bytes *out, const char **why) MUST_CHECK;

/* In GUARD_POUR: whether the client waits to be told before it sends any of the body. */
bool guard_pour_asked(const struct guard *guard);

/* In GUARD_POUR: the body is wanted now; whoever waits for that is told. */
void guard_pour_wanted(struct guard *guard);

/* The whole body has been poured: what stands behind it is the next request's. 0, or -1 when out of
 * memory. Without it, the connection must close behind the answer (closing). */
int guard_pour_end(struct guard *guard) MUST_CHECK;

#endif
