/*
 * push.h: what is committed, sent to the WebSockets that have asked for a window.
 *
 * A loop follows the engine (engine/follow.h) while one of its WebSockets wants pushes. Each begins
 * before its answer's snapshot is taken; what comes before that is known is kept aside. What the
 * snapshot of its first answer holds is not pushed. With a further query the pushes go on: what
 * lies between the two snapshots goes out in front of the second answer, what is newer behind it,
 * so that no event is missing or repeated on either side. One that takes too little is told so once
 * and gets no more until it asks again.
 *
 * A struct push is part of one WebSocket; its loop's thread.
 */
#ifndef BEACOND_SERVER_PUSH_H
#define BEACOND_SERVER_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/follow.h"
#include "server/loop.h"
#include "server/outbox.h"

/* All that is to go out in front of the answer has come. */
typedef void push_fn(void *arg);

struct push {
    struct list node; /* in loop->pushes, else alone */
    struct outbox *outbox;
    bool deflate;
    bool early;                /* the snapshot of the answer under way is not known yet */
    bool lost;                 /* early: more came than is kept */
    int64_t base;              /* newer is pushed; INT64_MAX until the first snapshot is known */
    int64_t snapshot;          /* the last answer's */
    int64_t delivered;         /* the newest that has come */
    unsigned ticks;            /* that the answer has been held back for */
    struct publication **kept; /* early, in order */
    size_t kept_count, kept_room, kept_bytes;
    push_fn *fn;
    void *arg;
};

void push_init(struct push *push, struct outbox *outbox, bool deflate, push_fn *fn, void *arg);

/* Before the snapshot of a new answer is taken. */
void push_begin(struct push *push, struct loop *loop);

/* The snapshot is known; the answer has begun in the outbox, none of its fragments is out. Does
 * nothing unless begun. */
void push_snapshot(struct push *push, struct loop *loop, int64_t max_seq);

/* There is no answer after all: goes on as before push_begin. */
void push_fail(struct push *push, struct loop *loop);

/* Whether all that is to go out in front of the answer has come. */
bool push_settled(const struct push *push);

/* Once a tick of the loop: an answer is not held back without end, since its snapshot may hold an
 * event that another program has put there. Whether it is let go now. */
bool push_tick(struct push *push);

/* No more pushes. */
void push_end(struct push *push, struct loop *loop);

#endif
