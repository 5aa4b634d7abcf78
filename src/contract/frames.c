#include "contract/frames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <wslay/wslay.h>

#include "contract/partial.h"
#include "contract/utf8.h"

#define FRAMES_OP_BINARY 2
#define FRAMES_CONTROL_BIT 0x08 /* of an opcode */
#define FRAMES_RSV1 0x40
#define FRAMES_RSV23 0x30
#define FRAMES_MASK_BIT 0x80
#define FRAMES_HEAD_IN_BYTES 14 /* the longest head that comes in: with a mask */

/* wslay is given the bytes of one frame at a time: frames_pull follows the heads and asks the
 * source for no byte behind the frame under way. So what was not looked at yet stays with the
 * caller, who sees that it is there; frames_within is exact; and a bad frame is refused for its
 * head, not when its first payload byte comes (which is when wslay tells). */
struct frames {
    wslay_frame_context_ptr wslay;
    frames_source_fn *source;
    void *arg;
    bool deflate;
    bool over;   /* CLOSE or FAILED was handed out */
    bool handed; /* the text was handed out by the last call */
    bool dry;    /* the source had nothing when it was asked last */

    /* The frame under way. */
    unsigned char head[FRAMES_HEAD_IN_BYTES];
    size_t head_len; /* bytes of the head that have come; 0 between two frames */
    bool looked_at;  /* the head has passed frames_look */
    uint64_t left;   /* payload bytes that wslay has not been given, once the head is there */

    struct partial partial; /* the message under way: from its first head to its last byte */

    /* The control frame under way, or handed out by the last call. */
    unsigned char control[FRAMES_CONTROL_BYTES];
    size_t control_len;
};

/* --- the frame under way ---------------------------------------------------------------------- */

/* How long the head is up to its mask, as far as its bytes tell. */
static size_t frames_head_plain(const struct frames *frames)
{
    if (frames->head_len < 2)
        return 2;
    unsigned len = frames->head[1] & 0x7f;
    return len == 127 ? 10 : len == 126 ? 4 : 2;
}

static size_t frames_head_whole(const struct frames *frames)
{
    bool masked = frames->head_len >= 2 && (frames->head[1] & FRAMES_MASK_BIT) != 0;
    return frames_head_plain(frames) + (masked ? 4 : 0);
}

/* The length that the head announces. */
static uint64_t frames_payload(const struct frames *frames)
{
    size_t end = frames_head_plain(frames);
    if (end == 2)
        return frames->head[1] & 0x7f;
    uint64_t len = 0;
    for (size_t i = 2; i < end; i++)
        len = len << 8 | frames->head[i];
    return len;
}

/* wslay wants bytes. */
static ssize_t frames_pull(uint8_t *out, size_t size, int flags, void *arg)
{
    (void)flags;
    struct frames *frames = arg;
    size_t missing = frames_head_whole(frames) - frames->head_len;
    size_t wanted = size;
    if (missing > 0 && missing < size)
        wanted = missing;
    else if (missing == 0 && frames->left < size)
        wanted = (size_t)frames->left;
    size_t got = wanted > 0 ? frames->source(frames->arg, out, wanted) : 0;
    assert(got <= wanted);
    if (got == 0) {
        frames->dry = true;
        return -1;
    }
    if (missing == 0) {
        frames->left -= got;
        return (ssize_t)got;
    }
    memcpy(frames->head + frames->head_len, out, got);
    frames->head_len += got;
    if (frames->head_len == frames_head_whole(frames))
        frames->left = frames_payload(frames);
    return (ssize_t)got;
}

struct frames *frames_new(size_t max_message, bool deflate, frames_source_fn *source, void *arg)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = frames_pull};
    struct frames *frames = calloc(1, sizeof *frames);
    if (frames == NULL)
        return NULL;
    frames->source = source;
    frames->arg = arg;
    frames->partial.max = max_message;
    frames->deflate = deflate;
    if (wslay_frame_context_init(&frames->wslay, &callbacks, frames) != 0) {
        free(frames);
        frames = NULL;
    }
    return frames;
}

void frames_free(struct frames *frames)
{
    if (frames == NULL)
        return;
    partial_clear(&frames->partial);
    wslay_frame_context_free(frames->wslay);
    free(frames);
}

void frames_limit(struct frames *frames, size_t max_message)
{
    frames->partial.max = max_message;
}

size_t frames_held(const struct frames *frames)
{
    return partial_held(&frames->partial);
}

bool frames_within(const struct frames *frames)
{
    return !frames->over && (frames->head_len > 0 || frames->partial.begun);
}

/* Nothing is read from here on, and nothing is held. */
static void frames_stop(struct frames *frames)
{
    frames->over = true;
    partial_clear(&frames->partial);
}

static bool frames_fail(struct frames *frames, struct frames_item *item, enum frames_code code,
                        const char *why)
{
    frames_stop(frames);
    item->kind = FRAMES_FAILED;
    item->code = code;
    item->why = why;
    return false;
}

/* --- what a head must be ---------------------------------------------------------------------- */

/* What became of the message under way; true when it goes on. */
static bool frames_go_on(struct frames *frames, struct frames_item *item,
                         enum partial_status status)
{
    switch (status) {
    case PARTIAL_OK:
        return true;
    case PARTIAL_TOO_LARGE:
        return frames_fail(frames, item, FRAMES_TOO_LARGE, "the message is too large");
    case PARTIAL_NOT_UTF8:
        return frames_fail(frames, item, FRAMES_BAD_TEXT, "the text is not UTF-8");
    case PARTIAL_DAMAGED:
        return frames_fail(frames, item, FRAMES_BAD_TEXT, "the message can't be inflated");
    case PARTIAL_CUT:
        return frames_fail(frames, item, FRAMES_BAD_TEXT, "the message is cut short");
    case PARTIAL_NO_MEMORY:
        break;
    }
    return frames_fail(frames, item, FRAMES_INTERNAL, "out of memory");
}

/* The head of a data frame. */
static bool frames_look_at_data(struct frames *frames, unsigned opcode, struct frames_item *item)
{
    if (opcode == FRAMES_OP_MORE && !frames->partial.begun)
        return frames_fail(frames, item, FRAMES_PROTOCOL, "a continuation of no message");
    if (opcode != FRAMES_OP_MORE && frames->partial.begun)
        return frames_fail(frames, item, FRAMES_PROTOCOL, "a message inside another one");
    if (opcode == FRAMES_OP_BINARY)
        return frames_fail(frames, item, FRAMES_UNSUPPORTED, "a binary message");
    enum partial_status status = PARTIAL_OK;
    if (opcode == FRAMES_OP_TEXT)
        status = partial_begin(&frames->partial, (frames->head[0] & FRAMES_RSV1) != 0);
    if (status == PARTIAL_OK)
        status = partial_announce(&frames->partial, frames_payload(frames));
    return frames_go_on(frames, item, status);
}

/* Looks at the head once, as soon as it is there up to the mask. What wslay checks (minimal
 * lengths, the form of control frames) it has checked by then. */
static bool frames_look(struct frames *frames, struct frames_item *item)
{
    if (frames->looked_at || frames->head_len < frames_head_plain(frames))
        return true;
    frames->looked_at = true;
    unsigned opcode = frames->head[0] & 0x0f;
    bool control = (opcode & FRAMES_CONTROL_BIT) != 0;
    bool may_be_compressed = frames->deflate && !control && opcode != FRAMES_OP_MORE;
    if ((frames->head[1] & FRAMES_MASK_BIT) == 0)
        return frames_fail(frames, item, FRAMES_PROTOCOL, "a frame without a mask");
    if ((frames->head[0] & FRAMES_RSV23) != 0 ||
        ((frames->head[0] & FRAMES_RSV1) != 0 && !may_be_compressed))
        return frames_fail(frames, item, FRAMES_PROTOCOL, "a reserved bit is set");
    if (opcode > (control ? FRAMES_OP_PONG : FRAMES_OP_BINARY))
        return frames_fail(frames, item, FRAMES_PROTOCOL, "a reserved opcode");
    return control || frames_look_at_data(frames, opcode, item);
}

/* --- control frames --------------------------------------------------------------------------- */

/* Whether a Close may carry that code: the protocol's own (those that are for the wire), and those
 * of libraries and applications. */
static bool frames_code_ok(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void frames_take_close(struct frames *frames, struct frames_item *item)
{
    const unsigned char *payload = frames->control;
    size_t len = frames->control_len;
    struct utf8 utf8 = {0};
    unsigned code = len >= 2 ? (unsigned)payload[0] << 8 | payload[1] : (unsigned)FRAMES_NO_CODE;
    if (len == 1 || (len >= 2 && !frames_code_ok(code))) {
        frames_fail(frames, item, FRAMES_PROTOCOL, "an illegal close code");
    } else if (len > 2 && (!utf8_add(&utf8, payload + 2, len - 2) || !utf8_whole(&utf8))) {
        frames_fail(frames, item, FRAMES_BAD_TEXT, "a close reason that is not UTF-8");
    } else {
        frames_stop(frames);
        item->kind = FRAMES_CLOSE;
        item->code = code;
    }
}

static void frames_finish_control(struct frames *frames, unsigned opcode, struct frames_item *item)
{
    if (opcode == FRAMES_OP_CLOSE) {
        frames_take_close(frames, item);
        return;
    }
    item->kind = opcode == FRAMES_OP_PING ? FRAMES_PING : FRAMES_PONG;
    item->data = frames->control;
    item->len = frames->control_len;
}

/* --- coming in -------------------------------------------------------------------------------- */

static void frames_finish_message(struct frames *frames, struct frames_item *item)
{
    if (!frames_go_on(frames, item, partial_end(&frames->partial)))
        return;
    frames->handed = true;
    item->kind = FRAMES_TEXT;
    item->text = &frames->partial.text;
}

/* A part of a frame's payload, the whole of it perhaps. */
static void frames_take(struct frames *frames, const struct wslay_frame_iocb *part,
                        struct frames_item *item)
{
    unsigned opcode = part->opcode;
    bool control = (opcode & FRAMES_CONTROL_BIT) != 0;
    bool last = frames->left == 0;
    if (control) {
        assert(part->data_length <= sizeof frames->control - frames->control_len);
        memcpy(frames->control + frames->control_len, part->data, part->data_length);
        frames->control_len += part->data_length;
    } else if (!frames_go_on(frames, item,
                             partial_add(&frames->partial, part->data, part->data_length))) {
        return;
    }
    if (!last)
        return;
    frames->head_len = 0;
    frames->looked_at = false;
    if (control)
        frames_finish_control(frames, opcode, item);
    else if (part->fin)
        frames_finish_message(frames, item);
}

void frames_next(struct frames *frames, struct frames_item *item)
{
    *item = (struct frames_item){.kind = FRAMES_NOTHING};
    if (frames->handed)
        bytes_clear(&frames->partial.text);
    frames->handed = false;
    frames->dry = false;
    while (item->kind == FRAMES_NOTHING && !frames->over && !frames->dry) {
        struct wslay_frame_iocb part = {0};
        if (frames->head_len == 0)
            frames->control_len = 0;
        ssize_t got = wslay_frame_recv(frames->wslay, &part);
        if (got == WSLAY_ERR_PROTO)
            frames_fail(frames, item, FRAMES_PROTOCOL, "a malformed length or control frame");
        else if (got < 0 && got != WSLAY_ERR_WANT_READ)
            frames_fail(frames, item, FRAMES_INTERNAL, "frames can't be read");
        else if (frames_look(frames, item) && got >= 0)
            frames_take(frames, &part, item);
    }
}

/* --- going out -------------------------------------------------------------------------------- */

size_t frames_head(unsigned char out[FRAMES_HEAD_BYTES], enum frames_opcode opcode, bool final,
                   bool compressed, uint64_t len)
{
    size_t len_bytes = len > UINT16_MAX ? 8 : len > 125 ? 2 : 0;
    out[0] =
        (unsigned char)((final ? 0x80 : 0) | (compressed ? FRAMES_RSV1 : 0) | (unsigned)opcode);
    out[1] = (unsigned char)(len_bytes == 8 ? 127 : len_bytes == 2 ? 126 : len);
    for (size_t i = 0; i < len_bytes; i++)
        out[2 + i] = (unsigned char)(len >> (8 * (len_bytes - 1 - i)));
    return 2 + len_bytes;
}
