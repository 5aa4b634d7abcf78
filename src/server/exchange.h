/*
 * exchange.h: one request and its answer, and the one place that sends answers.
 *
 * An exchange is made for each request, and owned by its loop until it is answered: ingest and
 * reads wait for the engine meanwhile. It ends by exchange_reply, or by exchange_free behind a
 * streamed answer, and nowhere else. The client may be gone by then: an answer to nobody is
 * harmless.
 */
#ifndef BEACOND_SERVER_EXCHANGE_H
#define BEACOND_SERVER_EXCHANGE_H

#include <event2/buffer.h>
#include <event2/http.h>

#include "base/bytes.h"
#include "engine/rope.h"
#include "contract/address.h"
#include "server/intake.h"
#include "server/loop.h"
#include "server/route.h"

#define EXCHANGE_KEY_SIZE 257 /* a key and its NUL, see access_add_key */

struct inquiry;

struct exchange {
    struct loop *loop;
    struct evhttp_request *request; /* NULL once evhttp has freed it: the client has gone */
    struct conn *conn;              /* NULL when the client has gone */
    enum route_place place;
    enum route_action action;
    bool head;                   /* HEAD: headers alone */
    bool origin_allowed;         /* of pages of the request's Origin: CORS headers go out */
    const char *query;           /* behind '?', NULL for none; the request's memory */
    char key[EXCHANGE_KEY_SIZE]; /* of the path, or of the query; "" for none */
    int64_t began_ms;            /* monotonic */

    struct intake intake;      /* ingest */
    struct address client;     /* ingest: whom the limits count it for */
    struct inflow *inflow;     /* ingest of lines: inflow.c's */
    struct query *query_state; /* read: query.c's */
    struct feed *feed;         /* Server-Sent Events: feed.c's */
    struct inquiry *inquiry;   /* stats, rejects: under way, inquire.c's */
};

/* A header of the request; NULL when it has none of that name. */
const char *exchange_header(const struct exchange *exchange, const char *name);

#define EXCHANGE_MORE 8

/* Headers beside those of every answer; NULL or 0 for none. */
struct exchange_extra {
    const char *allow;  /* Allow, with 405 */
    int retry_after;    /* seconds; 503 says 1 when nothing is set */
    bool close;         /* close the connection behind the answer */
    bool cacheable;     /* Cache-Control: private, no-cache; else no-store */
    const char *etag;   /* ETag */
    bool gzip;          /* Content-Encoding: gzip */
    bool vary_encoding; /* Vary names Accept-Encoding */
    bool upgrade;       /* say what to upgrade to, with 426 */
    const char *type;   /* Content-Type, application/json when NULL */
    struct {
        const char *name, *value;
    } more[EXCHANGE_MORE]; /* others, the first without a name ends them */
    bool length_unknown;   /* a HEAD whose GET would be streamed: no Content-Length */

    const char *cache_control; /* in place of what cacheable says */
    const char *vary;          /* in place of Origin and what vary_encoding says */
};

/* Answers with a JSON body (taken over and emptied; NULL for none) and ends the exchange, which is
 * freed. */
void exchange_reply(struct exchange *exchange, int status, struct bytes *body,
                    const struct exchange_extra *extra);
void exchange_reply_rope(struct exchange *exchange, int status, struct rope *body,
                         const struct exchange_extra *extra);

/* Likewise with what is in buffer (taken over; NULL: there was no memory for it). */
void exchange_reply_buffer(struct exchange *exchange, int status, struct evbuffer *buffer,
                           const struct exchange_extra *extra);

/* Answers {"error": text}. */
void exchange_error(struct exchange *exchange, int status, const char *text,
                    const struct exchange_extra *extra);

/* Answers 503 without a body to a request for whose answer there is no memory, and closes behind
 * it. Without CORS: to a page it looks like a connection that has failed, which it tries again as
 * well. */
void exchange_decline(struct evhttp_request *request);

/* Whether the connection stays open behind the answer. */
bool exchange_keeps(const struct exchange *exchange);

/* Sets the headers of an answer that is streamed. request and conn must be there. */
void exchange_headers(struct exchange *exchange, int status, const struct exchange_extra *extra);

/* Sends a chunk of an answer that is streamed; done is called once it is out (evhttp's callback).
 * 0, or -1 when out of memory: then the connection must end. buffer stays the caller's, and is
 * empty then. */
int exchange_chunk(struct evhttp_request *request, struct evbuffer *buffer,
                   void (*done)(struct evhttp_connection *connection, void *arg),
                   void *arg) MUST_CHECK;

/* Frees the exchange, the answer being out, or there being nobody left to answer. */
void exchange_free(struct exchange *exchange);

/* The connection is about to be freed by evhttp: forgets it. */
void exchange_gone(struct exchange *exchange);

#endif
