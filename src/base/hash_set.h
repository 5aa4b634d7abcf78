/*
 * hash_set.h: a set of 64-bit hashes. No removal; one thread at a time.
 *
 * The hashes may be a stranger's choice: where one stands depends on a number drawn for each set.
 */
#ifndef BEACOND_BASE_HASH_SET_H
#define BEACOND_BASE_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Start with zeros. */
struct hash_set {
    uint64_t *places; /* 0 for a free one; never more than half of them taken */
    size_t size;      /* a power of two, or 0 */
    size_t count;
    uint64_t key; /* hash_set_key; 0 while size is 0 */
};

void hash_set_clear(struct hash_set *set); /* frees; as at the start */
void hash_set_reset(struct hash_set *set); /* empties, keeps the memory */

/* 0 and 1 count as the same. 0, or -1 when out of memory. */
int hash_set_add(struct hash_set *set, uint64_t hash) MUST_CHECK;
bool hash_set_has(const struct hash_set *set, uint64_t hash);

/* For tables of other kinds: a random odd number, and with it the place in [0, size) where a hash
 * belongs. size is a power of two, at least 2. */
uint64_t hash_set_key(void);
static inline size_t hash_set_spot(uint64_t key, uint64_t hash, size_t size)
{
    /* The highest bits, which depend on all of the hash (multiply-shift). */
    return (size_t)(hash * key >> (64 - __builtin_ctzll(size)));
}

#endif
