#include "contract/line_ids.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_set.h"
#include "base/sha1.h"

#define LINE_IDS_FIRST 1024 /* places of a table, a power of two */

struct line_ids_again {
    uint64_t hash;  /* 0: a free place */
    uint64_t count; /* how often it was seen */
};

void line_ids_init(struct line_ids *ids)
{
    *ids = (struct line_ids){0};
}

void line_ids_clear(struct line_ids *ids)
{
    free(ids->seen);
    free(ids->again);
    line_ids_init(ids);
}

static uint64_t line_ids_number(const unsigned char *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* Where the hash is, or the free place where it belongs. */
static uint64_t *line_ids_place(uint64_t key, uint64_t *seen, size_t size, uint64_t hash)
{
    size_t at = hash_set_spot(key, hash, size);
    while (seen[at] != 0 && seen[at] != hash)
        at = (at + 1) & (size - 1);
    return &seen[at];
}

static struct line_ids_again *line_ids_again_place(uint64_t key, struct line_ids_again *again,
                                                   size_t size, uint64_t hash)
{
    size_t at = hash_set_spot(key, hash, size);
    while (again[at].hash != 0 && again[at].hash != hash)
        at = (at + 1) & (size - 1);
    return &again[at];
}

/* Room for one more: a third of the places stay free. */
static int line_ids_grow(struct line_ids *ids)
{
    if (ids->seen_count + 1 <= ids->seen_size / 3 * 2)
        return 0;
    size_t size = ids->seen_size == 0 ? LINE_IDS_FIRST : ids->seen_size * 2;
    uint64_t *seen = calloc(size, sizeof *seen);
    if (seen == NULL)
        return -1;
    for (size_t i = 0; i < ids->seen_size; i++)
        if (ids->seen[i] != 0)
            *line_ids_place(ids->key, seen, size, ids->seen[i]) = ids->seen[i];
    free(ids->seen);
    ids->seen = seen;
    ids->seen_size = size;
    return 0;
}

static int line_ids_grow_again(struct line_ids *ids)
{
    if (ids->again_count + 1 <= ids->again_size / 3 * 2)
        return 0;
    size_t size = ids->again_size == 0 ? LINE_IDS_FIRST : ids->again_size * 2;
    struct line_ids_again *again = calloc(size, sizeof *again);
    if (again == NULL)
        return -1;
    for (size_t i = 0; i < ids->again_size; i++)
        if (ids->again[i].hash != 0)
            *line_ids_again_place(ids->key, again, size, ids->again[i].hash) = ids->again[i];
    free(ids->again);
    ids->again = again;
    ids->again_size = size;
    return 0;
}

/* How often the hash was seen, this time included. */
static int line_ids_count(struct line_ids *ids, uint64_t hash, uint64_t *count)
{
    if (ids->key == 0)
        ids->key = hash_set_key(); /* lines are a stranger's choice */
    if (line_ids_grow(ids) != 0 || line_ids_grow_again(ids) != 0)
        return -1;
    uint64_t *seen = line_ids_place(ids->key, ids->seen, ids->seen_size, hash);
    *count = 1;
    if (*seen == 0) {
        *seen = hash;
        ids->seen_count++;
        return 0;
    }
    struct line_ids_again *again =
        line_ids_again_place(ids->key, ids->again, ids->again_size, hash);
    if (again->hash == 0) {
        *again = (struct line_ids_again){.hash = hash, .count = 1};
        ids->again_count++;
    }
    *count = ++again->count;
    return 0;
}

int line_ids_name(void *arg, const char *raw, size_t len, int64_t ts, char out[UUID_LEN])
{
    struct line_ids *ids = arg;
    unsigned char hash[SHA1_BYTES + 8], name[SHA1_BYTES];
    uint64_t count;
    sha1(raw, len, hash);
    uint64_t key = line_ids_number(hash);
    if (line_ids_count(ids, key != 0 ? key : 1, &count) != 0)
        return -1;
    for (int i = 0; i < 8; i++)
        hash[SHA1_BYTES + i] = (unsigned char)(count >> (8 * (7 - i)));
    sha1(hash, sizeof hash, name);
    uuid_of(ts, line_ids_number(name), line_ids_number(name + 8), out);
    return 0;
}
