#include "server/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "contract/reply.h"
#include "server/conn.h"
#include "server/feed.h"
#include "server/inflow.h"
#include "server/inquire.h"
#include "server/pour.h"
#include "server/query.h"

/* A browser repeats a preflight after this; Chromium takes no more than 7200. */
#define EXCHANGE_MAX_AGE "7200"

const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(exchange->request), name);
}

bool exchange_keeps(const struct exchange *exchange)
{
    if (exchange->request == NULL || exchange->loop->draining || exchange->request->minor == 0)
        return false;
    const char *connection = exchange_header(exchange, "Connection");
    return connection == NULL || strcasestr(connection, "close") == NULL;
}

/* Whether pages may send cookies along: cross-origin beacons do, and are dropped otherwise. */
static bool exchange_credentials(const struct exchange *exchange)
{
    if (exchange->action == ROUTE_INGEST)
        return true;
    if (exchange->action != ROUTE_OPTIONS)
        return false;
    const char *asked = exchange_header(exchange, "Access-Control-Request-Method");
    return asked != NULL && strcmp(asked, "POST") == 0 &&
           (exchange->place == ROUTE_EVENTS || exchange->place == ROUTE_KEYED);
}

static void exchange_cors(struct exchange *exchange, struct evkeyvalq *out)
{
    const char *origin = exchange_header(exchange, "Origin");
    if (origin == NULL || !exchange->origin_allowed)
        return;
    evhttp_add_header(out, "Access-Control-Allow-Origin", origin);
    if (exchange_credentials(exchange))
        evhttp_add_header(out, "Access-Control-Allow-Credentials", "true");
    if (exchange->action != ROUTE_OPTIONS) {
        evhttp_add_header(out, "Access-Control-Expose-Headers", "Retry-After");
        return;
    }
    evhttp_add_header(out, "Access-Control-Allow-Methods", route_methods(exchange->place));
    evhttp_add_header(out, "Access-Control-Allow-Headers",
                      exchange->place == ROUTE_FEED
                          ? "content-type, content-encoding, x-tracker-key, last-event-id"
                          : "content-type, content-encoding, x-tracker-key");
    evhttp_add_header(out, "Access-Control-Max-Age", EXCHANGE_MAX_AGE);
}

void exchange_headers(struct exchange *exchange, int status, const struct exchange_extra *extra)
{
    static const struct exchange_extra none;
    struct evkeyvalq *out = evhttp_request_get_output_headers(exchange->request);
    /* How long a body of lines takes is up to its client. */
    counters_answer(&exchange->loop->counters, exchange->action, status,
                    exchange->inflow != NULL ? -1 : clock_mono_ms() - exchange->began_ms);
    if (extra == NULL)
        extra = &none;
    exchange_cors(exchange, out);
    evhttp_add_header(out, "Vary",
                      extra->vary != NULL    ? extra->vary
                      : extra->vary_encoding ? "Origin, Accept-Encoding"
                                             : "Origin");
    if (status != 204 && status != 304)
        evhttp_add_header(out, "Content-Type",
                          extra->type != NULL ? extra->type : "application/json");
    for (size_t i = 0; i < EXCHANGE_MORE && extra->more[i].name != NULL; i++)
        evhttp_add_header(out, extra->more[i].name, extra->more[i].value);
    evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(out, "Cache-Control",
                      extra->cache_control != NULL ? extra->cache_control
                      : extra->cacheable           ? "private, no-cache"
                                                   : "no-store");
    if (extra->etag != NULL)
        evhttp_add_header(out, "ETag", extra->etag);
    if (extra->gzip)
        evhttp_add_header(out, "Content-Encoding", "gzip");
    if (extra->allow != NULL)
        evhttp_add_header(out, "Allow", extra->allow);
    if (extra->upgrade) {
        evhttp_add_header(out, "Upgrade", "websocket");
        evhttp_add_header(out, "Connection", "Upgrade");
        evhttp_add_header(out, "Sec-WebSocket-Version", "13");
    }
    int retry_after = extra->retry_after == 0 && status == 503 ? 1 : extra->retry_after;
    if (retry_after > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", retry_after);
        evhttp_add_header(out, "Retry-After", seconds);
    }
    if (extra->close || exchange->loop->draining ||
        (exchange->conn != NULL && exchange->conn->guard.closing))
        evhttp_add_header(out, "Connection", "close");
    if (log_enabled(LOG_LEVEL_DEBUG)) {
        char target[512];
        route_redact(evhttp_request_get_uri(exchange->request), target, sizeof target);
        log_debug("%s %s: %d after %" PRId64 " ms", exchange->head ? "HEAD" : "request", target,
                  status, clock_mono_ms() - exchange->began_ms);
    }
}

void exchange_free(struct exchange *exchange)
{
    if (exchange->conn != NULL)
        exchange->conn->exchange = NULL;
    inflow_free(exchange->inflow);
    intake_clear(&exchange->intake);
    query_free(exchange->query_state);
    feed_free(exchange->feed);
    free(exchange);
}

void exchange_gone(struct exchange *exchange)
{
    exchange->conn = NULL;
    /* Detached by evhttp: ours to answer, which frees it. Otherwise evhttp frees it now. */
    if (evhttp_request_get_connection(exchange->request) != NULL)
        exchange->request = NULL;
    if (exchange->inflow != NULL) {
        inflow_gone(exchange->inflow);
        return;
    }
    /* A stream has no other end than this. */
    if (exchange->query_state != NULL)
        query_gone(exchange);
    else if (exchange->feed != NULL)
        feed_gone(exchange);
    else if (exchange->inquiry != NULL)
        inquire_gone(exchange);
}

void exchange_decline(struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_clear_headers(headers);
    evhttp_add_header(headers, "Retry-After", "1");
    evhttp_add_header(headers, "Connection", "close");
    evhttp_send_reply(request, 503, NULL, NULL);
}

/* evhttp would frame it, and not look whether that worked: what it puts behind a chunk takes as
 * much memory as the last piece in it, and without that the rest can't be read. */
int exchange_chunk(struct evhttp_request *request, struct evbuffer *buffer,
                   void (*done)(struct evhttp_connection *connection, void *arg), void *arg)
{
    int chunked = request->chunked;
    bool framed = chunked != 0 && evbuffer_get_length(buffer) > 0; /* a size of 0 is the end */
    char size[32];
    int len = snprintf(size, sizeof size, "%zx\r\n", evbuffer_get_length(buffer));
    if (framed && (evbuffer_prepend(buffer, size, (size_t)len) != 0 ||
                   evbuffer_add_reference(buffer, "\r\n", 2, NULL, NULL) != 0))
        return -1;
    request->chunked = 0;
    evhttp_send_reply_chunk_with_cb(request, buffer, done, arg);
    request->chunked = chunked;
    return 0;
}

/* Sends what is in buffer (taken over), or for HEAD its length; with NULL a body that there was no
 * memory for. */
static void exchange_send(struct exchange *exchange, int status, struct evbuffer *buffer,
                          const struct exchange_extra *extra)
{
    struct evhttp_request *request = exchange->request;
    struct conn *conn = exchange->conn;
    if (request != NULL) {
        struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
        exchange_headers(exchange, status, extra);
        if (buffer != NULL && exchange->head) {
            char length[32];
            snprintf(length, sizeof length, "%zu", evbuffer_get_length(buffer));
            if (evbuffer_get_length(buffer) > 0 && !(extra != NULL && extra->length_unknown))
                evhttp_add_header(headers, "Content-Length", length);
        }
        if (buffer == NULL) /* an answer cut short would be taken for the whole */
            exchange_decline(request);
        else /* libevent knows no word for 426 */
            evhttp_send_reply(request, status, status == 426 ? "Upgrade Required" : NULL,
                              exchange->head ? NULL : buffer);
        if (conn != NULL)
            conn_quiet(conn);
    }
    if (buffer != NULL)
        evbuffer_free(buffer);
    exchange_free(exchange);
}

void exchange_reply(struct exchange *exchange, int status, struct bytes *body,
                    const struct exchange_extra *extra)
{
    struct evbuffer *buffer = evbuffer_new();
    if (buffer != NULL && body != NULL && pour_bytes(buffer, body) != 0) {
        evbuffer_free(buffer);
        buffer = NULL;
    }
    if (body != NULL)
        bytes_clear(body);
    exchange_send(exchange, status, buffer, extra);
}

void exchange_reply_rope(struct exchange *exchange, int status, struct rope *body,
                         const struct exchange_extra *extra)
{
    struct evbuffer *buffer = evbuffer_new();
    if (buffer != NULL && pour_rope(buffer, body) != 0) {
        evbuffer_free(buffer);
        buffer = NULL;
    }
    rope_clear(body);
    exchange_send(exchange, status, buffer, extra);
}

void exchange_reply_buffer(struct exchange *exchange, int status, struct evbuffer *buffer,
                           const struct exchange_extra *extra)
{
    exchange_send(exchange, status, buffer, extra);
}

void exchange_error(struct exchange *exchange, int status, const char *text,
                    const struct exchange_extra *extra)
{
    struct bytes body;
    bytes_init(&body);
    if (reply_error(&body, text) != 0)
        body.len = 0;
    exchange_reply(exchange, status, &body, extra);
}
