/*
 * conn_parts.h: the inside of a connection: conn.c is its life, conn_peer.c what can be known of
 * the other end.
 */
#ifndef BEACOND_SERVER_CONN_PARTS_H
#define BEACOND_SERVER_CONN_PARTS_H

#include "server/conn.h"

/* Who is at the other end of the socket; ADDRESS_NONE when that can't be told. */
struct address conn_peer(int fd);

/* The connection ends with an answer on it that may not have arrived: tells the engine. One that we
 * close ourselves right behind the answer tells nothing. */
void conn_judge(struct conn *conn);

#endif
