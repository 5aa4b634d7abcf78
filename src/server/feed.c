#include "server/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "contract/gunzip.h"
#include "contract/lines.h"
#include "contract/reply.h"
#include "server/conn.h"
#include "server/exchange.h"

#define FEED_PIECE ((size_t)1 << 20) /* plain bytes; changing it spoils the receipts of retries */
#define FEED_READ ((size_t)64 << 10)
/* Of the rest of a body that is refused so many times max-body are thrown away, so that the client
 * has sent all of it and reads the answer; beyond, the connection is closed in its face. */
#define FEED_DROP_TIMES 4
/* Bursts (contract/marks.h) of one body whose answer may yet prove lost. */
#define FEED_RECEIPTS 64

struct feed {
    struct exchange *exchange;
    bufferevent_data_cb read_cb, write_cb; /* evhttp's, */
    bufferevent_event_cb event_cb;
    void *cb_arg; /* while ours are in their place */

    struct gunzip *gunzip; /* NULL: plain */
    struct bytes wire;     /* compressed: [wire_at, len) is still to be inflated */
    size_t wire_at;
    struct bytes plain; /* [plain_at, len) is still to be put into text */
    size_t plain_at;
    struct bytes text; /* the piece */
    size_t line; /* bytes of its last line, which has not ended, that came; not all are kept */
    bool full;   /* the piece is complete */
    bool poured; /* the whole body has been taken from the guard, */
    bool ended;  /* and put into text */
    bool begun;  /* a piece has been handed over */
    bool busy;   /* one is in the engine's hands */

    int status; /* the answer, when it is an error: the rest of the body is dropped */
    const char *why;
    int retry_after;
    uint64_t dropped;

    size_t saved, rejected, duplicate;
    uint64_t receipts[FEED_RECEIPTS];
    size_t receipt_count;
    int64_t piece_ms;   /* when the piece began to come in */
    int64_t crowded_ms; /* since when all together receive too much; 0: they do not */
};

static void feed_turn(struct feed *feed);

/* ---- the connection ---- */

static void feed_on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    feed_turn(arg);
}

static void feed_on_event(struct bufferevent *bev, short what, void *arg)
{
    struct feed *feed = arg;
    feed->event_cb(bev, what, feed->cb_arg);
}

/* evhttp must not be told of bytes behind a request that it takes for whole. */
static void feed_intercept(struct feed *feed)
{
    struct bufferevent *bev = feed->exchange->conn->bev;
    bufferevent_getcb(bev, &feed->read_cb, &feed->write_cb, &feed->event_cb, &feed->cb_arg);
    bufferevent_setcb(bev, feed_on_read, NULL, feed_on_event, feed);
}

static void feed_restore(struct feed *feed)
{
    struct conn *conn = feed->exchange->conn;
    if (conn == NULL)
        return;
    bufferevent_setcb(conn->bev, feed->read_cb, feed->write_cb, feed->event_cb, feed->cb_arg);
    conn_quiet(conn);
    conn_count(conn, 0);
}

static void feed_read_on(struct feed *feed, bool on)
{
    struct conn *conn = feed->exchange->conn;
    if (on)
        bufferevent_enable(conn->bev, EV_READ);
    else
        conn_quiet(conn);
}

/* ---- the answer ---- */

static void feed_fail(struct feed *feed, int status, const char *why)
{
    feed->status = status;
    feed->why = why;
    bytes_clear(&feed->text);
    bytes_clear(&feed->plain);
    feed->full = false;
    feed->plain_at = 0;
}

static void feed_lost(struct feed *feed)
{
    for (size_t i = 0; i < feed->receipt_count; i++)
        engine_lost(feed->exchange->loop->engine, feed->receipts[i]);
    feed->receipt_count = 0;
}

/* Nothing is under way any more. Frees the feed. */
static void feed_answer(struct feed *feed)
{
    struct exchange *exchange = feed->exchange;
    struct conn *conn = exchange->conn;
    struct exchange_extra extra = {.retry_after = feed->retry_after};
    struct bytes body;
    bytes_init(&body);
    if (conn == NULL || conn_gone(conn))
        feed_lost(feed);
    if (feed->poured && conn != NULL && guard_pour_end(&conn->guard) != 0)
        conn->guard.closing = true;
    feed_restore(feed);
    if (feed->status == 0 &&
        reply_saved(&body, feed->saved, feed->rejected, feed->duplicate) != 0) {
        feed->status = 503;
        feed->why = "out of memory";
    }
    /* One answer proves lost for one receipt; of a body of several bursts the last. */
    if (feed->receipt_count > 0 && feed->status == 0)
        conn_watch(conn, exchange->loop->engine, feed->receipts[feed->receipt_count - 1],
                   exchange_keeps(exchange));
    if (feed->status == 0) {
        exchange_reply(exchange, 200, &body, NULL);
        return;
    }
    bytes_clear(&body);
    exchange_error(exchange, feed->status, feed->why, &extra);
}

/* ---- pieces ---- */

static bool feed_client_gone(struct intake *intake)
{
    return conn_gone(LIST_OF(intake, struct exchange, intake)->conn);
}

static void feed_done(struct intake *intake)
{
    struct exchange *exchange = LIST_OF(intake, struct exchange, intake);
    struct feed *feed = exchange->feed;
    const struct submission *submission = &intake->submission;
    feed->busy = false;
    if (submission->stored) {
        feed->saved += submission->saved;
        feed->rejected += submission->rejected;
        feed->duplicate += submission->duplicate;
        if (submission->receipt != 0 && !submission->told && feed->receipt_count < FEED_RECEIPTS)
            feed->receipts[feed->receipt_count++] = submission->receipt;
    } else if (feed->status == 0) {
        feed_fail(feed, 503, "shutting down; send it again");
    }
    intake_clear(intake);
    if (exchange->conn != NULL) {
        feed_turn(feed);
    } else {
        if (!exchange->loop->ended) /* the engine may have, too */
            feed_lost(feed);
        if (exchange->request != NULL)
            evhttp_request_free(exchange->request);
        exchange_free(exchange);
    }
}

/* Hands the piece over. */
static void feed_submit(struct feed *feed)
{
    struct exchange *exchange = feed->exchange;
    struct loop *loop = exchange->loop;
    struct intake *intake = &exchange->intake;
    struct batch *batch = NULL;
    struct error err;
    size_t objects;
    int status = lines_body(feed->text.data, feed->text.len, &loop->options->limits, &loop->uuids,
                            engine_secret(loop->engine), clock_wall_ms(), &objects, &batch, &err);
    size_t lines = status == BATCH_OK ? batch->event_count + batch->reject_count : 0;
    bool nothing = status == BATCH_OK && objects == 0 && !feed->begun && (lines > 0 || feed->ended);
    if (loop->shared->buckets != NULL && status == BATCH_OK)
        buckets_charge(loop->shared->buckets, exchange->client, clock_mono_ms(), (int64_t)lines,
                       (int64_t)feed->text.len);
    feed->text.len = 0;
    feed->full = false;
    feed->piece_ms = clock_mono_ms();
    if (status != BATCH_OK || nothing) {
        batch_free(batch);
        feed_fail(feed, nothing ? 400 : 503,
                  nothing ? "no line of the body is a JSON object" : "out of memory");
        return;
    }
    feed->begun = feed->begun || lines > 0;
    if (lines == 0) {
        batch_free(batch); /* empty lines */
        return;
    }
    intake->submission = (struct submission){.batch = batch};
    intake->began_ms = clock_mono_ms();
    feed->busy = true;
    intake_submit(intake);
}

/* Puts what is plain into the piece, until it is complete. */
static int feed_cut(struct feed *feed)
{
    size_t most = feed->exchange->loop->options->limits.event_bytes + 1;
    while (feed->plain_at < feed->plain.len && !feed->full) {
        const char *from = feed->plain.data + feed->plain_at;
        size_t have = feed->plain.len - feed->plain_at;
        const char *feed_at = memchr(from, '\n', have);
        size_t len = feed_at != NULL ? (size_t)(feed_at - from) : have;
        size_t room = feed->line < most ? most - feed->line : 0;
        if (bytes_append(&feed->text, from, len < room ? len : room) != 0 ||
            (feed_at != NULL && bytes_append(&feed->text, "\n", 1) != 0))
            return -1;
        feed->line = feed_at != NULL ? 0 : feed->line + len;
        feed->plain_at += len + (feed_at != NULL);
        feed->full = feed_at != NULL && feed->text.len >= FEED_PIECE;
    }
    if (feed->plain_at == feed->plain.len)
        feed->plain.len = feed->plain_at = 0;
    return 0;
}

/* Takes more of the body from the guard. */
static int feed_pour(struct feed *feed, struct bytes *out)
{
    const char *why;
    size_t before = out->len;
    int status = guard_pour(&feed->exchange->conn->guard, FEED_READ, out, &why);
    if (status >= 0) {
        feed->poured = status == 1;
        return out->len > before || feed->poured ? 1 : 0;
    }
    feed_fail(feed, strcmp(why, "out of memory") == 0 ? 503 : 400, why);
    return -1;
}

static int feed_inflate(struct feed *feed)
{
    struct error err;
    size_t used = 0, got = 0;
    if (bytes_reserve(&feed->plain, FEED_READ) != 0) {
        feed_fail(feed, 503, "out of memory");
        return -1;
    }
    if (gunzip_read(feed->gunzip, feed->wire.data + feed->wire_at, feed->wire.len - feed->wire_at,
                    &used, feed->plain.data, FEED_READ, &got, &err) != 0) {
        feed_fail(feed, 400, "body is no gzip, damaged or cut short");
        return -1;
    }
    feed->plain.len = got;
    feed->wire_at += used;
    if (feed->wire_at == feed->wire.len)
        feed->wire.len = feed->wire_at = 0;
    return used > 0 || got > 0;
}

/* Gets something plain, or the end of the body. 1; 0 when more must come first; -1: failed. */
static int feed_fill(struct feed *feed)
{
    if (feed->gunzip == NULL) {
        int status = feed->poured ? 1 : feed_pour(feed, &feed->plain);
        feed->ended = feed->poured && feed->plain.len == 0;
        return status;
    }
    int status = feed_inflate(feed);
    if (status != 0)
        return status;
    if (!feed->poured)
        return feed_pour(feed, &feed->wire);
    feed->ended = true;
    if (gunzip_whole(feed->gunzip))
        return 1;
    feed_fail(feed, 400, "body is no gzip, damaged or cut short");
    return -1;
}

/* A refused body: the rest of it is dropped, then it is answered. */
static void feed_drop(struct feed *feed)
{
    uint64_t most = (uint64_t)feed->exchange->loop->options->max_body * FEED_DROP_TIMES;
    const char *why;
    bool bad = false;
    while (!feed->poured && !bad && feed->dropped <= most) {
        feed->wire.len = 0;
        int status = guard_pour(&feed->exchange->conn->guard, FEED_READ, &feed->wire, &why);
        feed->dropped += feed->wire.len;
        feed->poured = status == 1;
        bad = status < 0;
        if (status == 0 && feed->wire.len == 0)
            break;
    }
    bytes_clear(&feed->wire);
    if (feed->busy)
        feed_read_on(feed, false);
    else if (feed->poured || bad || feed->dropped > most)
        feed_answer(feed);
    else
        feed_read_on(feed, true);
}

/* Is there a piece, or the last of it? */
static bool feed_has_piece(const struct feed *feed)
{
    return feed->full || (feed->ended && (feed->text.len > 0 || !feed->begun));
}

static void feed_account(struct feed *feed)
{
    struct conn *conn = feed->exchange->conn;
    conn_count(conn, (int64_t)(guard_bytes(&conn->guard) + feed->text.len + feed->plain.len +
                               feed->wire.len));
}

/* Goes on as far as it can. May free the feed. */
static void feed_turn(struct feed *feed)
{
    int more = 1;
    while (feed->status == 0 && more > 0) {
        if (feed_cut(feed) != 0) {
            feed_fail(feed, 503, "out of memory");
        } else if (feed_has_piece(feed)) {
            if (feed->busy || !engine_has_room(feed->exchange->loop->engine))
                break; /* feed_done or feed_tick goes on */
            feed_submit(feed);
        } else if (feed->ended) {
            break;
        } else {
            more = feed_fill(feed);
        }
    }
    if (feed->status != 0) {
        feed_drop(feed);
        return;
    }
    if (feed->ended && !feed->busy && !feed_has_piece(feed)) {
        feed_answer(feed);
        return;
    }
    feed_account(feed);
    bool waits = feed_has_piece(feed) || feed->ended;
    if (waits)
        feed->piece_ms = clock_mono_ms(); /* the client is not to blame */
    feed_read_on(feed, !waits && feed->crowded_ms == 0);
}

void feed_tick(struct feed *feed, int64_t now_ms)
{
    const struct server_options *options = feed->exchange->loop->options;
    struct conn *conn = feed->exchange->conn;
    bool crowded = !feed->busy && conn->counted > 0 && conn_too_much(conn);
    if (!crowded)
        feed->crowded_ms = 0;
    else if (feed->crowded_ms == 0)
        feed->crowded_ms = now_ms;
    if (feed->status == 0 && now_ms - feed->piece_ms > options->body_timeout_ms)
        feed_fail(feed, 408, "a piece of the request body took too long");
    else if (feed->status == 0 && crowded && now_ms - feed->crowded_ms > options->hold_ms)
        feed_fail(feed, 503, "too much is being sent at once; send it again");
    if (feed->status == 408)
        feed->dropped = UINT64_MAX; /* nothing more is waited for */
    feed_turn(feed);
}

void feed_begin(struct exchange *exchange, bool gzip, int refuse, const char *why, int retry_after)
{
    struct feed *feed = calloc(1, sizeof *feed);
    struct gunzip *gunzip = gzip ? gunzip_new() : NULL;
    if (feed == NULL || (gzip && gunzip == NULL)) {
        free(feed);
        gunzip_free(gunzip);
        exchange_error(exchange, 503, "out of memory", NULL);
        return;
    }
    feed->exchange = exchange;
    feed->gunzip = gunzip;
    bytes_init(&feed->wire);
    bytes_init(&feed->plain);
    bytes_init(&feed->text);
    feed->piece_ms = clock_mono_ms();
    exchange->feed = feed;
    exchange->intake.patient = true;
    exchange->intake.gone = feed_client_gone;
    exchange->intake.done = feed_done;
    feed_intercept(feed);
    feed->retry_after = retry_after;
    if (refuse != 0)
        feed_fail(feed, refuse, why);
    else
        guard_pour_wanted(&exchange->conn->guard);
    feed_turn(feed);
}

void feed_gone(struct feed *feed)
{
    struct exchange *exchange = feed->exchange;
    /* What is being committed still is; feed_done frees it then. */
    if (feed->busy) {
        intake_abandon(&exchange->intake);
        return;
    }
    feed_lost(feed);
    if (exchange->request != NULL)
        evhttp_request_free(exchange->request);
    exchange_free(exchange);
}

void feed_free(struct feed *feed)
{
    if (feed == NULL)
        return;
    gunzip_free(feed->gunzip);
    bytes_clear(&feed->wire);
    bytes_clear(&feed->plain);
    bytes_clear(&feed->text);
    free(feed);
}
