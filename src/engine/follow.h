/*
 * follow.h: what is committed, handed to those who follow, in commit order.
 *
 * Each commit becomes one publication (a large one several), built once and shared by all who
 * follow: the text of a push message, {"type":"push","events":[…]}, plain and, when someone asked
 * for it, deflated. The writer only copies the events, and nothing at all while nobody follows; the
 * rest is done on a reader thread, one publication after the other.
 *
 * A follower belongs to the thread that opens its mailbox. One that begins to follow before it
 * takes a snapshot (a reading) misses nothing: publications with last_seq <= the snapshot's max_seq
 * are part of it already, the others are not, and a commit is never split between the two. A few
 * that were committed shortly before it began may be handed to it as well.
 *
 * What waits to be deflated, and what waits in a follower's mailbox, is bounded (16 MiB each).
 * Beyond that publications are lost, which the follower is told once, behind those it still gets.
 * What is committed until it is told is lost too; what is committed later comes again.
 */
#ifndef BEACOND_ENGINE_FOLLOW_H
#define BEACOND_ENGINE_FOLLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mailbox.h"
#include "engine/engine.h"

/* Immutable once handed out. */
struct publication {
    atomic_uint references;
    int64_t first_seq, last_seq; /* of its events */
    size_t events;
    struct bytes plain;    /* the message */
    struct bytes deflated; /* the same as permessage-deflate wants it: raw deflate, the last four
                            * bytes of the flush taken off. Empty when nobody asked for it, or when
                            * it would not be smaller */
};

void publication_hold(struct publication *publication); /* any thread */
void publication_drop(struct publication *publication); /* any thread; NULL is fine */

/* A publication has come; hold it to keep it. NULL: publications were lost (memory, or they were
 * not taken fast enough): whoever must miss nothing has to begin anew. May call engine_unfollow. */
typedef void follow_fn(void *arg, struct publication *publication);

struct follower;

/* Begins to follow: what is committed from here on is handed to fn, on the thread that opens
 * reply_to. NULL when out of memory. */
struct follower *engine_follow(struct engine *engine, bool deflated, struct mailbox *reply_to,
                               follow_fn *fn, void *arg) MUST_CHECK;

/* Ends it; fn is not called again. The follower's thread. engine_close ends it as well: it must not
 * be named any more then. NULL is fine. */
void engine_unfollow(struct follower *follower);

#endif
