#include "server/push.h"

#include <stdlib.h>

#include "contract/message.h"

/* How long an answer is held back for what its snapshot holds and has not come yet. */
#define PUSH_TICKS 5

void push_init(struct push *push, struct outbox *outbox, bool deflate, push_fn *fn, void *arg)
{
    *push = (struct push){
        .outbox = outbox, .deflate = deflate, .base = INT64_MAX, .fn = fn, .arg = arg};
    list_init(&push->node);
}

static void push_forget(struct push *push)
{
    for (size_t i = 0; i < push->kept_count; i++)
        publication_drop(push->kept[i]);
    free(push->kept);
    push->kept = NULL;
    push->kept_count = push->kept_room = push->kept_bytes = 0;
}

/* Whether it gets pushes, or will when the snapshot is known. */
static bool push_active(const struct push *push)
{
    return !list_empty(&push->node);
}

void push_end(struct push *push, struct loop *loop)
{
    list_remove(&push->node);
    push->early = push->lost = false;
    push->base = INT64_MAX;
    push_forget(push);
    if (!list_empty(&loop->pushes))
        return;
    engine_unfollow(loop->follower);
    loop->follower = NULL;
}

bool push_settled(const struct push *push)
{
    return !push_active(push) || (!push->early && push->delivered >= push->snapshot);
}

bool push_tick(struct push *push)
{
    if (push->early || push_settled(push) || ++push->ticks < PUSH_TICKS)
        return false;
    push->snapshot = push->delivered;
    return true;
}

/* Too much for it: it is told, behind all that it was sent, and gets no more. */
static void push_drop(struct push *push, struct loop *loop)
{
    outbox_message(push->outbox, MESSAGE_PUSH_LOST, sizeof MESSAGE_PUSH_LOST - 1);
    counter_add(&loop->counters.pushes_lost, 1);
    push_end(push, loop);
}

static size_t push_bytes(const struct push *push, const struct publication *publication)
{
    return push->deflate && publication->deflated.len > 0 ? publication->deflated.len
                                                          : publication->plain.len;
}

/* Keeps a publication until the snapshot is known. */
static void push_keep(struct push *push, struct loop *loop, struct publication *publication)
{
    size_t bytes = push_bytes(push, publication);
    if (push->lost)
        return;
    if (push->kept_count == push->kept_room) {
        size_t room = push->kept_room == 0 ? 16 : push->kept_room * 2;
        struct publication **kept = realloc(push->kept, room * sizeof(struct publication *));
        if (kept != NULL) {
            push->kept = kept;
            push->kept_room = room;
        }
    }
    if (push->kept_count == push->kept_room ||
        push->kept_bytes + bytes > (size_t)loop->options->max_push) {
        push_forget(push);
        push->lost = true;
        return;
    }
    publication_hold(publication);
    push->kept[push->kept_count++] = publication;
    push->kept_bytes += bytes;
}

/* Sends what is newer than the base: in front of the answer what its snapshot holds, the rest
 * behind. */
static void push_send(struct push *push, struct loop *loop, struct publication *publication)
{
    bool ahead = publication->last_seq <= push->snapshot;
    if (publication->last_seq > push->delivered)
        push->delivered = publication->last_seq;
    if (publication->last_seq <= push->base)
        return;
    if (outbox_size(push->outbox) + push_bytes(push, publication) >
        (size_t)loop->options->max_push) {
        push_drop(push, loop);
        return;
    }
    outbox_push(push->outbox, publication, push->deflate, ahead);
    counter_add(&loop->counters.pushes, 1);
}

static void push_offer(struct push *push, struct loop *loop, struct publication *publication)
{
    if (publication == NULL && push->early) {
        push_forget(push);
        push->lost = true;
    } else if (publication == NULL) {
        push_drop(push, loop);
    } else if (push->early) {
        push_keep(push, loop, publication);
    } else {
        push_send(push, loop, publication);
    }
}

static void push_on_publication(void *arg, struct publication *publication)
{
    struct loop *loop = arg;
    struct list *node = loop->pushes.next;
    while (node != &loop->pushes) {
        struct push *push = LIST_OF(node, struct push, node);
        node = node->next;
        bool settled = push_settled(push);
        push_offer(push, loop, publication);
        /* May end the connection, and the push with it. */
        if (push_settled(push) != settled)
            push->fn(push->arg);
    }
}

void push_begin(struct push *push, struct loop *loop)
{
    push->early = true;
    if (push_active(push))
        return;
    list_append(&loop->pushes, &push->node);
    if (loop->follower == NULL)
        loop->follower =
            engine_follow(loop->engine, true, loop->mailbox, push_on_publication, loop);
    if (loop->follower == NULL)
        push->lost = true; /* out of memory */
}

/* What was kept aside is sent. */
static void push_flush(struct push *push, struct loop *loop)
{
    push->early = false;
    if (push->lost) {
        push_drop(push, loop);
        return;
    }
    for (size_t i = 0; i < push->kept_count && push_active(push); i++)
        push_send(push, loop, push->kept[i]);
    push_forget(push);
}

void push_snapshot(struct push *push, struct loop *loop, int64_t max_seq)
{
    if (!push->early)
        return;
    push->snapshot = max_seq;
    push->ticks = 0;
    if (push->base == INT64_MAX)
        push->delivered = max_seq;
    /* The cache may be a moment behind what the database has shown to an earlier answer: what that
     * one held is news to this one. */
    if (max_seq < push->base)
        push->base = max_seq;
    push_flush(push, loop);
}

void push_fail(struct push *push, struct loop *loop)
{
    if (push->base == INT64_MAX)
        push_end(push, loop);
    else if (push->early)
        push_flush(push, loop);
}
