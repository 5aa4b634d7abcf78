/*
 * client.h: whom the limits count a request for.
 */
#ifndef BEACOND_SERVER_CLIENT_H
#define BEACOND_SERVER_CLIENT_H

#include "contract/address.h"
#include "server/exchange.h"

/* The address of the peer, or what a trusted proxy says of it. The connection must be there. */
struct address client_address(const struct exchange *exchange);

#endif
