#include "server/query.h"

#include <stdlib.h>

#include <event2/http_struct.h>

#include "contract/range.h"
#include "engine/reading.h"
#include "server/coding.h"
#include "server/conn.h"
#include "server/pour.h"

struct query {
    struct exchange *exchange;
    struct reading *reading;
    bool gzip;
    bool streaming;           /* the head of the answer is out */
    bool ended;               /* all of it is with evhttp, which frees the request */
    bool drained;             /* the socket has taken what it was given */
    bool ready;               /* chunk waits for the socket */
    enum reading_state state; /* of chunk */
    struct rope chunk;
};

void query_free(struct query *query)
{
    if (query == NULL)
        return;
    query->exchange->loop->busy--;
    atomic_fetch_sub(&query->exchange->loop->shared->reads, 1);
    reading_free(query->reading);
    rope_clear(&query->chunk);
    free(query);
}

static struct exchange_extra query_extra(const struct query *query)
{
    return (struct exchange_extra){
        .cacheable = true,
        .gzip = query->gzip && !query->exchange->head,
        .vary_encoding = true,
        .length_unknown = true,
        .etag = reading_tag(query->reading),
    };
}

void query_gone(struct exchange *exchange)
{
    struct query *query = exchange->query_state;
    if (!query->streaming)
        return;
    /* A request that evhttp has let go of, its answer unfinished, is ours to free. */
    if (exchange->request != NULL && !query->ended)
        evhttp_request_free(exchange->request);
    exchange_free(exchange);
}

static void query_on_drained(struct evhttp_connection *evcon, void *arg);

/* Gives the waiting chunk to the socket and has the next one made meanwhile. */
static void query_send(struct query *query)
{
    struct exchange *exchange = query->exchange;
    struct conn *conn = exchange->conn;
    struct evbuffer *buffer = evbuffer_new();
    query->ready = query->drained = false;
    if (buffer == NULL || pour_rope(buffer, &query->chunk) != 0 ||
        exchange_chunk(exchange->request, buffer, query_on_drained, query) != 0) {
        if (buffer != NULL)
            evbuffer_free(buffer);
        evhttp_connection_free(conn->evcon);
        return;
    }
    evbuffer_free(buffer);
    if (query->state == READING_MORE) {
        reading_next(query->reading);
    } else {
        query->ended = true;
        evhttp_send_reply_end(exchange->request);
    }
    conn_quiet(conn);
}

static void query_on_drained(struct evhttp_connection *evcon, void *arg)
{
    struct query *query = arg;
    (void)evcon;
    query->drained = true;
    if (query->ready)
        query_send(query);
}

static void query_start(struct query *query)
{
    struct exchange *exchange = query->exchange;
    struct exchange_extra extra = query_extra(query);
    if (exchange->request->minor == 0) {
        /* No chunks in HTTP/1.0: the end of the connection is the end of the answer. With
         * keep-alive evhttp would announce the length of nothing. */
        (void)evhttp_remove_header(evhttp_request_get_input_headers(exchange->request),
                                   "Connection");
        extra.close = true;
    }
    exchange_headers(exchange, 200, &extra);
    evhttp_send_reply_start(exchange->request, 200, NULL);
    query->streaming = true;
    query->drained = true;
}

static void query_first(struct query *query, enum reading_state state, struct rope *chunk)
{
    struct exchange *exchange = query->exchange;
    struct exchange_extra extra = query_extra(query);
    if (state == READING_FAILED) {
        extra = (struct exchange_extra){.retry_after = 1};
        exchange_error(exchange, 503, "the database can't be read now", &extra);
    } else if (state == READING_SAME) {
        extra.gzip = false;
        exchange_reply(exchange, 304, NULL, &extra);
    } else if (state == READING_LAST || exchange->conn == NULL) {
        /* Whole, or nobody is left to send more to. */
        exchange_reply_rope(exchange, 200, chunk, &extra);
    } else {
        query_start(query);
    }
}

static void query_on_chunk(void *arg, enum reading_state state, struct rope *chunk)
{
    struct query *query = arg;
    if (state == READING_LAST || state == READING_SAME)
        counter_add(&query->exchange->loop->counters.reads[reading_source(query->reading)], 1);
    if (!query->streaming) {
        bool whole = state != READING_MORE || query->exchange->conn == NULL;
        query_first(query, state, chunk);
        if (whole)
            return;
    }
    if (state == READING_FAILED) {
        /* The head said 200: an answer that ends early must look broken. Frees the query. */
        evhttp_connection_free(query->exchange->conn->evcon);
        return;
    }
    query->state = state;
    rope_move(&query->chunk, chunk);
    query->ready = true;
    if (query->drained)
        query_send(query);
}

static const char *query_header(const struct exchange *exchange, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(exchange->request), name);
}

void query_begin(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct range range;
    struct error err = {""};
    const unsigned char *secret = engine_secret(loop->engine);
    if (range_parse(&range, exchange->query, loop->options->max_events, secret, &err) != 0) {
        exchange_error(exchange, 400, err.text, NULL);
        return;
    }
    if (exchange->head)
        range.limit = 0;
    if (atomic_fetch_add(&loop->shared->reads, 1) >= loop->options->max_reads) {
        struct exchange_extra extra = {.retry_after = 1};
        atomic_fetch_sub(&loop->shared->reads, 1);
        exchange_error(exchange, 503, "too many answers are under way; ask again", &extra);
        return;
    }
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL) {
        atomic_fetch_sub(&loop->shared->reads, 1);
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    query->exchange = exchange;
    query->gzip = coding_accepts_gzip(query_header(exchange, "Accept-Encoding"));
    exchange->query_state = query;
    loop->busy++;
    const struct reading_form form = {
        .coding = query->gzip && !exchange->head ? READING_GZIP : READING_PLAIN,
        .known = query_header(exchange, "If-None-Match"),
    };
    query->reading = reading_new(loop->engine, &range, &form, loop->mailbox, query_on_chunk, query);
    if (query->reading == NULL)
        exchange_error(exchange, 503, "out of memory", NULL);
}
