/*
 * shared.h: what the loops of one server share.
 */
#ifndef BEACOND_SERVER_SHARED_H
#define BEACOND_SERVER_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "server/buckets.h"

struct shared {
    atomic_uint running;       /* loops that have not ended */
    atomic_size_t connections; /* open */
    atomic_llong receiving;    /* bytes of requests that have not been read yet */
    atomic_size_t reads;       /* answers to reads under way */
    atomic_bool large;         /* a large body is being read or committed: one at a time */
    struct buckets *buckets;   /* NULL when there is no limit per client */
};

#endif
