#include "server/feed.h"

#include <stdlib.h>

#include <event2/http_struct.h>

#include "base/clock.h"
#include "contract/range.h"
#include "contract/sse.h"
#include "engine/follow.h"
#include "engine/sequel.h"
#include "server/conn.h"
#include "server/dispatch.h"
#include "server/pour.h"

/* How often it is looked whether an idle client is still there: with reading off, nobody tells. */
#define FEED_LOOK_MS 1000

/*
 * asked: the sequel is at work. counted: in shared->reads, from asking for a page until the socket
 * has taken it. due: something may have been committed that no page has shown yet; it is set again
 * by whatever comes while a page is made.
 */
struct feed {
    struct list node; /* in loop->feeds */
    struct exchange *exchange;
    struct sequel *sequel; /* NULL once ended */
    int64_t seq;           /* go on behind it */
    bool started;          /* the head of the answer is out */
    bool ended;            /* all of it is with evhttp, which frees the request */
    bool drained;          /* the socket has taken what it was given */
    bool revoked; /* its key or origin is not allowed any more: it sends nothing but its end */
    bool asked, counted, due;
    int64_t sent_ms, looked_ms; /* monotonic */
};

static void feed_release(struct feed *feed)
{
    if (feed->counted)
        atomic_fetch_sub(&feed->exchange->loop->shared->reads, 1);
    feed->counted = false;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL)
        return;
    struct loop *loop = feed->exchange->loop;
    if (!feed->started)
        loop->busy--;
    feed_release(feed);
    sequel_free(feed->sequel);
    list_remove(&feed->node);
    gauge_add(&loop->counters.feeds, -1);
    if (list_empty(&loop->feeds)) {
        engine_unfollow(loop->feed_follower);
        loop->feed_follower = NULL;
    }
    free(feed);
}

void feed_gone(struct exchange *exchange)
{
    struct feed *feed = exchange->feed;
    if (!feed->started)
        return;
    /* A request that evhttp has let go of, its answer unfinished, is ours to free. */
    if (exchange->request != NULL && !feed->ended)
        evhttp_request_free(exchange->request);
    exchange_free(exchange);
}

/* Breaks it off: the client comes again. Frees the feed. */
static void feed_break(struct feed *feed)
{
    evhttp_connection_free(feed->exchange->conn->evcon);
}

/* Asks for the next page if one is due. */
static void feed_go_on(struct feed *feed)
{
    struct loop *loop = feed->exchange->loop;
    if (!feed->started || feed->ended || feed->revoked || !feed->drained || feed->asked ||
        !feed->due)
        return;
    /* When too many are under way the tick tries again. */
    if (atomic_fetch_add(&loop->shared->reads, 1) >= loop->options->max_reads) {
        atomic_fetch_sub(&loop->shared->reads, 1);
        return;
    }
    feed->counted = feed->asked = true;
    feed->due = false;
    sequel_ask(feed->sequel, feed->seq);
}

static void feed_on_drained(struct evhttp_connection *evcon, void *arg)
{
    struct feed *feed = arg;
    (void)evcon;
    feed->drained = true;
    feed_release(feed);
    feed_go_on(feed);
}

/* Sends text, which is taken over. May free the feed. */
static void feed_send(struct feed *feed, struct bytes *text)
{
    struct exchange *exchange = feed->exchange;
    struct evbuffer *buffer = evbuffer_new();
    feed->drained = false;
    if (buffer == NULL || pour_bytes(buffer, text) != 0 ||
        exchange_chunk(exchange->request, buffer, feed_on_drained, feed) != 0) {
        if (buffer != NULL)
            evbuffer_free(buffer);
        feed_break(feed);
        return;
    }
    feed->sent_ms = clock_mono_ms();
    evbuffer_free(buffer);
    conn_quiet(exchange->conn);
}

static struct exchange_extra feed_extra(const struct exchange *exchange)
{
    /* No chunks in HTTP/1.0: see query.c. */
    return (struct exchange_extra){
        .type = "text/event-stream",
        .more = {{"X-Accel-Buffering", "no"}}, /* nginx's and others' */
        .length_unknown = true,
        .close = exchange->request != NULL && exchange->request->minor == 0,
    };
}

static void feed_start(struct feed *feed, int64_t seq)
{
    struct exchange *exchange = feed->exchange;
    struct exchange_extra extra = feed_extra(exchange);
    struct bytes hello;
    if (extra.close)
        (void)evhttp_remove_header(evhttp_request_get_input_headers(exchange->request),
                                   "Connection");
    exchange_headers(exchange, 200, &extra);
    evhttp_send_reply_start(exchange->request, 200, NULL);
    exchange->loop->busy--;
    feed->started = true;
    feed->due = true; /* what is behind the place, and what came meanwhile */
    feed->seq = seq;
    bytes_init(&hello);
    if (sse_append_hello(&hello, seq) == 0)
        feed_send(feed, &hello);
    else
        feed_break(feed);
    bytes_clear(&hello);
}

/* The keys may have changed since it was let in. */
static void feed_judge(struct feed *feed, int64_t seq)
{
    enum access_verdict verdict = dispatch_verdict(feed->exchange);
    if (verdict == ACCESS_OK)
        feed_start(feed, seq);
    else
        exchange_error(feed->exchange, dispatch_status(verdict), access_verdict_text(verdict),
                       NULL);
}

/* Where it begins is known. */
static void feed_first(struct feed *feed, const struct sequel_page *page)
{
    struct exchange *exchange = feed->exchange;
    struct exchange_extra extra = {.retry_after = 1};
    if (page->failed)
        exchange_error(exchange, 503, "the database can't be read now", &extra);
    else if (exchange->conn == NULL || exchange->loop->draining)
        exchange_error(exchange, 503, "shutting down; ask again", &extra);
    else
        feed_judge(feed, page->last);
}

static void feed_on_page(void *arg, struct sequel_page *page)
{
    struct feed *feed = arg;
    feed->asked = false;
    if (!feed->started) {
        feed_first(feed, page);
    } else if (page->failed) {
        feed_break(feed);
    } else if (feed->revoked) {
        feed_release(feed);
    } else {
        feed->seq = page->last;
        feed->due = feed->due || page->more;
        if (page->text.len > 0) {
            feed_send(feed, &page->text);
        } else {
            feed_release(feed);
            feed_go_on(feed);
        }
    }
}

static void feed_on_publication(void *arg, struct publication *publication)
{
    struct loop *loop = arg;
    for (struct list *node = loop->feeds.next; node != &loop->feeds; node = node->next) {
        struct feed *feed = LIST_OF(node, struct feed, node);
        if (publication != NULL && publication->last_seq <= feed->seq)
            continue;
        feed->due = true;
        feed_go_on(feed);
    }
}

/* The id to go on behind: the header of a browser that comes again, else the parameter. *seq is
 * INT64_MAX when there is none. 0, or -1 with err. */
static int feed_place(const struct exchange *exchange, int64_t *seq, struct error *err)
{
    char value[32];
    const char *header =
        evhttp_find_header(evhttp_request_get_input_headers(exchange->request), "Last-Event-ID");
    *seq = INT64_MAX;
    if (header != NULL && *header != '\0') {
        if (sse_read_id(header, seq) == 0)
            return 0;
        error_set(err, "Last-Event-ID: expected a number");
        return -1;
    }
    int found = range_parameter(exchange->query, "lastEventId", value, sizeof value);
    if (found == 0 || (found > 0 && sse_read_id(value, seq) == 0))
        return 0;
    error_set(err, "lastEventId: expected a number");
    return -1;
}

static struct feed *feed_new(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    feed->exchange = exchange;
    exchange->feed = feed;
    loop->busy++;
    list_append(&loop->feeds, &feed->node);
    gauge_add(&loop->counters.feeds, 1);
    /* Before the place is asked for, so that nothing falls between the two. */
    if (loop->feed_follower == NULL)
        loop->feed_follower =
            engine_follow(loop->engine, false, loop->mailbox, feed_on_publication, loop);
    feed->sequel = sequel_new(loop->engine, sse_append_event, loop->mailbox, feed_on_page, feed);
    return loop->feed_follower != NULL && feed->sequel != NULL ? feed : NULL;
}

void feed_begin(struct exchange *exchange)
{
    struct error err = {""};
    int64_t after;
    if (feed_place(exchange, &after, &err) != 0) {
        exchange_error(exchange, 400, err.text, NULL);
        return;
    }
    if (exchange->head) {
        struct exchange_extra extra = feed_extra(exchange);
        exchange_reply(exchange, 200, NULL, &extra);
        return;
    }
    struct feed *feed = feed_new(exchange);
    if (feed == NULL) {
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    feed->asked = true;
    sequel_ask_place(feed->sequel, after);
}

/* The last of it is on its way; what is still being made is not waited for. May free the feed. */
static void feed_end(struct feed *feed)
{
    struct evhttp_request *request = feed->exchange->request;
    struct conn *conn = feed->exchange->conn;
    bool chunked = request->minor > 0;
    sequel_free(feed->sequel);
    feed->sequel = NULL;
    feed->ended = true;
    evhttp_send_reply_end(request);
    if (chunked) /* else nothing may be left to write, and the connection is closed */
        conn_quiet(conn);
}

/* Ends it, now or by a later tick: over TLS libevent tells a little later that all is written, and
 * evhttp would take that for the end of the end. */
static void feed_wind_up(struct feed *feed)
{
    struct evbuffer *output = bufferevent_get_output(feed->exchange->conn->bev);
    if (feed->drained || evbuffer_get_length(output) > 0)
        feed_end(feed);
}

void feed_renew(struct feed *feed)
{
    /* One that has not begun is judged when it does. */
    if (!feed->started || feed->ended || dispatch_verdict(feed->exchange) == ACCESS_OK)
        return;
    feed->revoked = true;
    feed_wind_up(feed);
}

static void feed_look_after(struct feed *feed, int64_t now_ms)
{
    struct exchange *exchange = feed->exchange;
    int64_t ping_ms = exchange->loop->options->ping_interval_ms;
    if (exchange->loop->draining || feed->revoked) {
        feed_wind_up(feed);
        return;
    }
    if (!feed->drained)
        return; /* the write timeout is at work */
    if (now_ms - feed->looked_ms >= FEED_LOOK_MS) {
        feed->looked_ms = now_ms;
        if (conn_gone(exchange->conn)) {
            feed_break(feed);
            return;
        }
    }
    if (ping_ms > 0 && now_ms - feed->sent_ms >= ping_ms) {
        struct bytes ping;
        bytes_init(&ping);
        if (bytes_append_text(&ping, SSE_PING) == 0)
            feed_send(feed, &ping);
        bytes_clear(&ping);
        return;
    }
    feed_go_on(feed);
}

void feed_tick(struct loop *loop, int64_t now_ms)
{
    struct list *node = loop->feeds.next;
    while (node != &loop->feeds) {
        struct feed *feed = LIST_OF(node, struct feed, node);
        node = node->next;
        if (feed->started && !feed->ended)
            feed_look_after(feed, now_ms);
    }
}
