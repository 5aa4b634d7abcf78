#include "server/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "contract/inflate.h"
#include "contract/reply.h"

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

/* Reads the body into a batch. True: exchange->submission.batch; false: the exchange was answered.
 */
static bool ingest_read(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct bytes plain;
    struct error err = {""};
    const char *text, *why = err.text;
    size_t len;
    bytes_init(&plain);
    int status = ingest_body(exchange, &plain, &text, &len, &why);
    if (status == 0) {
        why = err.text;
        switch (batch_read(text, len, &loop->options->limits, &loop->uuids, clock_wall_ms(),
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
        return true;
    }
    exchange_error(exchange, status, why, status == 503 ? &ingest_later : NULL);
    return false;
}

static void ingest_submit(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct submission *submission = &exchange->submission;
    if (!ingest_read(exchange))
        return;
    if (submission->batch->event_count == 0 && submission->batch->reject_count == 0) {
        ingest_acknowledge(exchange);
        return;
    }
    submission->mail.open = ingest_done;
    submission->reply_to = loop->mailbox;
    list_append(&loop->pending, &exchange->node);
    loop->busy++;
    engine_submit(loop->engine, submission);
}

void ingest_begin(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    if (ingest_coding(exchange->request) == INGEST_UNKNOWN) {
        exchange_error(exchange, 415, "Content-Encoding: only gzip is understood", NULL);
    } else if (list_empty(&loop->held) && engine_has_room(loop->engine)) {
        ingest_submit(exchange);
    } else {
        list_append(&loop->held, &exchange->node);
        loop->busy++;
    }
}

void ingest_resume(struct loop *loop)
{
    while (!list_empty(&loop->held) && engine_has_room(loop->engine)) {
        struct exchange *exchange = LIST_OF(loop->held.next, struct exchange, node);
        list_remove(&exchange->node);
        loop->busy--;
        ingest_submit(exchange);
    }
}

void ingest_expire(struct loop *loop)
{
    int64_t before = clock_mono_ms() - loop->options->hold_ms;
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
