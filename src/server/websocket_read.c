#include "server/websocket_parts.h"

#include <sys/ioctl.h>

#include "base/clock.h"

/* Answers that a client does not take: no more is read from it meanwhile. */
#define WEBSOCKET_REPLIES_BYTES (256 << 10)
/* A partial message of this size goes on being read while all together are too much. */
#define WEBSOCKET_SMALL_BYTES (16 << 10)
/* What a message that is compressed holds beside, counted by frames_held. */
#define WEBSOCKET_CONTEXT_BYTES (41 << 10)
/* One of this size is not waited for longer than others' time allows. */
#define WEBSOCKET_LARGE_BYTES (1 << 20)
/* The time of one that is not read although there is something counts this part. */
#define WEBSOCKET_PAUSED_SHARE 10
/* What is taken at once of a connection that compresses, as it can become a thousand times as much;
 * and while all together receive too much. */
#define WEBSOCKET_SIP_BYTES 512
#define WEBSOCKET_SMALL_SIP_BYTES 16

/* --- how much may come in --------------------------------------------------------------------- */

void websocket_count(struct websocket *websocket)
{
    size_t bytes = evbuffer_get_length(bufferevent_get_input(websocket->conn->bev)) +
                   frames_held(websocket->frames);
    if (websocket->text != NULL)
        bytes += websocket->text->len;
    if (websocket->has_result && websocket->result.batch != NULL)
        bytes += websocket->result.batch->memory;
    conn_count(websocket->conn, (int64_t)bytes);
}

/* While all connections together receive too much only one message goes on, until it is in the
 * queue. It must not wait for its client's limit then, which may take long: one that is over it
 * does not begin. */
static bool websocket_may_receive(struct websocket *websocket)
{
    size_t small = WEBSOCKET_SMALL_BYTES + (websocket->deflate ? WEBSOCKET_CONTEXT_BYTES : 0);
    if (websocket->passing || websocket->forced || frames_held(websocket->frames) <= small)
        return true;
    websocket_count(websocket);
    if (!conn_too_much(websocket->conn))
        return true;
    if (websocket_over_limit(websocket)) {
        websocket->patient = true;
        return websocket_wait(websocket);
    }
    int none = SHARED_PASSING_NONE;
    if (!atomic_compare_exchange_strong(&websocket->loop->shared->passing, &none,
                                        SHARED_PASSING_PART))
        return websocket_wait(websocket);
    websocket->passing = true;
    websocket->slow_ms = 0;
    return true;
}

void websocket_release(struct websocket *websocket)
{
    if (websocket->passing)
        atomic_store(&websocket->loop->shared->passing, SHARED_PASSING_NONE);
    websocket->passing = false;
}

/*
 * Messages have no deadline: the client would not send them again. But while all together receive
 * much, one that is not finished keeps others out. Its time runs while it is read, when nothing of
 * it waits to be read, and always when it is a large one; and slowly otherwise. It stands still for
 * what has come and waits for its client's limit, or behind a whole message that waits for the
 * writer: nobody's client is to blame for that.
 */
void websocket_hurry(struct websocket *websocket, int64_t passed_ms)
{
    int waiting = 0;
    bool counts = websocket->reading || websocket->passing ||
                  frames_held(websocket->frames) > WEBSOCKET_LARGE_BYTES;
    if (!frames_within(websocket->frames) || !conn_crowded(websocket->conn))
        return;
    bool unread = evbuffer_get_length(bufferevent_get_input(websocket->conn->bev)) > 0 ||
                  ioctl(websocket->conn->fd, FIONREAD, &waiting) != 0 || waiting > 0;
    bool stands = websocket->patient ||
                  atomic_load(&websocket->loop->shared->passing) == SHARED_PASSING_WHOLE;
    if (unread && stands)
        return;
    if (unread && !counts)
        passed_ms /= WEBSOCKET_PAUSED_SHARE;
    websocket->slow_ms += passed_ms;
    if (websocket->slow_ms > websocket->loop->options->body_timeout_ms)
        websocket_end(websocket, FRAMES_LATER, "the message took too long", false);
}

/* --- frames ----------------------------------------------------------------------------------- */

size_t websocket_source(void *arg, void *out, size_t size)
{
    struct websocket *websocket = arg;
    struct evbuffer *input = bufferevent_get_input(websocket->conn->bev);
    size_t sip = conn_too_much(websocket->conn) ? WEBSOCKET_SMALL_SIP_BYTES : WEBSOCKET_SIP_BYTES;
    if (websocket->deflate && size > sip)
        size = sip;
    if (evbuffer_get_length(input) == 0)
        return 0;
    websocket->starved = !websocket_may_receive(websocket);
    int n = websocket->starved ? 0 : evbuffer_remove(input, out, size);
    return n > 0 ? (size_t)n : 0;
}

static void websocket_frame(struct websocket *websocket, const struct frames_item *item)
{
    switch (item->kind) {
    case FRAMES_NOTHING:
        websocket->dry = !websocket->starved;
        break;
    case FRAMES_TEXT:
        websocket->text = item->text;
        websocket->slow_ms = 0;
        if (websocket->passing)
            atomic_store(&websocket->loop->shared->passing, SHARED_PASSING_WHOLE);
        break;
    case FRAMES_PING:
        outbox_control(&websocket->outbox, FRAMES_OP_PONG, item->data, item->len);
        break;
    case FRAMES_PONG:
        break;
    case FRAMES_CLOSE:
        if (websocket->phase == WEBSOCKET_LAST)
            websocket_enter(websocket, WEBSOCKET_CLOSING);
        else
            websocket_end(websocket, item->code, "", true);
        break;
    case FRAMES_FAILED:
        websocket_end(websocket, item->code, item->why, false);
        break;
    }
}

/* Whether the next frame may be looked at, or the message at hand. One that keeps others from going
 * on does not wait for its client to read. */
static bool websocket_ready(const struct websocket *websocket)
{
    bool whole = websocket->passing && websocket->text != NULL;
    return (websocket->phase == WEBSOCKET_OPEN || websocket->phase == WEBSOCKET_LAST) &&
           !websocket_laden(websocket) &&
           (websocket->outbox.replies < WEBSOCKET_REPLIES_BYTES || websocket->outbox.closed ||
            whole);
}

void websocket_pump(struct websocket *websocket)
{
    struct frames_item item = {.kind = FRAMES_TEXT};
    if (websocket->outbox.replies >= WEBSOCKET_REPLIES_BYTES)
        outbox_written(&websocket->outbox);
    while (websocket_ready(websocket) && !websocket->outbox.failed && item.kind != FRAMES_NOTHING) {
        if (websocket->text != NULL || websocket->has_result) {
            if (!websocket_step(websocket))
                return;
            continue;
        }
        websocket->dry = websocket->starved = false;
        frames_next(websocket->frames, &item);
        websocket_frame(websocket, &item);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool websocket_wants(struct websocket *websocket)
{
    if (websocket->eof || websocket->phase == WEBSOCKET_OVER)
        return false;
    if (websocket->phase == WEBSOCKET_LINGERING || websocket->phase == WEBSOCKET_CLOSING)
        return true;
    return websocket->text == NULL && !websocket->has_result && websocket_ready(websocket) &&
           websocket_may_receive(websocket);
}

void websocket_reading(struct websocket *websocket)
{
    bool wants = websocket_wants(websocket);
    if (wants == websocket->reading)
        return;
    websocket->reading = wants;
    if (wants) {
        websocket->heard_ms = clock_mono_ms();
        conn_listen(websocket->conn);
    } else {
        conn_quiet(websocket->conn);
    }
}
