#include "base/sha.h"

#include <string.h>

#define SHA_LENGTH 8 /* the bytes at the end of the last block that tell the length in bits */

void sha_words(uint32_t w[16], const unsigned char *block)
{
    for (unsigned t = 0; t < 16; t++, block += 4)
        w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
}

void sha_run(uint32_t *h, sha_block_fn *mix, const void *data, size_t len, unsigned char *out,
             unsigned size)
{
    const unsigned char *at = data;
    size_t left = len;
    for (; left >= SHA_BLOCK; left -= SHA_BLOCK, at += SHA_BLOCK)
        mix(h, at);

    /* What is left over, a one bit, zeros and the length: one block, or two when it is tight. */
    unsigned char last[2 * SHA_BLOCK] = {0};
    size_t last_len = left < SHA_BLOCK - SHA_LENGTH ? SHA_BLOCK : 2 * SHA_BLOCK;
    if (left > 0)
        memcpy(last, at, left);
    last[left] = 0x80;
    uint64_t bits = (uint64_t)len * 8;
    for (unsigned i = 0; i < SHA_LENGTH; i++)
        last[last_len - 1 - i] = (unsigned char)(bits >> (8 * i));
    for (size_t i = 0; i < last_len; i += SHA_BLOCK)
        mix(h, last + i);

    for (unsigned i = 0; i < size; i++)
        out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}
