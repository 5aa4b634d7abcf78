/*
 * outbox.h: what goes out on one WebSocket, frame by frame.
 *
 * A response is one message in many fragments, put out as fast as the peer takes them. Nothing but
 * control frames may stand between two of them, so what else is to be sent meanwhile waits behind.
 * Behind a Close nothing may follow: what is given then is dropped.
 *
 * Nothing here fails by itself: without memory `failed` is set, and the connection must be ended,
 * since what it would send from then on has a hole.
 *
 * It also knows which answers to bursts (engine.h: receipt) the peer may not have got.
 */
#ifndef BEACOND_SERVER_OUTBOX_H
#define BEACOND_SERVER_OUTBOX_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/frames.h"
#include "engine/follow.h"
#include "engine/rope.h"

struct outbox_receipt;

struct outbox {
    struct bufferevent *bev;
    bool secure;             /* which speaks TLS (secure.h) */
    struct engine *engine;   /* is told of lost answers */
    struct evbuffer *behind; /* whole frames that wait for the end of a response; NULL: none yet */
    bool streaming;          /* a response is under way */
    bool begun;              /* its first fragment is out */
    bool closed;             /* a Close is out */
    bool failed;             /* out of memory */
    uint64_t put;            /* bytes ever given to the bufferevent */
    size_t replies;          /* bytes of answers and pongs that may not be out yet */
    uint64_t replied;        /* where the last of them ends, counted as put */
    struct outbox_receipt
        *receipts; /* answers that may yet prove lost, oldest first; NULL: none yet */
    size_t receipt_count;
};

/* bev's output may hold the end of the handshake. secure: it speaks TLS. */
void outbox_init(struct outbox *outbox, struct bufferevent *bev, bool secure,
                 struct engine *engine);
void outbox_clear(struct outbox *outbox);

/* A text message; behind the response under way, if any. */
void outbox_message(struct outbox *outbox, const void *text, size_t len);

/* The same for the answer to a burst. */
void outbox_answer(struct outbox *outbox, const void *text, size_t len, uint64_t receipt);

/* A push, not copied. It may be sent deflated when deflate was agreed on. ahead: in front of the
 * response that has begun, none of whose fragments is out yet. */
void outbox_push(struct outbox *outbox, struct publication *publication, bool deflate, bool ahead);

/* Pong or ping, at once; len at most FRAMES_CONTROL_BYTES. */
void outbox_control(struct outbox *outbox, enum frames_opcode opcode, const void *data, size_t len);

/* A Close, at once; FRAMES_NO_CODE for none. why: shorter than 100 bytes. What waits is dropped. */
void outbox_close(struct outbox *outbox, unsigned code, const char *why);

/* A response begins: fragments come. */
void outbox_begin(struct outbox *outbox);

/* The next fragment, emptied; behind the last one what has waited goes out. */
void outbox_fragment(struct outbox *outbox, struct rope *data, bool compressed, bool last);

/* No response after all, none of whose fragments was put out. */
void outbox_abandon(struct outbox *outbox);

/* Bytes that the kernel has not taken yet. */
size_t outbox_size(const struct outbox *outbox);

/* The peer takes nothing any more: what waits is dropped, and what is given from now on. */
void outbox_shut(struct outbox *outbox);

/* How much of what was put the peer's system has acknowledged; of the records that carry it,
 * through TLS. */
uint64_t outbox_arrived(const struct outbox *outbox);

/* The bufferevent has written something. */
void outbox_written(struct outbox *outbox);

/* The connection ends: tells the engine which answers to bursts have not arrived. reset: it was
 * broken off, so that what the peer's kernel has taken may not have been read. */
void outbox_judge(struct outbox *outbox, bool reset);

#endif
