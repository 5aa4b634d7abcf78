#include "server/websocket_parts.h"

#include "base/clock.h"
#include "base/log.h"

/* Behind our Close: how long the peer has to answer it. */
#define WEBSOCKET_LINGER_MS 2000
/* Before our Close: how long outstanding answers are waited for. */
#define WEBSOCKET_ENDING_MS 5000
/* Behind our last word: a peer that has been silent for so long is not heard any longer. */
#define WEBSOCKET_SILENCE_MS 5000

void websocket_enter(struct websocket *websocket, enum websocket_phase phase)
{
    websocket->phase = phase;
    websocket->since_ms = clock_mono_ms();
}

void websocket_end(struct websocket *websocket, unsigned code, const char *why, bool answers)
{
    websocket->end_code = code;
    websocket->end_why = why;
    websocket->end_answers = answers;
    log_debug("websocket %d: to be closed with %u %s", websocket->conn->fd, code, why);
    websocket_release(websocket);
    websocket_enter(websocket, WEBSOCKET_ENDING);
}

/* The Close that is due, once what was under way is answered, or has been waited for in vain. */
static void websocket_end_now(struct websocket *websocket)
{
    int64_t waited = clock_mono_ms() - websocket->since_ms;
    if (!list_empty(&websocket->arrivals) && waited < WEBSOCKET_ENDING_MS)
        return;
    outbox_close(&websocket->outbox, websocket->end_code, websocket->end_why);
    response_end(&websocket->response);
    push_end(&websocket->push, websocket->loop);
    websocket_enter(websocket, websocket->end_answers ? WEBSOCKET_CLOSING : WEBSOCKET_LINGERING);
}

void websocket_part(struct websocket *websocket, unsigned code, const char *why)
{
    log_debug("websocket %d: closed with %u %s", websocket->conn->fd, code, why);
    outbox_close(&websocket->outbox, code, why);
    response_end(&websocket->response);
    push_end(&websocket->push, websocket->loop);
    /* A whole message is still acted on. */
    if (websocket->text == NULL)
        websocket_release(websocket);
    websocket_enter(websocket, WEBSOCKET_LAST);
}

static void websocket_leave_now(struct websocket *websocket)
{
    const struct server_options *options = websocket->loop->options;
    int64_t waited = clock_mono_ms() - websocket->since_ms;
    bool under_way = !list_empty(&websocket->arrivals) || response_active(&websocket->response);
    if (under_way && waited < options->drain_ms / 2)
        return;
    /* Not 1008: the client authenticates anew when it comes again, and only there is it known
     * whether its key is a bad one. */
    websocket_part(websocket, FRAMES_RESTART,
                   websocket->revoked ? "the keys have changed" : "restarting");
}

/* Whether all has been heard that was sent before the keys changed, as far as that can be told. */
static bool websocket_caught_up(struct websocket *websocket)
{
    /* Whether it is us that it waits for. */
    bool laden = websocket_laden(websocket);
    int64_t most = laden ? websocket->loop->options->body_timeout_ms : WEBSOCKET_ENDING_MS;
    if (websocket->text != NULL || websocket->has_result)
        return false;
    if (clock_mono_ms() - websocket->since_ms > most)
        return true;
    return websocket->dry && !frames_within(websocket->frames) && !conn_unread(websocket->conn);
}

/* Our Close is out and the peer's is not awaited any more by looking at frames: throws away what
 * comes, so that it reads ours before it notices the end. */
static void websocket_linger(struct websocket *websocket)
{
    struct evbuffer *input = bufferevent_get_input(websocket->conn->bev);
    bool written = outbox_size(&websocket->outbox) == 0;
    (void)evbuffer_drain(input, evbuffer_get_length(input));
    if (websocket->phase == WEBSOCKET_LINGERING && written)
        conn_shut(websocket->conn);
    if (websocket->eof || (websocket->phase == WEBSOCKET_CLOSING && written) ||
        clock_mono_ms() - websocket->since_ms > WEBSOCKET_LINGER_MS)
        websocket_enter(websocket, WEBSOCKET_OVER);
}

/* Nothing can be sent any more: for want of memory, or since the peer does not take it. The end of
 * the stream tells it. */
static void websocket_mute(struct websocket *websocket)
{
    outbox_shut(&websocket->outbox);
    conn_shut(websocket->conn);
    response_end(&websocket->response);
    push_end(&websocket->push, websocket->loop);
    bool reads = websocket->phase == WEBSOCKET_OPEN || websocket->phase == WEBSOCKET_LEAVING;
    websocket_enter(websocket, reads ? WEBSOCKET_LAST : WEBSOCKET_OVER);
}

/* Whether all that has come is acted on and no more will. */
static bool websocket_exhausted(const struct websocket *websocket)
{
    int64_t now = clock_mono_ms();
    if (websocket->text != NULL || websocket->has_result)
        return false;
    /* While the daemon ends its own deadline counts. */
    bool last = websocket->phase == WEBSOCKET_LAST && !websocket->loop->draining;
    bool silent = websocket->reading && now - websocket->since_ms > WEBSOCKET_SILENCE_MS &&
                  now - websocket->heard_ms > WEBSOCKET_SILENCE_MS;
    bool late = now - websocket->since_ms > websocket->loop->options->body_timeout_ms;
    return websocket->dry && (websocket->eof || (last && (silent || late)));
}

void websocket_proceed(struct websocket *websocket)
{
    if (websocket->outbox.failed && websocket->outbox.closed)
        outbox_shut(&websocket->outbox);
    else if (websocket->outbox.failed)
        websocket_mute(websocket);
    if (websocket->phase == WEBSOCKET_ENDING)
        websocket_end_now(websocket);
    if (websocket->phase == WEBSOCKET_LEAVING)
        websocket_leave_now(websocket);
    if (websocket->phase == WEBSOCKET_LAST && websocket->revoked && websocket_caught_up(websocket))
        websocket_enter(websocket, WEBSOCKET_LINGERING);
    if (websocket->phase == WEBSOCKET_LINGERING || websocket->phase == WEBSOCKET_CLOSING)
        websocket_linger(websocket);
    if ((websocket->phase == WEBSOCKET_OPEN || websocket->phase == WEBSOCKET_LAST) &&
        websocket_exhausted(websocket))
        websocket_enter(websocket, WEBSOCKET_OVER);
}
