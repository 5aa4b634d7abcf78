#include "server/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "contract/range.h"
#include "contract/reply.h"
#include "server/conn.h"
#include "server/feed.h"
#include "server/inflow.h"
#include "server/ingest.h"
#include "server/pour.h"
#include "server/query.h"
#include "server/upgrade.h"

/* A browser repeats a preflight after this; Chromium takes no more than 7200. */
#define EXCHANGE_MAX_AGE "7200"

static const char *exchange_header(const struct exchange *exchange, const char *name)
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

static enum route_method exchange_method(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return METHOD_GET;
    case EVHTTP_REQ_HEAD:
        return METHOD_HEAD;
    case EVHTTP_REQ_POST:
        return METHOD_POST;
    case EVHTTP_REQ_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
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
    if (extra == NULL)
        extra = &none;
    exchange_cors(exchange, out);
    evhttp_add_header(out, "Vary", extra->vary_encoding ? "Origin, Accept-Encoding" : "Origin");
    if (status != 204 && status != 304)
        evhttp_add_header(out, "Content-Type",
                          extra->events ? "text/event-stream" : "application/json");
    if (extra->events)
        evhttp_add_header(out, "X-Accel-Buffering", "no"); /* nginx's and others' */
    evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(out, "Cache-Control", extra->cacheable ? "private, no-cache" : "no-store");
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

/* The answer is on its way to the kernel: evhttp goes on to the next request of the connection. */
static void exchange_on_complete(struct evhttp_request *request, void *arg)
{
    struct conn *conn = conn_of(arg, request);
    if (conn == NULL)
        return;
    /* A streamed answer: its exchange has nothing left to do. */
    if (conn->exchange != NULL)
        exchange_free(conn->exchange);
    conn_next(conn);
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
        if (buffer == NULL) {
            /* An answer cut short would be taken for the whole. */
            evhttp_clear_headers(headers);
            evhttp_add_header(headers, "Retry-After", "1");
            evhttp_add_header(headers, "Connection", "close");
            status = 503;
        } else if (exchange->head) {
            char length[32];
            snprintf(length, sizeof length, "%zu", evbuffer_get_length(buffer));
            if (evbuffer_get_length(buffer) > 0 && !(extra != NULL && extra->length_unknown))
                evhttp_add_header(headers, "Content-Length", length);
        }
        /* libevent knows no word for it. */
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

void exchange_error(struct exchange *exchange, int status, const char *text,
                    const struct exchange_extra *extra)
{
    struct bytes body;
    bytes_init(&body);
    if (reply_error(&body, text) != 0)
        body.len = 0;
    exchange_reply(exchange, status, &body, extra);
}

static void exchange_ping(struct exchange *exchange)
{
    struct bytes body;
    bytes_init(&body);
    if (reply_ping(&body, exchange->loop->options->app_id, exchange->loop->options->version) != 0) {
        bytes_clear(&body);
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    exchange_reply(exchange, 200, &body, NULL);
}

/* 401 or 403 sent; or ACCESS_OK. */
static enum access_verdict exchange_access(struct exchange *exchange)
{
    struct access_request facts = {
        .header_key = exchange_header(exchange, "X-Tracker-Key"),
        .origin = exchange_header(exchange, "Origin"),
        .host = exchange_header(exchange, "Host"),
    };
    if (exchange->action == ROUTE_INGEST)
        facts.need = ACCESS_INGEST;
    else if (exchange->action == ROUTE_READ || exchange->action == ROUTE_FOLLOW)
        facts.need = ACCESS_QUERY;
    if (exchange->place == ROUTE_KEYED)
        facts.path_key = exchange->key;
    else if (range_parameter(exchange->query, "key", exchange->key, sizeof exchange->key) != 0)
        facts.query_key = exchange->key;
    enum access_verdict verdict = access_check(exchange->loop->access, &facts);
    if (verdict != ACCESS_OK) {
        int status = verdict == ACCESS_NO_KEY || verdict == ACCESS_WRONG_KEY ? 401 : 403;
        if (verdict == ACCESS_BAD_ORIGIN || verdict == ACCESS_BAD_HOST)
            exchange->origin_allowed = false;
        exchange_error(exchange, status, access_verdict_text(verdict), NULL);
    }
    return verdict;
}

/* What the route does, access being granted. */
static void exchange_act(struct exchange *exchange)
{
    switch (exchange->action) {
    case ROUTE_INGEST:
        ingest_begin(exchange);
        break;
    case ROUTE_READ:
        query_begin(exchange);
        break;
    case ROUTE_UPGRADE:
        upgrade_begin(exchange);
        break;
    case ROUTE_FOLLOW:
        feed_begin(exchange);
        break;
    default:
        exchange_ping(exchange);
        break;
    }
}

/* What the guard found wrong. A method that nobody takes is told as one that is not taken here. */
static void exchange_refuse(struct exchange *exchange)
{
    const struct guard *guard = &exchange->conn->guard;
    struct exchange_extra extra = {.close = true};
    if (guard->refuse != 405) {
        exchange_error(exchange, guard->refuse, guard->why, &extra);
    } else if (exchange->place == ROUTE_NOWHERE) {
        exchange_error(exchange, 404, "nothing here", &extra);
    } else {
        extra.allow = route_methods(exchange->place);
        exchange_error(exchange, 405, guard->why, &extra);
    }
}

static void exchange_dispatch(struct exchange *exchange)
{
    struct exchange_extra extra = {.allow = route_methods(exchange->place)};
    const struct access *access = exchange->loop->access;
    const char *host = exchange_header(exchange, "Host");
    bool refused = exchange->conn->guard.refuse != 0;
    /* A refused head may have been too bad to tell its Host. */
    if (!access_host_allowed(access, host) && !(refused && host == NULL)) {
        exchange->origin_allowed = false;
        extra = (struct exchange_extra){.close = refused};
        exchange_error(exchange, 403, access_verdict_text(ACCESS_BAD_HOST), &extra);
    } else if (refused) {
        exchange_refuse(exchange);
    } else if (exchange->place == ROUTE_NOWHERE) {
        exchange_error(exchange, 404, "nothing here", NULL);
    } else if (exchange->action == ROUTE_REFUSED) {
        exchange_error(exchange, 405, "method not allowed", &extra);
    } else if (exchange->action == ROUTE_OPTIONS) {
        exchange_reply(exchange, 204, NULL, &extra);
    } else if (exchange->action == ROUTE_UPGRADE && !exchange->origin_allowed) {
        /* There is no CORS for a WebSocket: the browser leaves it to us. */
        exchange_error(exchange, 403, access_verdict_text(ACCESS_BAD_ORIGIN), NULL);
    } else if (exchange_access(exchange) == ACCESS_OK) {
        exchange_act(exchange);
    }
}

/* A slice as a text of its own, in a buffer; NULL for none. False: it does not fit. */
static bool exchange_text(struct head_slice slice, char *buffer, size_t size, const char **text)
{
    *text = NULL;
    if (slice.at == NULL)
        return true;
    if (slice.len >= size)
        return false;
    memcpy(buffer, slice.at, slice.len);
    buffer[slice.len] = '\0';
    *text = buffer;
    return true;
}

bool exchange_wants(void *arg, const struct head *head)
{
    const struct loop *loop = arg;
    char key[EXCHANGE_KEY_SIZE], path_key[EXCHANGE_KEY_SIZE], query_key[EXCHANGE_KEY_SIZE];
    char origin[512], host[512], query[2048];
    struct access_request facts = {.need = ACCESS_INGEST};
    const char *mark = memchr(head->target.at, '?', head->target.len), *query_text;
    size_t path = mark != NULL ? (size_t)(mark - head->target.at) : head->target.len;
    struct head_slice behind = {mark != NULL ? mark + 1 : NULL, head->target.len - path - 1};
    enum route_place place = route_find(head->target.at, path, loop->options->prefixes,
                                        loop->options->prefix_count, path_key, sizeof path_key);
    bool post = head->method.len == 4 && memcmp(head->method.at, "POST", 4) == 0;
    if (route_action(place, post ? METHOD_POST : METHOD_OTHER) != ROUTE_INGEST)
        return false;
    /* What is too long to be looked at here is judged with the whole request. */
    if (!exchange_text(head->key, key, sizeof key, &facts.header_key) ||
        !exchange_text(head->origin, origin, sizeof origin, &facts.origin) ||
        !exchange_text(head->host, host, sizeof host, &facts.host) ||
        !exchange_text(behind, query, sizeof query, &query_text))
        return true;
    if (place == ROUTE_KEYED)
        facts.path_key = path_key;
    else if (range_parameter(query_text, "key", query_key, sizeof query_key) != 0)
        facts.query_key = query_key;
    return access_check(loop->access, &facts) == ACCESS_OK;
}

void exchange_begin(struct evhttp_request *request, void *arg)
{
    struct loop *loop = arg;
    struct conn *conn = conn_of(loop, request);
    struct exchange *exchange = conn == NULL ? NULL : calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        evhttp_send_error(request, 503, NULL);
        return;
    }
    const char *target = evhttp_request_get_uri(request);
    size_t path = strcspn(target, "?");
    enum route_method method = exchange_method(request);
    exchange->loop = exchange->intake.loop = loop;
    exchange->request = request;
    exchange->conn = conn;
    exchange->query = target[path] == '?' ? target + path + 1 : NULL;
    exchange->place = route_find(target, path, loop->options->prefixes, loop->options->prefix_count,
                                 exchange->key, sizeof exchange->key);
    exchange->action = route_action(exchange->place, method);
    exchange->head = method == METHOD_HEAD;
    exchange->began_ms = clock_mono_ms();
    exchange->origin_allowed =
        access_origin_allowed(loop->access, exchange_header(exchange, "Origin"));
    list_init(&exchange->intake.node);
    conn->exchange = exchange;
    evhttp_request_set_on_complete_cb(request, exchange_on_complete, loop);
    exchange_dispatch(exchange);
}
