/*
 * tls.h: a certificate and its key, ready to serve with.
 *
 * Loaded by the main thread, then constant; connections hold on to what they began with, so that
 * another can take its place (server_reload). tls.c and secure.c alone see OpenSSL.
 * Without it (configure found none) tls_load fails and says so.
 */
#ifndef BEACOND_SERVER_TLS_H
#define BEACOND_SERVER_TLS_H

#include "base/error.h"

struct bufferevent;
struct event_base;
struct tls;

/* Reads a chain of certificates, the server's own first, and the key of that one; both PEM. Looks
 * whether they belong together. Warns through the log of a certificate that is not valid yet or any
 * more, and of a key that others may read. Blocks for the disk. NULL with err ("tls-cert: …"). */
struct tls *tls_load(const char *cert, const char *key, struct error *err) MUST_CHECK;

/* Connections that began with it go on. NULL is fine. */
void tls_free(struct tls *tls);

/* A bufferevent without a descriptor that will be the server's end of a TLS connection; secure.h
 * tells what it can do. Its loop's thread. NULL when out of memory. */
struct bufferevent *tls_accept(struct tls *tls, struct event_base *base);

#endif
