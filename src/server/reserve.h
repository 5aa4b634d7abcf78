/*
 * reserve.h: memory for libevent when there is none.
 *
 * libevent 2.1 checks most of its allocations, but not all: a connection whose structures can't be
 * made takes the process with it (HACKING tells what was seen). So it gets its memory through
 * here. What malloc refuses, and is no larger than a connection's parts are, comes from a reserve
 * that is set aside at compile time and costs nothing resident before it is used. While more than a
 * quarter of it is in use nothing new is begun: requests are answered 503, connections are not
 * accepted. When all of it is used up libevent gets NULL.
 *
 * Large allocations are buffers; whoever adds to a buffer looks whether that worked, so these fail
 * as they are.
 *
 * Any thread.
 */
#ifndef BEACOND_SERVER_RESERVE_H
#define BEACOND_SERVER_RESERVE_H

#include <stdbool.h>

#define RESERVE_LARGEST 16384 /* bytes: of what the reserve gives at a time */

/* libevent takes its memory from here. Before the first call of libevent; may be repeated. */
void reserve_begin(void);

/* Whether more than a quarter of the blocks of some size is in use. */
bool reserve_short(void);

#endif
