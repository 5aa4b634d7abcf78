/*
 * sha.h: what SHA-1 and SHA-256 have in common: blocks of 64 bytes, their padding, words that stand
 * with the high byte first. For sha1.c and sha256.c.
 */
#ifndef BEACOND_BASE_SHA_H
#define BEACOND_BASE_SHA_H

#include <stddef.h>
#include <stdint.h>

#define SHA_BLOCK 64

/* Mixes a block into the state h. */
typedef void sha_block_fn(uint32_t *h, const unsigned char *block);

/* The 16 words of a block. */
void sha_words(uint32_t w[16], const unsigned char *block);

/* All of data, padded, block by block; then the state as out[0..size). */
void sha_run(uint32_t *h, sha_block_fn *mix, const void *data, size_t len, unsigned char *out,
             unsigned size);

#endif
