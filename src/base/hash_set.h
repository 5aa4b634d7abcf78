/*
 * hash_set.h: a set of 64-bit hashes. No removal; one thread at a time.
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
};

void hash_set_clear(struct hash_set *set); /* frees; as at the start */
void hash_set_reset(struct hash_set *set); /* empties, keeps the memory */

/* 0 and 1 count as the same. 0, or -1 when out of memory. */
int hash_set_add(struct hash_set *set, uint64_t hash) MUST_CHECK;
bool hash_set_has(const struct hash_set *set, uint64_t hash);

#endif
