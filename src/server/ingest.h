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

/* Answers 503 to what has waited too long, held or put back by a failing commit. */
void ingest_expire(struct loop *loop);

#endif
