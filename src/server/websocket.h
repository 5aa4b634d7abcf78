/*
 * websocket.h: one WebSocket (CONTRACT.md 6): frames in, messages acted on in order, answers out.
 *
 * The stock client never sends again what it has sent. So nothing that arrives is refused for want
 * of room: the socket is not read until there is some, and what has wholly arrived is committed
 * even when the connection ends behind it. Everything else hangs on that: the queue, a full disk,
 * a client's limit, and large messages taken one at a time are all waited for.
 *
 * A WebSocket lives in its conn and is freed with it (conn.h). Its loop's thread.
 */
#ifndef BEACOND_SERVER_WEBSOCKET_H
#define BEACOND_SERVER_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/address.h"
#include "server/loop.h"

struct conn;
struct websocket;

/* Makes the WebSocket of a connection whose handshake is in its output; takes the bufferevent's
 * callbacks. client: whom the limits count it for. 0, or -1 when out of memory. */
int websocket_open(struct conn *conn, bool deflate, struct address client) MUST_CHECK;

/* Its connection is about to be freed: hands over what was under way, and frees it. */
void websocket_gone(struct websocket *websocket);

/* Once a tick: pings, deadlines, what was waited for. May free the connection. */
void websocket_tick(struct websocket *websocket, int64_t now_ms);

/* Once a tick while the loop drains: says that the daemon restarts, then reads on until the peer
 * has closed. May free the connection. */
void websocket_drain(struct websocket *websocket);

/* The loop has other options (timeout: NULL when that is what it was), and other keys than before:
 * it ends when it has no right to go on by them. May free the connection. */
void websocket_renew(struct websocket *websocket, const struct access *before,
                     const struct timeval *timeout);

/* Goes on with those that wait, as long as there is room in the queue; all: also with those that
 * wait for something else. */
void websocket_resume(struct loop *loop, bool all);

#endif
