/*
 * buckets.h: how much each client address may send: token buckets in events and in bytes.
 *
 * A bucket fills at the rate and holds some seconds of it; what a request costs is taken out, below
 * zero if need be, and while one is below zero its client is refused. So no batch is too large to
 * be taken at all, and the rate holds on average. Shared by all loops under one mutex; the number
 * of buckets is bounded, the one unused longest goes first (it would be full again anyway).
 */
#ifndef BEACOND_SERVER_BUCKETS_H
#define BEACOND_SERVER_BUCKETS_H

#include "contract/address.h"

#define BUCKETS_MOST 65536
/* Seconds of the rate that a full bucket holds. */
#define BUCKETS_SECONDS 10

struct buckets;

/* Rates per second, 0 for no limit. NULL when out of memory. */
struct buckets *buckets_new(int64_t events, int64_t bytes) MUST_CHECK;
void buckets_free(struct buckets *buckets); /* NULL is fine */

/* Other rates count from now on; where they differ every client begins with a full bucket. Any
 * thread. */
void buckets_rates(struct buckets *buckets, int64_t events, int64_t bytes);

/* Seconds (1 or more) that this client must wait before it may send again, 0 when it may now. Any
 * thread. Out of memory: 0. */
int buckets_wait(struct buckets *buckets, struct address client, int64_t now_ms);

/* Takes out what a request of that client cost. Any thread. */
void buckets_charge(struct buckets *buckets, struct address client, int64_t now_ms, int64_t events,
                    int64_t bytes);

#endif
