/*
 * linger.h: sockets whose connection is over, while their clients may go on sending.
 *
 * A socket that is closed with input unread, or gets input when it is closed, resets the
 * connection: the kernel throws away what has not been sent yet, and a client that sends sees an
 * error instead of the answer. So where a request was refused before all of it had come, only the
 * sending side is shut down. What comes is thrown away until the client closes, says nothing for a
 * while, or has had its time or its bytes. Then the socket is closed, come what may.
 *
 * Such sockets count as connections, and are a quarter of these at most; beyond that, and without
 * memory or descriptors, the socket is closed as it is. The loop's thread.
 */
#ifndef BEACOND_SERVER_LINGER_H
#define BEACOND_SERVER_LINGER_H

#include <stdbool.h>
#include <stddef.h>

struct loop;

/* The connection on fd, whose answer is with the kernel, is about to be closed: a duplicate of the
 * socket stays open. fd remains the caller's. */
void linger_begin(struct loop *loop, int fd);

/* Closes those that have had their time; all of them when force is set. Returns how many are left.
 */
size_t linger_sweep(struct loop *loop, bool force);

#endif
