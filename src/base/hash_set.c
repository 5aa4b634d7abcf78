#include "base/hash_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#define HASH_SET_FIRST 64

void hash_set_clear(struct hash_set *set)
{
    free(set->places);
    *set = (struct hash_set){0};
}

void hash_set_reset(struct hash_set *set)
{
    if (set->size > 0)
        memset(set->places, 0, set->size * sizeof *set->places);
    set->count = 0;
}

uint64_t hash_set_key(void)
{
    uint64_t key;
    random_fill(&key, sizeof key);
    return key | 1;
}

/* Where the hash is, or belongs. */
static uint64_t *hash_set_place(const struct hash_set *set, uint64_t hash)
{
    size_t at = hash_set_spot(set->key, hash, set->size);
    while (set->places[at] != 0 && set->places[at] != hash)
        at = (at + 1) & (set->size - 1);
    return &set->places[at];
}

static int hash_set_grow(struct hash_set *set)
{
    struct hash_set larger = {.size = set->size == 0 ? HASH_SET_FIRST : set->size * 2,
                              .key = set->size == 0 ? hash_set_key() : set->key};
    larger.places = calloc(larger.size, sizeof *larger.places);
    if (larger.places == NULL)
        return -1;
    for (size_t i = 0; i < set->size; i++)
        if (set->places[i] != 0)
            *hash_set_place(&larger, set->places[i]) = set->places[i];
    larger.count = set->count;
    free(set->places);
    *set = larger;
    return 0;
}

int hash_set_add(struct hash_set *set, uint64_t hash)
{
    if (hash == 0)
        hash = 1;
    if ((set->count + 1) * 2 > set->size && hash_set_grow(set) != 0)
        return -1;
    uint64_t *place = hash_set_place(set, hash);
    set->count += *place == 0;
    *place = hash;
    return 0;
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
    if (hash == 0)
        hash = 1;
    return set->count > 0 && *hash_set_place(set, hash) == hash;
}
