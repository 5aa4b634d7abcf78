#include "server/websocket_parts.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* What libevent reads ahead of us. */
#define WEBSOCKET_READ_BYTES (32 << 10)
/* The write callback comes when so much or less is left, and at the end. */
#define WEBSOCKET_WRITE_BYTES (32 << 10)
/* Before a right key has come. */
#define WEBSOCKET_STRANGER_BYTES DIALOG_SMALL_BYTES

/* --- events ----------------------------------------------------------------------------------- */

/* A response that has failed: told if nothing of it is out, else nothing can be told any more. */
static void websocket_heed_response(struct websocket *websocket)
{
    struct response *response = &websocket->response;
    static const char why[] = "the database can't be read now";
    if (!response->failed)
        return;
    bool silent = !websocket->outbox.begun;
    response_end(response);
    if (websocket->phase != WEBSOCKET_OPEN && websocket->phase != WEBSOCKET_LEAVING)
        return;
    if (silent) {
        outbox_abandon(&websocket->outbox);
        push_fail(&websocket->push, websocket->loop);
        websocket_error(websocket, why, websocket->req_id);
    } else {
        websocket_part(websocket, FRAMES_INTERNAL, why);
    }
}

static void websocket_respond(struct websocket *websocket)
{
    if (push_settled(&websocket->push))
        response_go_on(&websocket->response);
}

void websocket_turn(struct websocket *websocket)
{
    /* An answer to what is being acted on has come at once. */
    if (websocket->turning)
        return;
    websocket->turning = true;
    websocket_heed_response(websocket);
    websocket_respond(websocket);
    websocket_pump(websocket);
    websocket_respond(websocket);
    websocket_proceed(websocket);
    /* Our last word has just gone out: what waited is acted on. */
    if (websocket->phase == WEBSOCKET_LAST)
        websocket_pump(websocket);
    websocket->turning = false;
    if (websocket->phase == WEBSOCKET_OVER) {
        evhttp_connection_free(websocket->conn->evcon);
        return;
    }
    websocket_reading(websocket);
    websocket_count(websocket);
}

static void websocket_on_read(struct bufferevent *bev, void *arg)
{
    struct websocket *websocket = arg;
    (void)bev;
    websocket->heard_ms = clock_mono_ms();
    websocket->pinged = websocket->dry = false;
    websocket_turn(websocket);
}

static void websocket_on_write(struct bufferevent *bev, void *arg)
{
    struct websocket *websocket = arg;
    (void)bev;
    outbox_written(&websocket->outbox);
    websocket_turn(websocket);
}

static void websocket_on_event(struct bufferevent *bev, short what, void *arg)
{
    struct websocket *websocket = arg;
    websocket->reset = websocket->reset || (what & BEV_EVENT_ERROR) != 0;
    /* What was read with the end has not been told of yet. */
    if (evbuffer_get_length(bufferevent_get_input(bev)) > 0)
        websocket->dry = false;
    /* Whichever way fails, TLS stops both. */
    if (websocket->conn->secure)
        bufferevent_enable(bev, (what & BEV_EVENT_READING) != 0 ? EV_WRITE
                                : websocket->reading            ? EV_READ
                                                                : 0);
    if ((what & BEV_EVENT_READING) != 0) {
        websocket->eof = true;
    } else {
        /* The peer takes nothing, or can't any more. What it has sent counts all the same. */
        outbox_judge(&websocket->outbox, true);
        websocket->outbox.failed = true;
    }
    websocket_turn(websocket);
}

static void websocket_on_response(void *arg)
{
    struct websocket *websocket = arg;
    struct response *response = &websocket->response;
    if (!response->failed)
        push_snapshot(&websocket->push, websocket->loop, response->max_seq);
    websocket_turn(websocket);
}

static void websocket_on_settled(void *arg)
{
    websocket_turn(arg);
}

/* --- time ------------------------------------------------------------------------------------- */

/* A peer that says nothing is asked; one that does not answer is gone. While it has not taken what
 * it was sent its silence means nothing: the write timeout sees to that. Nor does it while we don't
 * read; it is asked all the same, since proxies cut connections on which nothing moves. */
static void websocket_ping(struct websocket *websocket, int64_t now)
{
    int64_t interval = websocket->loop->options->ping_interval_ms;
    if (interval == 0)
        return;
    if (!websocket->reading || outbox_size(&websocket->outbox) > 0) {
        bool due = now - websocket->heard_ms > interval && now - websocket->pinged_ms > interval;
        websocket->pinged = false;
        if (!due || outbox_size(&websocket->outbox) > 0)
            return;
        websocket->pinged_ms = now;
        outbox_control(&websocket->outbox, FRAMES_OP_PING, "", 0);
    } else if (websocket->pinged && now - websocket->pinged_ms > interval) {
        /* The ping may stand behind much that a slow peer takes little by little. */
        uint64_t arrived = outbox_arrived(&websocket->outbox);
        if (arrived > websocket->arrived) {
            websocket->arrived = arrived;
            websocket->pinged_ms = now;
            return;
        }
        log_debug("websocket %d: no answer to a ping", websocket->conn->fd);
        websocket->eof = websocket->reset = true;
        websocket_turn(websocket);
    } else if (!websocket->pinged && now - websocket->heard_ms > interval) {
        websocket->pinged = true;
        websocket->pinged_ms = now;
        websocket->arrived = outbox_arrived(&websocket->outbox);
        outbox_control(&websocket->outbox, FRAMES_OP_PING, "", 0);
    }
}

void websocket_tick(struct websocket *websocket, int64_t now_ms)
{
    const struct server_options *options = websocket->loop->options;
    int64_t passed = now_ms - websocket->ticked_ms;
    websocket->ticked_ms = now_ms;
    if (websocket->phase == WEBSOCKET_OPEN || websocket->phase == WEBSOCKET_LAST)
        websocket_hurry(websocket, passed);
    if (websocket->phase == WEBSOCKET_OPEN && !websocket->dialog.open &&
        now_ms - websocket->since_ms > options->head_timeout_ms)
        websocket_end(websocket, FRAMES_PROTOCOL, "no auth came", false);
    /* Nothing else would show it while the connection is not read. */
    if (!websocket->reading && websocket->outbox.receipt_count > 0 && conn_reset(websocket->conn))
        outbox_judge(&websocket->outbox, true);
    if (push_tick(&websocket->push) || websocket->phase != WEBSOCKET_OPEN ||
        websocket->outbox.failed)
        websocket_turn(websocket);
    else
        websocket_ping(websocket, now_ms);
}

void websocket_drain(struct websocket *websocket)
{
    if (websocket->phase == WEBSOCKET_OPEN) {
        websocket_release(websocket);
        websocket_enter(websocket, WEBSOCKET_LEAVING);
    }
    websocket_turn(websocket);
}

void websocket_renew(struct websocket *websocket, const struct access *before,
                     const struct timeval *timeout)
{
    struct loop *loop = websocket->loop;
    if (timeout != NULL)
        (void)bufferevent_set_timeouts(websocket->conn->bev, NULL, timeout);
    if (websocket->phase != WEBSOCKET_OPEN)
        return;
    /* A message under way has the limit that it began with. */
    if (websocket->dialog.open && !frames_within(websocket->frames))
        frames_limit(websocket->frames, (size_t)loop->options->max_message);
    websocket->revoked = !dialog_renew(&websocket->dialog, before, loop->access);
    if (websocket->revoked || (websocket->dialog.scopes & ACCESS_QUERY) == 0)
        push_end(&websocket->push, loop);
    if (websocket->revoked)
        websocket_drain(websocket);
    else
        websocket_turn(websocket);
}

void websocket_resume(struct loop *loop, bool all)
{
    struct list *last = loop->blocked.previous;
    bool more = !list_empty(&loop->blocked);
    while (more && (all || engine_has_room(loop->engine))) {
        struct websocket *websocket = LIST_OF(loop->blocked.next, struct websocket, blocked_node);
        more = &websocket->blocked_node != last;
        list_remove(&websocket->blocked_node);
        if (websocket->patient && !all) {
            list_append(&loop->blocked, &websocket->blocked_node);
            continue;
        }
        websocket->blocked = websocket->patient = false;
        websocket_turn(websocket);
    }
}

/* --- begin and end ---------------------------------------------------------------------------- */

int websocket_open(struct conn *conn, bool deflate, struct address client)
{
    struct loop *loop = conn->loop;
    const struct server_options *options = loop->options;
    struct websocket *websocket = calloc(1, sizeof *websocket);
    if (websocket == NULL)
        return -1;
    dialog_init(&websocket->dialog, loop->access);
    size_t most = websocket->dialog.open ? (size_t)options->max_message : WEBSOCKET_STRANGER_BYTES;
    websocket->frames = frames_new(most, deflate, websocket_source, websocket);
    if (websocket->frames == NULL) {
        free(websocket);
        return -1;
    }
    websocket->conn = conn;
    websocket->loop = loop;
    websocket->client = client;
    websocket->deflate = deflate;
    websocket->since_ms = websocket->heard_ms = websocket->ticked_ms = clock_mono_ms();
    list_init(&websocket->blocked_node);
    list_init(&websocket->arrivals);
    outbox_init(&websocket->outbox, conn->bev, conn->secure, loop->engine);
    response_init(&websocket->response, loop, &websocket->outbox, deflate, websocket_on_response,
                  websocket);
    push_init(&websocket->push, &websocket->outbox, deflate, websocket_on_settled, websocket);
    conn_upgrade(conn, websocket);
    const struct timeval timeout = {options->timeout_ms / 1000,
                                    (options->timeout_ms % 1000) * 1000};
    bufferevent_setcb(conn->bev, websocket_on_read, websocket_on_write, websocket_on_event,
                      websocket);
    /* Through TLS a record is read at a time; what a watermark holds back of one libevent 2.1
     * forgets.
     */
    bufferevent_setwatermark(conn->bev, EV_READ, 0, conn->secure ? 0 : WEBSOCKET_READ_BYTES);
    bufferevent_setwatermark(conn->bev, EV_WRITE, WEBSOCKET_WRITE_BYTES, 0);
    (void)bufferevent_set_timeouts(conn->bev, NULL, &timeout);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    websocket->reading = true;
    counter_add(&loop->counters.websockets_opened, 1);
    gauge_add(&loop->counters.websockets, 1);
    log_debug("websocket %d: begins%s", conn->fd, deflate ? ", compressed" : "");
    /* What the client has sent behind its request is here already. */
    bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
    return 0;
}

void websocket_gone(struct websocket *websocket)
{
    log_debug("websocket %d: ends", websocket->conn->fd);
    gauge_add(&websocket->loop->counters.websockets, -1);
    websocket_disown(websocket);
    outbox_judge(&websocket->outbox, websocket->reset);
    list_remove(&websocket->blocked_node);
    websocket_release(websocket);
    response_end(&websocket->response);
    push_end(&websocket->push, websocket->loop);
    outbox_clear(&websocket->outbox);
    frames_free(websocket->frames);
    free(websocket->req_id);
    free(websocket);
}
