/*
 * sha256.h: SHA-256 (FIPS 180-4), by which a page's policy names the script and the style that it
 * may have. Not written for speed. Any thread.
 */
#ifndef BEACOND_BASE_SHA256_H
#define BEACOND_BASE_SHA256_H

#include <stddef.h>

#define SHA256_BYTES 32

void sha256(const void *data, size_t len, unsigned char out[SHA256_BYTES]);

#endif
