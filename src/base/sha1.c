#include "base/sha1.h"

#include "base/sha.h"

static uint32_t sha1_rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

/* The 80 words that a block is spread out to. */
static void sha1_schedule(uint32_t w[80], const unsigned char *block)
{
    sha_words(w, block);
    for (unsigned t = 16; t < 80; t++)
        w[t] = sha1_rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
}

/* One round: e is what becomes of a, and b is turned; the names of the five change places with each
 * round, which costs less than moving them. */
#define SHA1_ROUND(f, k, a, b, c, d, e, t)                          \
    do {                                                            \
        (e) += sha1_rotate(a, 5) + f(b, c, d) + UINT32_C(k) + w[t]; \
        (b) = sha1_rotate(b, 30);                                   \
    } while (0)

#define SHA1_TWENTY(f, k, from)                          \
    for (unsigned t = (from); t < (from) + 20; t += 5) { \
        SHA1_ROUND(f, k, a, b, c, d, e, t);              \
        SHA1_ROUND(f, k, e, a, b, c, d, t + 1);          \
        SHA1_ROUND(f, k, d, e, a, b, c, t + 2);          \
        SHA1_ROUND(f, k, c, d, e, a, b, t + 3);          \
        SHA1_ROUND(f, k, b, c, d, e, a, t + 4);          \
    }

static uint32_t sha1_choose(uint32_t b, uint32_t c, uint32_t d)
{
    return (b & c) ^ (~b & d);
}

static uint32_t sha1_parity(uint32_t b, uint32_t c, uint32_t d)
{
    return b ^ c ^ d;
}

static uint32_t sha1_majority(uint32_t b, uint32_t c, uint32_t d)
{
    return (b & c) ^ (b & d) ^ (c & d);
}

static void sha1_block(uint32_t *h, const unsigned char *block)
{
    uint32_t w[80];
    sha1_schedule(w, block);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    SHA1_TWENTY(sha1_choose, 0x5a827999, 0)
    SHA1_TWENTY(sha1_parity, 0x6ed9eba1, 20)
    SHA1_TWENTY(sha1_majority, 0x8f1bbcdc, 40)
    SHA1_TWENTY(sha1_parity, 0xca62c1d6, 60)
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(const void *data, size_t len, unsigned char out[SHA1_BYTES])
{
    uint32_t h[5] = {UINT32_C(0x67452301), UINT32_C(0xefcdab89), UINT32_C(0x98badcfe),
                     UINT32_C(0x10325476), UINT32_C(0xc3d2e1f0)};
    sha_run(h, sha1_block, data, len, out, SHA1_BYTES);
}
