/*
 * feed.h: GET <prefix>/tail: each event as it is stored, as Server-Sent Events (contract/sse.h).
 *
 * A feed reads the database by the order of commits (engine/sequel.h), a page whenever the socket
 * has taken the last one and something is new, and goes on behind the last number of it. So it
 * takes up anywhere without a gap or a repeat, a client that dawdles holds one page and nothing
 * else, and max-reads bounds the pages of all. That something is new is told by one follower a loop
 * (engine/follow.h).
 *
 * It ends when its client goes, when the daemon shuts down or when the database can't be read; the
 * client comes again with the last id. Its loop's thread.
 */
#ifndef BEACOND_SERVER_FEED_H
#define BEACOND_SERVER_FEED_H

#include <stdint.h>

#include "server/exchange.h"

struct feed;

/* Takes the exchange: answers it, or keeps it for the stream. */
void feed_begin(struct exchange *exchange);

/* The client has gone: ends a stream, and the exchange with it. */
void feed_gone(struct exchange *exchange);

void feed_free(struct feed *feed); /* NULL is fine */

/* Other keys and origins count from now on: ends when it would not be let in any more. */
void feed_renew(struct feed *feed);

/* Looks after all feeds of the loop: pings, clients that have gone, the end when draining. */
void feed_tick(struct loop *loop, int64_t now_ms);

#endif
