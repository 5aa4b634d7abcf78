#include "server/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include <event2/http_struct.h>

#include "base/clock.h"
#include "contract/admin_host.h"
#include "contract/range.h"
#include "contract/reply.h"
#include "server/conn.h"
#include "server/dashboard.h"
#include "server/exchange.h"
#include "server/feed.h"
#include "server/ingest.h"
#include "server/inquire.h"
#include "server/metrics.h"
#include "server/probe.h"
#include "server/query.h"
#include "server/reserve.h"
#include "server/show.h"
#include "server/upgrade.h"

static enum route_method dispatch_method(struct evhttp_request *request)
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

/* The answer is on its way to the kernel: evhttp goes on to the next request of the connection. */
static void dispatch_on_complete(struct evhttp_request *request, void *arg)
{
    struct conn *conn = conn_of(arg, request);
    if (conn == NULL)
        return;
    /* A streamed answer: its exchange has nothing left to do. */
    if (conn->exchange != NULL)
        exchange_free(conn->exchange);
    conn_next(conn);
}

static void dispatch_ping(struct exchange *exchange)
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

static bool dispatch_is_admin(const struct exchange *exchange)
{
    return exchange->conn->door->kind == DOOR_ADMIN;
}

static bool dispatch_host_allowed(const struct exchange *exchange)
{
    const struct server_options *options = exchange->loop->options;
    const char *host = exchange_header(exchange, "Host");
    /* A refused head may have been too bad to tell its Host. */
    if (exchange->conn->guard.refuse != 0 && host == NULL)
        return true;
    if (!dispatch_is_admin(exchange))
        return access_host_allowed(exchange->loop->access, host);
    return admin_host_allowed(host, options->admin_host, options->admin_host_count);
}

/* No page has any business on admin-listen, nor one of another origin with the dashboard's files:
 * no answer there is for its eyes. */
static bool dispatch_origin_allowed(const struct exchange *exchange)
{
    const char *origin = exchange_header(exchange, "Origin");
    if (dispatch_is_admin(exchange))
        return origin == NULL;
    return exchange->place != ROUTE_DASHBOARD &&
           access_origin_allowed(exchange->loop->access, origin);
}

enum access_verdict dispatch_verdict(struct exchange *exchange)
{
    /* Who can reach admin-listen may read what stands there. */
    if (dispatch_is_admin(exchange))
        return ACCESS_OK;
    struct access_request facts = {
        .header_key = exchange_header(exchange, "X-Tracker-Key"),
        .origin = exchange_header(exchange, "Origin"),
        .host = exchange_header(exchange, "Host"),
    };
    facts.need = route_need(exchange->action);
    if (exchange->place == ROUTE_KEYED)
        facts.path_key = exchange->key;
    else if (range_parameter(exchange->query, "key", exchange->key, sizeof exchange->key) != 0)
        facts.query_key = exchange->key;
    return access_check(exchange->loop->access, &facts);
}

int dispatch_status(enum access_verdict verdict)
{
    return verdict == ACCESS_NO_KEY || verdict == ACCESS_WRONG_KEY ? 401 : 403;
}

/* Whether it is let in; else 401 or 403 was sent. */
static bool dispatch_access(struct exchange *exchange)
{
    enum access_verdict verdict = dispatch_verdict(exchange);
    if (verdict == ACCESS_OK)
        return true;
    if (verdict == ACCESS_BAD_ORIGIN || verdict == ACCESS_BAD_HOST)
        exchange->origin_allowed = false;
    exchange_error(exchange, dispatch_status(verdict), access_verdict_text(verdict), NULL);
    return false;
}

/* What each route does, access being granted. */
static void (*const dispatch_acts[ROUTE_ACTIONS])(struct exchange *exchange) = {
    [ROUTE_INGEST] = ingest_begin,        [ROUTE_READ] = query_begin,
    [ROUTE_TELL] = dispatch_ping,         [ROUTE_UPGRADE] = upgrade_begin,
    [ROUTE_FOLLOW] = feed_begin,          [ROUTE_COUNT] = inquire_stats,
    [ROUTE_LIST] = inquire_rejects,       [ROUTE_SHOW] = show_begin,
    [ROUTE_SERVE_FILE] = dashboard_begin, [ROUTE_SAY_ALIVE] = probe_alive,
    [ROUTE_SAY_READY] = probe_ready,      [ROUTE_MEASURE] = metrics_begin,
};

/* What the guard found wrong. A method that nobody takes is told as one that is not taken here. */
static void dispatch_refuse(struct exchange *exchange)
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

static void dispatch_judge(struct exchange *exchange)
{
    struct exchange_extra extra = {.allow = route_methods(exchange->place)};
    bool refused = exchange->conn->guard.refuse != 0;
    if (!dispatch_host_allowed(exchange)) {
        exchange->origin_allowed = false;
        extra = (struct exchange_extra){.close = refused};
        exchange_error(exchange, 403,
                       dispatch_is_admin(exchange) ? "Host: neither an address nor an admin-host"
                                                   : access_verdict_text(ACCESS_BAD_HOST),
                       &extra);
    } else if (refused) {
        dispatch_refuse(exchange);
    } else if (exchange->place == ROUTE_NOWHERE) {
        exchange_error(exchange, 404, "nothing here", NULL);
    } else if (exchange->action == ROUTE_REFUSED) {
        exchange_error(exchange, 405, "method not allowed", &extra);
    } else if (exchange->action == ROUTE_OPTIONS) {
        exchange_reply(exchange, 204, NULL, &extra);
    } else if (exchange->action == ROUTE_UPGRADE && !exchange->origin_allowed) {
        /* There is no CORS for a WebSocket: the browser leaves it to us. */
        exchange_error(exchange, 403, access_verdict_text(ACCESS_BAD_ORIGIN), NULL);
    } else if (!dispatch_access(exchange)) {
        return;
    } else if (exchange->action == ROUTE_INGEST && exchange->conn->guard.unwanted) {
        /* When its head came its key was not one yet, and the body was thrown away. */
        exchange_error(exchange, 503, "the keys have just changed; send it again", NULL);
    } else {
        dispatch_acts[exchange->action](exchange);
    }
}

static enum route_place dispatch_find(const struct conn *conn, const char *path, size_t len,
                                      char *key, size_t key_size)
{
    enum route_place place = route_find(&conn->loop->options->routes, path, len, key, key_size);
    bool here = conn->door->kind != DOOR_ADMIN || route_admin(place);
    return here ? place : ROUTE_NOWHERE;
}

/* A slice as a text of its own, in a buffer; NULL for none. False: it does not fit. */
static bool dispatch_text(struct head_slice slice, char *buffer, size_t size, const char **text)
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

bool dispatch_wants(void *arg, const struct head *head)
{
    const struct conn *conn = arg;
    const struct loop *loop = conn->loop;
    char key[EXCHANGE_KEY_SIZE], path_key[EXCHANGE_KEY_SIZE], query_key[EXCHANGE_KEY_SIZE];
    char origin[512], host[512], query[2048];
    struct access_request facts = {.need = ACCESS_INGEST};
    const char *mark = memchr(head->target.at, '?', head->target.len), *query_text;
    size_t path = mark != NULL ? (size_t)(mark - head->target.at) : head->target.len;
    struct head_slice behind = {mark != NULL ? mark + 1 : NULL, head->target.len - path - 1};
    enum route_place place = dispatch_find(conn, head->target.at, path, path_key, sizeof path_key);
    bool post = head->method.len == 4 && memcmp(head->method.at, "POST", 4) == 0;
    if (route_action(place, post ? METHOD_POST : METHOD_OTHER) != ROUTE_INGEST)
        return false;
    /* What is too long to be looked at here is judged with the whole request. */
    if (!dispatch_text(head->key, key, sizeof key, &facts.header_key) ||
        !dispatch_text(head->origin, origin, sizeof origin, &facts.origin) ||
        !dispatch_text(head->host, host, sizeof host, &facts.host) ||
        !dispatch_text(behind, query, sizeof query, &query_text))
        return true;
    if (place == ROUTE_KEYED)
        facts.path_key = path_key;
    else if (range_parameter(query_text, "key", query_key, sizeof query_key) != 0)
        facts.query_key = query_key;
    return access_check(loop->access, &facts) == ACCESS_OK;
}

void dispatch_begin(struct evhttp_request *request, void *arg)
{
    struct loop *loop = ((const struct door *)arg)->loop;
    struct conn *conn = conn_of(loop, request);
    struct exchange *exchange =
        conn == NULL || reserve_short() ? NULL : calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        exchange_decline(request);
        return;
    }
    const char *target = evhttp_request_get_uri(request);
    size_t path = strcspn(target, "?");
    enum route_method method = dispatch_method(request);
    exchange->loop = exchange->intake.loop = loop;
    exchange->request = request;
    exchange->conn = conn;
    exchange->query = target[path] == '?' ? target + path + 1 : NULL;
    exchange->place = dispatch_find(conn, target, path, exchange->key, sizeof exchange->key);
    exchange->action = route_action(exchange->place, method);
    exchange->head = method == METHOD_HEAD;
    exchange->began_ms = clock_mono_ms();
    exchange->origin_allowed = dispatch_origin_allowed(exchange);
    list_init(&exchange->intake.node);
    conn->exchange = exchange;
    evhttp_request_set_on_complete_cb(request, dispatch_on_complete, loop);
    dispatch_judge(exchange);
}
