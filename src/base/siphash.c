#include "base/siphash.h"

static uint64_t siphash_rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* Little-endian whatever the machine is; compilers make one load of it where they can. */
static uint64_t siphash_load(const unsigned char *at)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

struct siphash_state {
    uint64_t a, b, c, d; /* v0 to v3 of the paper */
};

static void siphash_rounds(struct siphash_state *v, int count)
{
    while (count-- > 0) {
        v->a += v->b;
        v->b = siphash_rotate(v->b, 13) ^ v->a;
        v->a = siphash_rotate(v->a, 32);
        v->c += v->d;
        v->d = siphash_rotate(v->d, 16) ^ v->c;
        v->a += v->d;
        v->d = siphash_rotate(v->d, 21) ^ v->a;
        v->c += v->b;
        v->b = siphash_rotate(v->b, 17) ^ v->c;
        v->c = siphash_rotate(v->c, 32);
    }
}

static void siphash_word(struct siphash_state *v, uint64_t word)
{
    v->d ^= word;
    siphash_rounds(v, 2);
    v->a ^= word;
}

uint64_t siphash(const unsigned char key[SIPHASH_KEY_BYTES], const void *data, size_t len)
{
    uint64_t k0 = siphash_load(key), k1 = siphash_load(key + 8);
    struct siphash_state v = {
        .a = k0 ^ UINT64_C(0x736f6d6570736575),
        .b = k1 ^ UINT64_C(0x646f72616e646f6d),
        .c = k0 ^ UINT64_C(0x6c7967656e657261),
        .d = k1 ^ UINT64_C(0x7465646279746573),
    };
    const unsigned char *at = data;
    size_t left = len;
    for (; left >= 8; left -= 8, at += 8)
        siphash_word(&v, siphash_load(at));

    /* The last word: what is left over, and the length in its top byte. */
    uint64_t last = (uint64_t)(len & 0xff) << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << (8 * i);
    siphash_word(&v, last);

    v.c ^= 0xff;
    siphash_rounds(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
