/*
 * siphash.h: SipHash-2-4, a keyed 64-bit hash (Aumasson and Bernstein, 2012).
 *
 * For values a stranger must not be able to forge or make collide. Equal on every machine: the
 * result does not depend on byte order. Any thread.
 */
#ifndef BEACOND_BASE_SIPHASH_H
#define BEACOND_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

uint64_t siphash(const unsigned char key[SIPHASH_KEY_BYTES], const void *data, size_t len);

#endif
