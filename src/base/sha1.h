/*
 * sha1.h: SHA-1 (FIPS 180-4), which the WebSocket handshake asks for. It keeps no secret there; do
 * not use it where one could be forged. Any thread.
 */
#ifndef BEACOND_BASE_SHA1_H
#define BEACOND_BASE_SHA1_H

#include <stddef.h>

#define SHA1_BYTES 20

void sha1(const void *data, size_t len, unsigned char out[SHA1_BYTES]);

#endif
