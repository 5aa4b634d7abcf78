#include "server/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/keyvalq_struct.h>

#include "base/clock.h"
#include "contract/inflate.h"
#include "contract/reply.h"
#include "server/conn.h"

/* A burst of equal events looks the same when it is sent again as when it happens again; what tells
 * is whether the connection of the first has broken. The loop that owns that one must have had the
 * time to see so, if only in its next tick: a burst waits this long before it goes to the writer.
 */
#define INGEST_SETTLE_MS (LOOP_TICK_MS * 3 / 2)

/* How often a loop looks whether it is its turn to hand a burst over. */
#define INGEST_TURN_MS 2

/* A body of many small events becomes several times as large in memory, from few bytes of gzip:
 * those beyond this size (inflated) are taken one at a time. */
#define INGEST_LARGE_BYTES (4 << 20)

static const struct exchange_extra ingest_later = {.retry_after = 1};

/* 503 is what the stock client survives: it sends the same batch again. */
static void ingest_refuse(struct exchange *exchange, const char *why)
{
    exchange_error(exchange, 503, why, &ingest_later);
}

static void ingest_acknowledge(struct exchange *exchange)
{
    struct bytes body;
    const struct submission *submission = &exchange->submission;
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

static void ingest_done(struct mail *mail)
{
    struct submission *submission = LIST_OF(mail, struct submission, mail);
    struct exchange *exchange = LIST_OF(submission, struct exchange, submission);
    list_remove(&exchange->node);
    exchange->loop->busy--;
    if (submission->stored)
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

/* All occurrences of the header in which proxies tell the client, joined. False: out of memory. */
static bool ingest_proxy_header(const struct exchange *exchange, struct bytes *out)
{
    const char *name = exchange->loop->options->proxy_header == ADDRESS_FORWARDED
                           ? "Forwarded"
                           : "X-Forwarded-For";
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const struct evkeyval *header;
    for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next) {
        if (strcasecmp(header->key, name) != 0)
            continue;
        if ((out->len > 0 && bytes_append(out, ",", 1) != 0) ||
            bytes_append_text(out, header->value) != 0)
            return false;
    }
    return bytes_append(out, "", 1) == 0;
}

static struct address ingest_client(const struct exchange *exchange)
{
    const struct server_options *options = exchange->loop->options;
    struct address client = exchange->conn->peer;
    struct bytes value;
    if (options->proxy_header == ADDRESS_HEADER_NONE || options->proxy_count == 0)
        return client;
    bytes_init(&value);
    if (ingest_proxy_header(exchange, &value))
        client = address_behind(client, options->proxy_header, value.data, options->proxies,
                                options->proxy_count);
    bytes_clear(&value);
    return client;
}

/* Seconds until the client may send again, 0 for now: then the bytes of the body are charged. */
static int ingest_limit(struct exchange *exchange, size_t len)
{
    struct buckets *buckets = exchange->loop->shared->buckets;
    int64_t now = clock_mono_ms();
    if (buckets == NULL)
        return 0;
    exchange->client = ingest_client(exchange);
    int wait = buckets_wait(buckets, exchange->client, now);
    if (wait == 0)
        buckets_charge(buckets, exchange->client, now, 0, (int64_t)len);
    return wait;
}

/* Whether a body of that size may be read now. */
static bool ingest_may_read(struct exchange *exchange, size_t len)
{
    exchange->needs_large = exchange->needs_large || len > INGEST_LARGE_BYTES;
    if (exchange->needs_large && !exchange->has_large)
        exchange->has_large = !atomic_exchange(&exchange->loop->shared->large, true);
    return !exchange->needs_large || exchange->has_large;
}

enum ingest_outcome {
    INGEST_READ,     /* exchange->submission.batch is there */
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
    if (status == 0 && !ingest_may_read(exchange, len)) {
        bytes_clear(&plain);
        return INGEST_WAITS;
    }
    if (status == 0) {
        why = err.text;
        switch (batch_read(text, len, &loop->options->limits, &loop->uuids,
                           engine_secret(loop->engine), clock_wall_ms(),
                           &exchange->submission.batch, &err)) {
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
        /* The batch stands on its own: a waiting request should not hold its body too. */
        struct evbuffer *body = evhttp_request_get_input_buffer(exchange->request);
        (void)evbuffer_drain(body, evbuffer_get_length(body));
        if (exchange->conn != NULL)
            conn_read(exchange->conn);
        if (loop->shared->buckets != NULL)
            buckets_charge(loop->shared->buckets, exchange->client, clock_mono_ms(),
                           (int64_t)(exchange->submission.batch->event_count +
                                     exchange->submission.batch->reject_count),
                           0);
        return INGEST_READ;
    }
    exchange_error(exchange, status, why, status == 503 ? &ingest_later : NULL);
    return INGEST_ANSWERED;
}

/* Keeps the request as it came until there is room. */
static void ingest_hold(struct exchange *exchange)
{
    list_append(&exchange->loop->held, &exchange->node);
    exchange->loop->busy++;
}

static bool ingest_is_burst(const struct exchange *exchange)
{
    return exchange->submission.batch->marks.burst_from != 0;
}

/* Tells the engine when the client of a burst has gone before the answer. */
static void ingest_notice(struct exchange *exchange)
{
    if (ingest_is_burst(exchange) && conn_gone(exchange->conn))
        engine_gone(exchange->loop->engine, &exchange->submission);
}

static void ingest_hand_over(struct exchange *exchange)
{
    list_append(&exchange->loop->pending, &exchange->node);
    ingest_notice(exchange);
    engine_submit(exchange->loop->engine, &exchange->submission);
}

static void ingest_submit(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct submission *submission = &exchange->submission;
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
    if (submission->batch->event_count == 0 && submission->batch->reject_count == 0) {
        ingest_acknowledge(exchange);
        return;
    }
    submission->mail.open = ingest_done;
    submission->reply_to = loop->mailbox;
    loop->busy++;
    if (!ingest_is_burst(exchange)) {
        ingest_hand_over(exchange);
        return;
    }
    pthread_mutex_lock(&loop->shared->settling_mutex);
    exchange->settled_ms = clock_mono_ms() + INGEST_SETTLE_MS;
    list_append(&loop->shared->settling, &exchange->node);
    pthread_mutex_unlock(&loop->shared->settling_mutex);
    loop->settling++;
}

void ingest_settle(struct loop *loop)
{
    struct shared *shared = loop->shared;
    for (struct list *node = loop->pending.next; node != &loop->pending; node = node->next)
        ingest_notice(LIST_OF(node, struct exchange, node));
    if (loop->settling == 0)
        return;
    /* What was answered before that could be heard: conn_watch looks. */
    (void)mailbox_open_all(loop->mailbox);
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&shared->settling_mutex);
    while (!list_empty(&shared->settling)) {
        struct exchange *exchange = LIST_OF(shared->settling.next, struct exchange, node);
        if (exchange->settled_ms > now || exchange->loop != loop)
            break;
        list_remove(&exchange->node);
        loop->settling--;
        ingest_hand_over(exchange);
    }
    pthread_mutex_unlock(&shared->settling_mutex);
}

int ingest_settles_in(const struct loop *loop)
{
    struct shared *shared = loop->shared;
    pthread_mutex_lock(&shared->settling_mutex);
    const struct exchange *first = LIST_OF(shared->settling.next, struct exchange, node);
    int64_t left = first->settled_ms - clock_mono_ms();
    /* Another loop's: it will be quick. */
    if (first->loop != loop && left < INGEST_TURN_MS)
        left = INGEST_TURN_MS;
    pthread_mutex_unlock(&shared->settling_mutex);
    return left > 0 ? (int)left : 0;
}

void ingest_begin(struct exchange *exchange)
{
    size_t len = evbuffer_get_length(evhttp_request_get_input_buffer(exchange->request));
    struct loop *loop = exchange->loop;
    int wait;
    if (ingest_coding(exchange->request) == INGEST_UNKNOWN) {
        exchange_error(exchange, 415, "Content-Encoding: only gzip is understood", NULL);
    } else if ((wait = ingest_limit(exchange, len)) > 0) {
        struct exchange_extra extra = {.retry_after = wait};
        exchange_error(exchange, 429, "too much from this address; send it again later", &extra);
    } else if (list_empty(&loop->held) && engine_has_room(loop->engine)) {
        ingest_submit(exchange);
    } else {
        ingest_hold(exchange);
    }
}

void ingest_resume(struct loop *loop)
{
    struct list *last = loop->held.previous, *node = loop->held.next;
    bool more = !list_empty(&loop->held);
    while (more && engine_has_room(loop->engine)) {
        struct exchange *exchange = LIST_OF(node, struct exchange, node);
        more = node != last;
        node = node->next;
        /* One that waits for another large body holds nobody up. */
        if (exchange->request != NULL && !ingest_may_read(exchange, 0))
            continue;
        list_remove(&exchange->node);
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
        struct exchange *exchange = LIST_OF(loop->held.next, struct exchange, node);
        if (exchange->began_ms > before)
            break;
        list_remove(&exchange->node);
        loop->busy--;
        ingest_refuse(exchange, "the queue is full; send it again");
    }
    for (struct list *node = loop->pending.next, *next; node != &loop->pending; node = next) {
        struct exchange *exchange = LIST_OF(node, struct exchange, node);
        next = node->next;
        if (exchange->began_ms > before)
            break;
        /* In the middle of a commit: its answer comes when that is over. */
        if (!engine_withdraw(loop->engine, &exchange->submission))
            continue;
        list_remove(&exchange->node);
        loop->busy--;
        ingest_refuse(exchange, "can't store it now; send it again");
    }
}
