#include "server/inflow_parts.h"

#include <stdlib.h>

#include "base/clock.h"
#include "contract/lines.h"
#include "contract/reply.h"
#include "server/client.h"
#include "server/conn.h"
#include "server/dispatch.h"

/* Of the rest of a body that is refused so many times max-body are thrown away, so that the client
 * has sent all of it and reads the answer; beyond, the connection is closed in its face. */
#define INFLOW_DROP_TIMES 4

static void inflow_turn(struct inflow *inflow);

/* ---- the connection ---- */

static void inflow_on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    inflow_turn(arg);
}

static void inflow_on_event(struct bufferevent *bev, short what, void *arg)
{
    struct inflow *inflow = arg;
    inflow->event_cb(bev, what, inflow->cb_arg);
}

/* evhttp must not be told of bytes behind a request that it takes for whole. */
static void inflow_intercept(struct inflow *inflow)
{
    struct bufferevent *bev = inflow->exchange->conn->bev;
    bufferevent_getcb(bev, &inflow->read_cb, &inflow->write_cb, &inflow->event_cb, &inflow->cb_arg);
    bufferevent_setcb(bev, inflow_on_read, NULL, inflow_on_event, inflow);
}

static void inflow_restore(struct inflow *inflow)
{
    struct conn *conn = inflow->exchange->conn;
    if (conn == NULL)
        return;
    bufferevent_setcb(conn->bev, inflow->read_cb, inflow->write_cb, inflow->event_cb,
                      inflow->cb_arg);
    conn_quiet(conn);
    conn_count(conn, 0);
}

static void inflow_read_on(struct inflow *inflow, bool on)
{
    struct conn *conn = inflow->exchange->conn;
    if (on)
        conn_listen(conn);
    else
        conn_quiet(conn);
}

/* ---- the answer ---- */

static void inflow_lost(struct inflow *inflow)
{
    for (size_t i = 0; i < inflow->receipt_count; i++)
        engine_lost(inflow->exchange->loop->engine, inflow->receipts[i]);
    inflow->receipt_count = 0;
}

/* Nothing is under way any more. Frees the inflow. */
static void inflow_answer(struct inflow *inflow)
{
    struct exchange *exchange = inflow->exchange;
    struct conn *conn = exchange->conn;
    struct exchange_extra extra = {.retry_after = inflow->retry_after};
    struct bytes body;
    bytes_init(&body);
    /* Who gets an error sends all of it again. */
    if (conn == NULL || conn_gone(conn) || inflow->status != 0)
        inflow_lost(inflow);
    if (inflow->poured && conn != NULL && guard_pour_end(&conn->guard) != 0)
        conn->guard.closing = true;
    inflow_restore(inflow);
    if (inflow->status == 0 &&
        reply_saved(&body, inflow->saved, inflow->rejected, inflow->duplicate) != 0) {
        inflow->status = 503;
        inflow->why = "out of memory";
    }
    /* One answer proves lost for one receipt; of a body of several bursts the last. */
    if (inflow->receipt_count > 0 && inflow->status == 0)
        conn_watch(conn, exchange->loop->engine, inflow->receipts[inflow->receipt_count - 1],
                   exchange_keeps(exchange));
    if (inflow->status == 0) {
        exchange_reply(exchange, 200, &body, NULL);
        return;
    }
    bytes_clear(&body);
    exchange_error(exchange, inflow->status, inflow->why, &extra);
}

/* ---- pieces ---- */

static bool inflow_client_gone(struct intake *intake)
{
    return conn_gone(LIST_OF(intake, struct exchange, intake)->conn);
}

static void inflow_done(struct intake *intake)
{
    struct exchange *exchange = LIST_OF(intake, struct exchange, intake);
    struct inflow *inflow = exchange->inflow;
    const struct submission *submission = &intake->submission;
    inflow->busy = false;
    if (submission->stored) {
        inflow->saved += submission->saved;
        inflow->rejected += submission->rejected;
        inflow->duplicate += submission->duplicate;
        if (submission->receipt != 0 && !submission->told &&
            inflow->receipt_count < INFLOW_RECEIPTS)
            inflow->receipts[inflow->receipt_count++] = submission->receipt;
    } else if (inflow->status == 0) {
        inflow_fail(inflow, 503, "shutting down; send it again");
    }
    intake_clear(intake);
    if (exchange->conn != NULL) {
        inflow_turn(inflow);
    } else {
        if (!exchange->loop->ended) /* the engine may have, too */
            inflow_lost(inflow);
        if (exchange->request != NULL)
            evhttp_request_free(exchange->request);
        exchange_free(exchange);
    }
}

/* Hands the piece over. */
static void inflow_submit(struct inflow *inflow)
{
    struct exchange *exchange = inflow->exchange;
    struct loop *loop = exchange->loop;
    struct intake *intake = &exchange->intake;
    struct batch *batch = NULL;
    struct error err;
    size_t objects;
    int status =
        lines_body(inflow->text.data, inflow->text.len, &loop->options->limits, &loop->uuids,
                   engine_secret(loop->engine), clock_wall_ms(), &objects, &batch, &err);
    size_t lines = status == BATCH_OK ? batch->event_count + batch->reject_count : 0;
    bool nothing = status == BATCH_OK && objects == 0 && !inflow->begun;
    if (loop_buckets(loop) != NULL && status == BATCH_OK)
        buckets_charge(loop_buckets(loop), exchange->client, clock_mono_ms(), (int64_t)lines,
                       (int64_t)inflow->text.len);
    if (status == BATCH_OK && !nothing)
        counters_batch(&loop->counters, COUNTERS_LINES, lines, inflow->text.len);
    inflow->text.len = 0;
    inflow->full = false;
    inflow->piece_ms = clock_mono_ms();
    if (status != BATCH_OK || nothing) {
        batch_free(batch);
        inflow_fail(inflow, nothing ? 400 : 503,
                    nothing ? "no line of the body is a JSON object" : "out of memory");
        return;
    }
    inflow->begun = true;
    intake->submission = (struct submission){.batch = batch};
    intake->began_ms = clock_mono_ms();
    inflow->busy = true;
    intake_submit(intake);
}

/* A refused body: the rest of it is dropped, then it is answered. */
static void inflow_drop(struct inflow *inflow)
{
    uint64_t most = (uint64_t)inflow->exchange->loop->options->max_body * INFLOW_DROP_TIMES;
    const char *why;
    while (!inflow->poured && !inflow->bad && inflow->dropped <= most) {
        inflow->wire.len = 0;
        int status = guard_pour(&inflow->exchange->conn->guard, INFLOW_READ, &inflow->wire, &why);
        inflow->dropped += inflow->wire.len;
        inflow->poured = status == 1;
        inflow->bad = status < 0;
        if (status == 0 && inflow->wire.len == 0)
            break;
    }
    bytes_clear(&inflow->wire);
    if (inflow->busy)
        inflow_read_on(inflow, false);
    else if (inflow->poured || inflow->bad || inflow->dropped > most)
        inflow_answer(inflow);
    else
        inflow_read_on(inflow, true);
}

/* Is there a piece, or the last of it? */
static bool inflow_has_piece(const struct inflow *inflow)
{
    return inflow->full || (inflow->ended && (inflow->text.len > 0 || !inflow->begun));
}

static void inflow_account(struct inflow *inflow)
{
    struct conn *conn = inflow->exchange->conn;
    conn_count(conn, (int64_t)(guard_bytes(&conn->guard) + inflow->text.len + inflow->plain.len +
                               inflow->wire.len));
}

/* A body without an end must not be a way around the limits of its client. */
static bool inflow_limited(const struct inflow *inflow)
{
    struct buckets *buckets = loop_buckets(inflow->exchange->loop);
    return buckets != NULL && buckets_wait(buckets, inflow->exchange->client, clock_mono_ms()) > 0;
}

/* Whether the piece may be handed over; else inflow_done or inflow_tick goes on. */
static bool inflow_may_submit(const struct inflow *inflow)
{
    return !inflow->busy && engine_has_room(inflow->exchange->loop->engine) &&
           !inflow_limited(inflow);
}

/* Goes on as far as it can. May free the inflow. */
static void inflow_turn(struct inflow *inflow)
{
    int more = 1;
    while (inflow->status == 0 && more > 0) {
        if (inflow_cut(inflow) != 0) {
            inflow_fail(inflow, 503, "out of memory");
        } else if (inflow_has_piece(inflow)) {
            if (!inflow_may_submit(inflow))
                break;
            inflow_submit(inflow);
        } else if (inflow->ended) {
            break;
        } else {
            more = inflow_fill(inflow);
        }
    }
    if (inflow->status != 0) {
        inflow_drop(inflow);
        return;
    }
    if (inflow->ended && !inflow->busy && !inflow_has_piece(inflow)) {
        inflow_answer(inflow);
        return;
    }
    inflow_account(inflow);
    /* Not only at the next tick: much comes within one. */
    struct conn *conn = inflow->exchange->conn;
    if (!inflow->busy && inflow->crowded_ms == 0 && conn->counted > (int64_t)INFLOW_READ &&
        conn_too_much(conn))
        inflow->crowded_ms = clock_mono_ms();
    bool waits = inflow_has_piece(inflow) || inflow->ended;
    if (waits)
        inflow->piece_ms = clock_mono_ms(); /* the client is not to blame */
    inflow_read_on(inflow, !waits && inflow->crowded_ms == 0);
}

void inflow_tick(struct inflow *inflow, int64_t now_ms)
{
    const struct server_options *options = inflow->exchange->loop->options;
    struct conn *conn = inflow->exchange->conn;
    bool crowded = !inflow->busy && conn->counted > 0 && conn_too_much(conn);
    if (!crowded)
        inflow->crowded_ms = 0;
    else if (inflow->crowded_ms == 0)
        inflow->crowded_ms = now_ms;
    bool late = now_ms - inflow->piece_ms > options->body_timeout_ms;
    if (late) /* nothing more is waited for */
        inflow->bad = true;
    if (inflow->status == 0 && late)
        inflow_fail(inflow, 408, "a piece of the request body took too long");
    else if (inflow->status == 0 && crowded && now_ms - inflow->crowded_ms > options->hold_ms)
        inflow_fail(inflow, 503, "too much is being sent at once; send it again");
    inflow_turn(inflow);
}

void inflow_renew(struct inflow *inflow)
{
    enum access_verdict verdict = dispatch_verdict(inflow->exchange);
    if (verdict == ACCESS_OK || inflow->status != 0)
        return;
    inflow_fail(inflow, dispatch_status(verdict), access_verdict_text(verdict));
    inflow_turn(inflow);
}

void inflow_begin(struct exchange *exchange, bool gzip, int refuse, const char *why,
                  int retry_after)
{
    struct inflow *inflow = calloc(1, sizeof *inflow);
    struct gunzip *gunzip = gzip ? gunzip_new() : NULL;
    if (inflow == NULL || (gzip && gunzip == NULL)) {
        free(inflow);
        gunzip_free(gunzip);
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    inflow->exchange = exchange;
    inflow->gunzip = gunzip;
    bytes_init(&inflow->wire);
    bytes_init(&inflow->plain);
    bytes_init(&inflow->text);
    inflow->piece_ms = clock_mono_ms();
    exchange->inflow = inflow;
    exchange->client = client_address(exchange); /* a limit may come while the body does */
    exchange->intake.patient = true;
    exchange->intake.gone = inflow_client_gone;
    exchange->intake.done = inflow_done;
    inflow_intercept(inflow);
    inflow->retry_after = retry_after;
    if (refuse != 0) {
        inflow_fail(inflow, refuse, why);
        inflow->bad = guard_pour_asked(&exchange->conn->guard); /* it may never come */
    } else {
        guard_pour_wanted(&exchange->conn->guard);
    }
    inflow_turn(inflow);
}

void inflow_gone(struct inflow *inflow)
{
    struct exchange *exchange = inflow->exchange;
    /* What is being committed still is; inflow_done frees it then. */
    if (inflow->busy) {
        intake_abandon(&exchange->intake);
        return;
    }
    inflow_lost(inflow);
    if (exchange->request != NULL)
        evhttp_request_free(exchange->request);
    exchange_free(exchange);
}

void inflow_free(struct inflow *inflow)
{
    if (inflow == NULL)
        return;
    gunzip_free(inflow->gunzip);
    bytes_clear(&inflow->wire);
    bytes_clear(&inflow->plain);
    bytes_clear(&inflow->text);
    free(inflow);
}
