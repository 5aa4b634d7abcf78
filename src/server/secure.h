/*
 * secure.h: what a TLS connection needs beside what every bufferevent does.
 *
 * All of these take a bufferevent of tls_accept, on its loop's thread. What the kernel says of the
 * socket is about records there: whether a byte in it is a request's or the goodbye of a client can
 * be told by decrypting alone. What has been written is with the kernel as soon as the output is
 * empty, as without TLS.
 */
#ifndef BEACOND_SERVER_SECURE_H
#define BEACOND_SERVER_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bufferevent;

/* Whether the client has said goodbye, or closed or reset the connection, and nothing that it sent
 * before waits to be read. What it finds instead stays to be read (secure_wake). */
bool secure_gone(struct bufferevent *bev);

/* Whether something that was sent to us has been taken from the kernel and not been read yet. */
bool secure_holds(struct bufferevent *bev);

/* Reading is on again, or was never off: has libevent look at what secure_gone has taken from the
 * kernel, of which epoll does not tell. */
void secure_wake(struct bufferevent *bev);

/* Whether the handshake is under way, or a record of which not all has come. */
bool secure_half(struct bufferevent *bev);

/* Bytes of records ever given to the kernel. */
uint64_t secure_written(struct bufferevent *bev);

/* Something was read and moved elsewhere: makes room for the rest of the record. */
void secure_make_room(struct bufferevent *bev);

/* Sends a few bytes at once, past the output, which must be empty. When they don't go out whole the
 * connection is broken off: nothing right could follow. */
void secure_send(struct bufferevent *bev, const void *data, size_t len);

/* Says goodbye: nothing is written any more, reading goes on. Says nothing in the midst of a
 * record, where the client must see that something is missing. */
void secure_bye(struct bufferevent *bev);

/* Why its handshake failed, "" if it did not; may be asked once. */
const char *secure_failure(struct bufferevent *bev);

#endif
