/*
 * inquire.h: GET <prefix>/stats and <prefix>/rejects: small documents that a reader thread makes.
 */
#ifndef BEACOND_SERVER_INQUIRE_H
#define BEACOND_SERVER_INQUIRE_H

#include "server/exchange.h"

/* Each takes the exchange: answers it, or keeps it until the engine has. */
void inquire_stats(struct exchange *exchange);
void inquire_rejects(struct exchange *exchange);

/* The client has gone: what is being made for it is given up. The exchange ends with the answer. */
void inquire_gone(struct exchange *exchange);

#endif
