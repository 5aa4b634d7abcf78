/*
 * query.h: windows by GET (CONTRACT.md 4), streamed as fast as the socket takes them.
 *
 * At most two chunks of an answer are in memory: one on its way to the socket, one made ahead.
 */
#ifndef BEACOND_SERVER_QUERY_H
#define BEACOND_SERVER_QUERY_H

#include "server/exchange.h"

struct query;

/* Takes the exchange: answers it, or keeps it until the engine has. */
void query_begin(struct exchange *exchange);

/* The client has gone: ends a streamed answer, and the exchange with it. One that has not begun
 * goes on to its first chunk and is dropped then. */
void query_gone(struct exchange *exchange);

void query_free(struct query *query); /* NULL is fine */

#endif
