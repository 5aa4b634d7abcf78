/*
 * upgrade.h: from a GET to a WebSocket (RFC 6455, 4.2).
 */
#ifndef BEACOND_SERVER_UPGRADE_H
#define BEACOND_SERVER_UPGRADE_H

#include "server/exchange.h"

/* Takes the exchange: answers it, or makes a WebSocket of its connection. */
void upgrade_begin(struct exchange *exchange);

#endif
