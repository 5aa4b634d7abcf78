/*
 * frames.h: WebSocket frames (RFC 6455, and RFC 7692 where it was agreed on), without any I/O.
 *
 * Incoming: bytes are pulled from a source, messages and control frames come out, each checked: the
 * framing by wslay, and here the mask, reserved bits, opcodes, fragments, close codes, sizes and
 * UTF-8. A compressed message is inflated as it arrives and never grows beyond the limit; its
 * context lives as long as the message does. Nothing is allocated for what a length field merely
 * announces. Outgoing: the head of a frame; the payload is the caller's.
 *
 * A struct frames belongs to one connection and its thread. Pure.
 */
#ifndef BEACOND_CONTRACT_FRAMES_H
#define BEACOND_CONTRACT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Close codes in use; 1008 is for bad keys alone, since the stock client does not come back then.
 */
enum frames_code {
    FRAMES_NORMAL = 1000,
    FRAMES_PROTOCOL = 1002,
    FRAMES_UNSUPPORTED = 1003, /* a binary message */
    FRAMES_NO_CODE = 1005,     /* never sent: the peer's Close had none */
    FRAMES_BAD_TEXT = 1007,
    FRAMES_BAD_KEY = 1008,
    FRAMES_TOO_LARGE = 1009,
    FRAMES_INTERNAL = 1011, /* out of memory */
    FRAMES_RESTART = 1012,
    FRAMES_LATER = 1013, /* a message took too long to come in */
};

enum frames_opcode {
    FRAMES_OP_MORE = 0,
    FRAMES_OP_TEXT = 1,
    FRAMES_OP_CLOSE = 8,
    FRAMES_OP_PING = 9,
    FRAMES_OP_PONG = 10
};

#define FRAMES_CONTROL_BYTES 125 /* the longest payload of a control frame */
#define FRAMES_HEAD_BYTES 10     /* the longest head that a server sends */

/* Where the bytes come from: copies up to size of them to out and returns how many; 0 when there
 * are none now. */
typedef size_t frames_source_fn(void *arg, void *out, size_t size);

enum frames_kind {
    FRAMES_NOTHING, /* the source is empty */
    FRAMES_TEXT,    /* a whole message */
    FRAMES_PING,
    FRAMES_PONG,
    FRAMES_CLOSE,  /* the peer's Close; nothing comes behind it */
    FRAMES_FAILED, /* the connection is to be closed with that code; nothing comes behind it */
};

struct frames_item {
    enum frames_kind kind;
    struct bytes *text; /* TEXT: UTF-8, no NUL behind it; steal it, or the next call empties it */
    const unsigned char *data; /* PING, PONG: the payload, valid until the next call */
    size_t len;
    unsigned code;   /* CLOSE: the peer's, or FRAMES_NO_CODE. FAILED: to send */
    const char *why; /* FAILED: a few words, under 100 bytes; static */
};

struct frames;

/* max_message: bytes of a message (inflated). deflate: permessage-deflate was agreed on. NULL when
 * out of memory. */
struct frames *frames_new(size_t max_message, bool deflate, frames_source_fn *source,
                          void *arg) MUST_CHECK;
void frames_free(struct frames *frames); /* NULL is fine */

/* Changes the limit for messages from here on, the one under way included. */
void frames_limit(struct frames *frames, size_t max_message);

/* The next thing that comes in. Cheap to call when nothing is there. */
void frames_next(struct frames *frames, struct frames_item *item);

/* Bytes of the unfinished message that are held in memory; 0 between two messages. */
size_t frames_held(const struct frames *frames);

/* Whether the first byte of a message or control frame has come and its last has not. */
bool frames_within(const struct frames *frames);

/* Writes the head of a frame that a server sends (no mask). compressed sets RSV1: on the first
 * frame of a compressed message alone. Returns its length. */
size_t frames_head(unsigned char out[FRAMES_HEAD_BYTES], enum frames_opcode opcode, bool final,
                   bool compressed, uint64_t len);

#endif
