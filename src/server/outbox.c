#include "server/outbox.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "server/pour.h"
#include "server/secure.h"

/* Bursts are rare; of more than so many unanswered ones the oldest will have arrived. */
#define OUTBOX_RECEIPTS 64
/* A reset leaves open what was read of the last that came in; not what came earlier than this. */
#define OUTBOX_DOUBT_MS 10000

struct outbox_receipt {
    uint64_t receipt;
    uint64_t end;     /* where its answer ends, counted as `put`; while it waits, within `behind` */
    uint64_t written; /* through TLS: where the records end that its answer is in, counted as
                       * secure_written; 0: it has not left */
    int64_t at_ms;    /* when it was put; monotonic */
    bool waits;       /* in `behind` */
};

void outbox_init(struct outbox *outbox, struct bufferevent *bev, bool secure, struct engine *engine)
{
    *outbox = (struct outbox){.bev = bev, .secure = secure, .engine = engine};
    outbox->put = evbuffer_get_length(bufferevent_get_output(bev));
}

void outbox_clear(struct outbox *outbox)
{
    if (outbox->behind != NULL)
        evbuffer_free(outbox->behind);
    outbox->behind = NULL;
    free(outbox->receipts);
    outbox->receipts = NULL;
    outbox->receipt_count = 0;
}

/* Where a whole message goes now; NULL without memory. */
static struct evbuffer *outbox_target(struct outbox *outbox)
{
    if (!outbox->streaming)
        return bufferevent_get_output(outbox->bev);
    if (outbox->behind == NULL)
        outbox->behind = evbuffer_new();
    return outbox->behind;
}

static bool outbox_takes(const struct outbox *outbox)
{
    return !outbox->closed && !outbox->failed;
}

/* A whole frame. Returns its bytes, 0 when it could not be put. */
static size_t outbox_frame(struct outbox *outbox, struct evbuffer *target,
                           enum frames_opcode opcode, const void *data, size_t len)
{
    unsigned char frame[FRAMES_HEAD_BYTES];
    size_t head = frames_head(frame, opcode, true, false, len);
    if (target == NULL || evbuffer_add(target, frame, head) != 0 ||
        (len > 0 && evbuffer_add(target, data, len) != 0)) {
        outbox->failed = true;
        return 0;
    }
    if (target != outbox->behind)
        outbox->replied = outbox->put += head + len;
    outbox->replies += head + len;
    return head + len;
}

void outbox_message(struct outbox *outbox, const void *text, size_t len)
{
    if (outbox_takes(outbox))
        (void)outbox_frame(outbox, outbox_target(outbox), FRAMES_OP_TEXT, text, len);
}

uint64_t outbox_arrived(const struct outbox *outbox)
{
    int unsent = 0;
    uint64_t out = outbox->put - evbuffer_get_length(bufferevent_get_output(outbox->bev));
    if (outbox->secure)
        out = secure_written(outbox->bev);
    /* What our kernel still holds, sent or not; on some sockets with what it needs itself. */
    if (ioctl(bufferevent_getfd(outbox->bev), TIOCOUTQ, &unsent) != 0 || unsent < 0)
        return out;
    return (uint64_t)unsent <= out ? out - (uint64_t)unsent : 0;
}

/* Through TLS: notes where the answers end that have left since it was last asked. */
static void outbox_note_written(struct outbox *outbox)
{
    uint64_t out = outbox->put - evbuffer_get_length(bufferevent_get_output(outbox->bev));
    if (!outbox->secure || outbox->receipt_count == 0)
        return;
    uint64_t written = secure_written(outbox->bev);
    for (size_t i = 0; i < outbox->receipt_count; i++) {
        struct outbox_receipt *receipt = &outbox->receipts[i];
        if (receipt->written == 0 && !receipt->waits && receipt->end <= out)
            receipt->written = written;
    }
}

static bool outbox_has_arrived(const struct outbox *outbox, const struct outbox_receipt *receipt,
                               uint64_t arrived)
{
    if (receipt->waits)
        return false;
    return outbox->secure ? receipt->written > 0 && receipt->written <= arrived
                          : receipt->end <= arrived;
}

/* Makes room for one more: the oldest has arrived, or is given up. */
static void outbox_forget_oldest(struct outbox *outbox)
{
    const struct outbox_receipt *oldest = outbox->receipts;
    outbox_note_written(outbox);
    if (!outbox_has_arrived(outbox, oldest, outbox_arrived(outbox)))
        engine_lost(outbox->engine, oldest->receipt);
    outbox->receipt_count--;
    memmove(outbox->receipts, outbox->receipts + 1,
            outbox->receipt_count * sizeof *outbox->receipts);
}

static void outbox_remember(struct outbox *outbox, uint64_t receipt)
{
    if (outbox->receipts == NULL)
        outbox->receipts = calloc(OUTBOX_RECEIPTS, sizeof *outbox->receipts);
    /* Without memory the retry is stored a second time, which is the lesser evil. */
    if (outbox->receipts == NULL)
        return;
    if (outbox->receipt_count == OUTBOX_RECEIPTS)
        outbox_forget_oldest(outbox);
    bool waits = outbox->streaming && outbox->behind != NULL;
    outbox->receipts[outbox->receipt_count++] = (struct outbox_receipt){
        .receipt = receipt,
        .end = waits ? evbuffer_get_length(outbox->behind) : outbox->put,
        .at_ms = clock_mono_ms(),
        .waits = waits,
    };
}

void outbox_answer(struct outbox *outbox, const void *text, size_t len, uint64_t receipt)
{
    outbox_message(outbox, text, len);
    if (outbox_takes(outbox))
        outbox_remember(outbox, receipt);
    else
        engine_lost(outbox->engine, receipt);
}

static void outbox_release(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    publication_drop(arg);
}

void outbox_push(struct outbox *outbox, struct publication *publication, bool deflate, bool ahead)
{
    unsigned char head[FRAMES_HEAD_BYTES];
    if (!outbox_takes(outbox))
        return;
    bool compressed = deflate && publication->deflated.len > 0;
    const struct bytes *text = compressed ? &publication->deflated : &publication->plain;
    size_t head_len = frames_head(head, FRAMES_OP_TEXT, true, compressed, text->len);
    struct evbuffer *target = ahead ? bufferevent_get_output(outbox->bev) : outbox_target(outbox);
    publication_hold(publication);
    if (target == NULL || evbuffer_add(target, head, head_len) != 0 ||
        evbuffer_add_reference(target, text->data, text->len, outbox_release, publication) != 0) {
        publication_drop(publication);
        outbox->failed = true;
        return;
    }
    if (target != outbox->behind)
        outbox->put += head_len + text->len;
}

void outbox_control(struct outbox *outbox, enum frames_opcode opcode, const void *data, size_t len)
{
    if (outbox_takes(outbox))
        (void)outbox_frame(outbox, bufferevent_get_output(outbox->bev), opcode, data, len);
}

/* What waits behind a response will never be sent. */
static void outbox_drop(struct outbox *outbox)
{
    size_t kept = 0;
    for (size_t i = 0; i < outbox->receipt_count; i++) {
        if (outbox->receipts[i].waits)
            engine_lost(outbox->engine, outbox->receipts[i].receipt);
        else
            outbox->receipts[kept++] = outbox->receipts[i];
    }
    outbox->receipt_count = kept;
    if (outbox->behind != NULL)
        (void)evbuffer_drain(outbox->behind, evbuffer_get_length(outbox->behind));
}

void outbox_close(struct outbox *outbox, unsigned code, const char *why)
{
    unsigned char payload[FRAMES_CONTROL_BYTES];
    size_t len = 0;
    if (code != FRAMES_NO_CODE) {
        size_t text = strlen(why);
        payload[0] = (unsigned char)(code >> 8);
        payload[1] = (unsigned char)code;
        len = text > sizeof payload - 2 ? sizeof payload : 2 + text;
        memcpy(payload + 2, why, len - 2);
    }
    outbox_control(outbox, FRAMES_OP_CLOSE, payload, len);
    outbox->closed = true;
    outbox_drop(outbox);
}

void outbox_begin(struct outbox *outbox)
{
    outbox->streaming = true;
    outbox->begun = false;
}

/* What has waited goes out. */
static void outbox_flush(struct outbox *outbox)
{
    outbox->streaming = false;
    if (outbox->behind == NULL)
        return;
    for (size_t i = 0; i < outbox->receipt_count; i++) {
        struct outbox_receipt *receipt = &outbox->receipts[i];
        if (receipt->waits)
            receipt->end += outbox->put;
        receipt->waits = false;
    }
    outbox->replied = outbox->put += evbuffer_get_length(outbox->behind);
    if (evbuffer_add_buffer(bufferevent_get_output(outbox->bev), outbox->behind) != 0)
        outbox->failed = true;
    evbuffer_free(outbox->behind);
    outbox->behind = NULL;
}

void outbox_fragment(struct outbox *outbox, struct rope *data, bool compressed, bool last)
{
    unsigned char head[FRAMES_HEAD_BYTES];
    size_t len = rope_len(data);
    enum frames_opcode opcode = outbox->begun ? FRAMES_OP_MORE : FRAMES_OP_TEXT;
    size_t head_len = frames_head(head, opcode, last, compressed && !outbox->begun, len);
    struct evbuffer *output = bufferevent_get_output(outbox->bev);
    if (!outbox_takes(outbox)) {
        rope_clear(data);
        return;
    }
    if (evbuffer_add(output, head, head_len) != 0 || pour_rope(output, data) != 0) {
        rope_clear(data);
        outbox->failed = true;
        return;
    }
    outbox->put += head_len + len;
    outbox->begun = true;
    if (last)
        outbox_flush(outbox);
}

void outbox_abandon(struct outbox *outbox)
{
    outbox_flush(outbox);
}

size_t outbox_size(const struct outbox *outbox)
{
    size_t behind = outbox->behind == NULL ? 0 : evbuffer_get_length(outbox->behind);
    return behind + evbuffer_get_length(bufferevent_get_output(outbox->bev));
}

void outbox_shut(struct outbox *outbox)
{
    struct evbuffer *output = bufferevent_get_output(outbox->bev);
    outbox_judge(outbox, false);
    outbox->closed = true;
    outbox->failed = false;
    outbox->put -= evbuffer_get_length(output);
    /* libevent keeps its front frozen but while it writes. */
    (void)evbuffer_unfreeze(output, 1);
    (void)evbuffer_drain(output, evbuffer_get_length(output));
    (void)evbuffer_freeze(output, 1);
    outbox_drop(outbox);
}

void outbox_written(struct outbox *outbox)
{
    size_t left = evbuffer_get_length(bufferevent_get_output(outbox->bev));
    outbox_note_written(outbox);
    if (outbox->behind == NULL && outbox->put - left >= outbox->replied)
        outbox->replies = 0;
}

void outbox_judge(struct outbox *outbox, bool reset)
{
    if (outbox->receipt_count == 0)
        return;
    outbox_note_written(outbox);
    uint64_t arrived = outbox_arrived(outbox);
    int64_t doubt = clock_mono_ms() - OUTBOX_DOUBT_MS;
    for (size_t i = 0; i < outbox->receipt_count; i++) {
        const struct outbox_receipt *receipt = &outbox->receipts[i];
        if (!outbox_has_arrived(outbox, receipt, arrived) || (reset && receipt->at_ms > doubt))
            engine_lost(outbox->engine, receipt->receipt);
    }
    outbox->receipt_count = 0;
}
