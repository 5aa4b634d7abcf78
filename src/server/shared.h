/*
 * shared.h: what the loops of one server share.
 */
#ifndef BEACOND_SERVER_SHARED_H
#define BEACOND_SERVER_SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "page/page.h"
#include "server/buckets.h"

struct access;
struct loop;
struct server_options;

/* What the loops are to go by from now on. Set before the mails are posted that tell them of it. */
struct reload {
    const struct server_options *options;
    const struct access *access;
    pthread_mutex_t mutex; /* guards left */
    pthread_cond_t taken;  /* left has become 0 */
    unsigned left;         /* loops that have not heard of it */
};

/*
 * What goes on beyond max-receiving. All together would wait for room that none of them makes; so
 * one WebSocket's message at a time comes in all the same, and keeps that right until it is in the
 * queue: one that is whole and waits holds as much memory as one that is not.
 */
enum shared_passing {
    SHARED_PASSING_NONE,
    SHARED_PASSING_PART, /* it is not whole yet: waits for its client */
    SHARED_PASSING_WHOLE /* waits for the writer, never for a client */
};

struct shared {
    struct loop *loops;        /* all of them, for their counters */
    size_t loop_count;         /* constant once one of them runs */
    int64_t began_ms;          /* monotonic; when the server started */
    int64_t started_ms;        /* the same by the wall clock */
    atomic_uint running;       /* loops that have not ended */
    atomic_size_t connections; /* open */
    atomic_llong receiving;    /* bytes of requests that have not been read yet */
    atomic_size_t reads;       /* answers to reads under way */
    atomic_bool large;         /* a large body is being read or committed: one at a time */
    atomic_int passing;        /* enum shared_passing */
    pthread_mutex_t settling_mutex;
    struct list settling; /* bursts that wait for news of an equal one before them, struct
                           * intake, in order of arrival */
    struct reload reload;
    struct buckets *buckets; /* by loop_buckets */
    struct page page;        /* at /; not changed any more */
};

#endif
