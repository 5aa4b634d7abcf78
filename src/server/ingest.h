/*
 * ingest.h: batches by POST (CONTRACT.md 3).
 */
#ifndef BEACOND_SERVER_INGEST_H
#define BEACOND_SERVER_INGEST_H

#include "server/exchange.h"

/* Takes the exchange: answers it, or keeps it until the engine has. It must be on the heap. */
void ingest_begin(struct exchange *exchange);

/* Hands over what was held while the queue was full, as long as there is room. */
void ingest_resume(struct loop *loop);

/* Hands over the bursts that have waited long enough, in the order in which all loops got them; see
 * ingest.c. */
void ingest_settle(struct loop *loop);

/* In how many milliseconds to try that; some of this loop's are waiting. */
int ingest_settles_in(const struct loop *loop);

/* Answers 503 to what has waited too long, held or put back by a failing commit. */
void ingest_expire(struct loop *loop);

#endif
