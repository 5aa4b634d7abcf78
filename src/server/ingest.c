#include "server/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "contract/inflate.h"
#include "contract/reply.h"
#include "server/client.h"
#include "server/conn.h"
#include "server/inflow.h"

static const struct exchange_extra ingest_later = {.retry_after = 1};

/* 503 is what the stock client survives: it sends the same batch again. */
static void ingest_refuse(struct exchange *exchange, const char *why)
{
    exchange_error(exchange, 503, why, &ingest_later);
}

static void ingest_acknowledge(struct exchange *exchange)
{
    struct bytes body;
    const struct submission *submission = &exchange->intake.submission;
    bytes_init(&body);
    if (submission->receipt != 0 && !submission->told)
        conn_watch(exchange->conn, exchange->loop->engine, submission->receipt,
                   exchange_keeps(exchange));
    if (reply_saved(&body, submission->saved, submission->rejected, submission->duplicate) != 0) {
        /* Stored, but it can't be said: the client will ask again. */
        bytes_clear(&body);
        ingest_refuse(exchange, "out of memory");
        return;
    }
    exchange_reply(exchange, 200, &body, NULL);
}

static bool ingest_gone(struct intake *intake)
{
    return conn_gone(LIST_OF(intake, struct exchange, intake)->conn);
}

static void ingest_done(struct intake *intake)
{
    struct exchange *exchange = LIST_OF(intake, struct exchange, intake);
    if (intake->submission.stored)
        ingest_acknowledge(exchange);
    else
        ingest_refuse(exchange, "shutting down; send it again");
}

enum ingest_coding { INGEST_IDENTITY, INGEST_GZIP, INGEST_UNKNOWN };

static enum ingest_coding ingest_coding(struct evhttp_request *request)
{
    const char *coding =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Encoding");
    if (coding == NULL || *coding == '\0' || strcasecmp(coding, "identity") == 0)
        return INGEST_IDENTITY;
    return strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0 ? INGEST_GZIP
                                                                                : INGEST_UNKNOWN;
}

/* The body as plain text: in place, or inflated into plain. 0, or the status to answer with *why.
 */
static int ingest_body(struct exchange *exchange, struct bytes *plain, const char **text,
                       size_t *len, const char **why)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(exchange->request);
    *len = evbuffer_get_length(body);
    *text = *len == 0 ? "" : (const char *)evbuffer_pullup(body, -1);
    *why = "out of memory";
    if (*text == NULL)
        return 503;
    if (ingest_coding(exchange->request) == INGEST_IDENTITY)
        return 0;
    switch (inflate_gzip(*text, *len, exchange->loop->options->max_inflated, plain)) {
    case INFLATE_OK:
        *text = plain->len == 0 ? "" : plain->data;
        *len = plain->len;
        return 0;
    case INFLATE_TOO_LARGE:
        *why = "body over the limit once inflated";
        return 413;
    case INFLATE_BAD:
        *why = "body is no gzip, damaged or cut short";
        return 400;
    default:
        return 503;
    }
}

/* Seconds until the client may send again, 0 for now: then the bytes of the body are charged. */
static int ingest_limit(struct exchange *exchange, size_t len)
{
    struct buckets *buckets = loop_buckets(exchange->loop);
    int64_t now = clock_mono_ms();
    if (buckets == NULL)
        return 0;
    exchange->client = client_address(exchange);
    int wait = buckets_wait(buckets, exchange->client, now);
    if (wait == 0)
        buckets_charge(buckets, exchange->client, now, 0, (int64_t)len);
    return wait;
}

enum ingest_outcome {
    INGEST_READ,     /* exchange->intake.submission.batch is there */
    INGEST_ANSWERED, /* it could not be */
    INGEST_WAITS,    /* another large body is under way */
};

/* Reads the body into a batch. */
static enum ingest_outcome ingest_read(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct bytes plain;
    struct error err = {""};
    const char *text, *why = err.text;
    size_t len;
    bytes_init(&plain);
    int status = ingest_body(exchange, &plain, &text, &len, &why);
    if (status == 0 && !intake_may_read(&exchange->intake, len)) {
        bytes_clear(&plain);
        return INGEST_WAITS;
    }
    if (status == 0) {
        why = err.text;
        switch (batch_read(text, len, &loop->options->limits, &loop->uuids,
                           engine_secret(loop->engine), clock_wall_ms(),
                           &exchange->intake.submission.batch, &err)) {
        case BATCH_OK:
            break;
        case BATCH_NO_MEMORY:
            status = 503;
            why = "out of memory";
            break;
        default:
            status = 400;
        }
    }
    bytes_clear(&plain);
    if (status == 0) {
        const struct batch *batch = exchange->intake.submission.batch;
        /* The batch stands on its own: a waiting request should not hold its body too. */
        struct evbuffer *body = evhttp_request_get_input_buffer(exchange->request);
        (void)evbuffer_drain(body, evbuffer_get_length(body));
        counters_batch(&loop->counters, COUNTERS_HTTP, batch->event_count + batch->reject_count,
                       len);
        if (exchange->conn != NULL)
            conn_read(exchange->conn);
        if (loop_buckets(loop) != NULL)
            buckets_charge(loop_buckets(loop), exchange->client, clock_mono_ms(),
                           (int64_t)(batch->event_count + batch->reject_count), 0);
        return INGEST_READ;
    }
    exchange_error(exchange, status, why, status == 503 ? &ingest_later : NULL);
    return INGEST_ANSWERED;
}

/* Keeps the request as it came until there is room. */
static void ingest_hold(struct exchange *exchange)
{
    list_append(&exchange->loop->held, &exchange->intake.node);
    exchange->loop->busy++;
}

static void ingest_submit(struct exchange *exchange)
{
    struct intake *intake = &exchange->intake;
    if (exchange->request == NULL) {
        /* Held, and closed by the end of a shutdown's patience. */
        exchange_free(exchange);
        return;
    }
    enum ingest_outcome outcome = ingest_read(exchange);
    if (outcome == INGEST_WAITS)
        ingest_hold(exchange);
    if (outcome != INGEST_READ)
        return;
    if (intake->submission.batch->event_count == 0 && intake->submission.batch->reject_count == 0)
        ingest_acknowledge(exchange);
    else
        intake_submit(intake);
}

void ingest_begin(struct exchange *exchange)
{
    size_t len = evbuffer_get_length(evhttp_request_get_input_buffer(exchange->request));
    struct loop *loop = exchange->loop;
    exchange->intake.began_ms = exchange->began_ms;
    exchange->intake.gone = ingest_gone;
    exchange->intake.done = ingest_done;
    enum ingest_coding coding = ingest_coding(exchange->request);
    bool lines = exchange->conn->guard.phase == GUARD_POUR;
    struct exchange_extra extra = {0};
    int status = 0;
    const char *why = NULL;
    if (coding == INGEST_UNKNOWN) {
        status = 415;
        why = "Content-Encoding: only gzip is understood";
    } else if ((extra.retry_after = ingest_limit(exchange, len)) > 0) {
        status = 429;
        why = "too much from this address; send it again later";
    }
    if (lines) {
        inflow_begin(exchange, coding == INGEST_GZIP, status, why, extra.retry_after);
    } else if (status != 0) {
        exchange_error(exchange, status, why, &extra);
    } else if (list_empty(&loop->held) && engine_has_room(loop->engine)) {
        ingest_submit(exchange);
    } else {
        counter_add(&loop->counters.held[COUNTERS_HTTP], 1);
        ingest_hold(exchange);
    }
}

void ingest_resume(struct loop *loop)
{
    struct list *last = loop->held.previous, *node = loop->held.next;
    bool more = !list_empty(&loop->held);
    while (more && engine_has_room(loop->engine)) {
        struct exchange *exchange = LIST_OF(node, struct exchange, intake.node);
        more = node != last;
        node = node->next;
        /* One that waits for another large body holds nobody up. */
        if (exchange->request != NULL && !intake_may_read(&exchange->intake, 0))
            continue;
        list_remove(&exchange->intake.node);
        loop->busy--;
        ingest_submit(exchange);
    }
}

void ingest_expire(struct loop *loop)
{
    int64_t now = clock_mono_ms(), before = now - loop->options->hold_ms;
    /* The patience of a shutdown is over: nobody waits for these any more. */
    if (loop->draining && now >= loop->drain_until_ms)
        before = INT64_MAX;
    while (!list_empty(&loop->held)) {
        struct exchange *exchange = LIST_OF(loop->held.next, struct exchange, intake.node);
        if (exchange->began_ms > before)
            break;
        list_remove(&exchange->intake.node);
        loop->busy--;
        ingest_refuse(exchange, "the queue is full; send it again");
    }
    for (struct list *node = loop->pending.next, *next; node != &loop->pending; node = next) {
        struct intake *intake = LIST_OF(node, struct intake, node);
        next = node->next;
        /* In the middle of a commit: its answer comes when that is over. */
        if (intake->patient || intake->began_ms > before || !intake_withdraw(intake))
            continue;
        ingest_refuse(LIST_OF(intake, struct exchange, intake),
                      "can't store it now; send it again");
    }
}
