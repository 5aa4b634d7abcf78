#include "contract/marks.h"

#include <stdlib.h>
#include <string.h>

void marks_init(struct marks *marks)
{
    *marks = (struct marks){.running = NULL};
}

void marks_clear(struct marks *marks)
{
    free(marks->running);
    free(marks->seen);
    marks_init(marks);
}

void marks_reset(struct marks *marks)
{
    marks->count = marks->burst_from = marks->burst_to = 0;
    marks->folded = false;
    if (marks->seen != NULL)
        memset(marks->seen, 0, marks->seen_size * sizeof *marks->seen);
}

void marks_finish(struct marks *marks)
{
    free(marks->seen);
    marks->seen = NULL;
    marks->seen_size = 0;
    if (marks->burst_from == 0)
        marks->burst_to = 0;
    uint64_t *running =
        marks->count == 0 ? NULL : realloc(marks->running, marks->count * sizeof *running);
    if (running != NULL) {
        marks->running = running;
        marks->capacity = marks->count;
    }
}

bool marks_burst(const struct marks *marks, size_t k)
{
    return marks->burst_from != 0 && k >= marks->burst_from && k <= marks->burst_to;
}

/* Puts a hash into the table; *twice: it was there. The table is never more than half full. */
static void marks_put(uint64_t *table, size_t size, uint64_t hash, bool *twice)
{
    size_t at = (size_t)hash & (size - 1);
    while (table[at] != 0 && table[at] != hash)
        at = (at + 1) & (size - 1);
    *twice = table[at] == hash;
    table[at] = hash;
}

static int marks_grow_seen(struct marks *marks)
{
    size_t size = marks->seen_size == 0 ? 64 : marks->seen_size * 2;
    uint64_t *seen = calloc(size, sizeof *seen);
    bool twice;
    if (seen == NULL)
        return -1;
    for (size_t i = 0; i < marks->seen_size; i++)
        if (marks->seen[i] != 0)
            marks_put(seen, size, marks->seen[i], &twice);
    free(marks->seen);
    marks->seen = seen;
    marks->seen_size = size;
    return 0;
}

/* Looks for the burst: as long as all carry one timestamp, until one is there twice. */
static int marks_watch(struct marks *marks, uint64_t hash, int64_t ts)
{
    if (marks->count == 1) {
        marks->single = true;
        marks->ts = ts;
    }
    marks->single = marks->single && marks->ts == ts;
    if (!marks->single)
        return 0;
    marks->burst_to = marks->count;
    if (marks->burst_from != 0)
        return 0;
    if (marks->count * 2 > marks->seen_size && marks_grow_seen(marks) != 0)
        return -1;
    bool twice;
    marks_put(marks->seen, marks->seen_size, hash, &twice);
    if (twice)
        marks->burst_from = marks->count;
    return 0;
}

static int marks_grow(struct marks *marks)
{
    if (marks->count < marks->capacity)
        return 0;
    size_t capacity = marks->capacity == 0 ? 32 : marks->capacity * 2;
    uint64_t *running = realloc(marks->running, capacity * sizeof *running);
    if (running == NULL)
        return -1;
    marks->running = running;
    marks->capacity = capacity;
    return 0;
}

/* The keyed hash of a mark, by which it is mixed with the next element. The bytes of a number
 * depend on the machine's byte order, and a database may move: by hand. */
static uint64_t marks_veil(const unsigned char key[SIPHASH_KEY_BYTES], uint64_t mark)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(mark >> (8 * i));
    return siphash(key, bytes, sizeof bytes);
}

int marks_add(struct marks *marks, const unsigned char key[SIPHASH_KEY_BYTES], const char *text,
              size_t len, int64_t ts, bool fold)
{
    uint64_t hash = siphash(key, text, len), mark = hash;
    bool into_last = fold && marks->folded;
    marks->folded = fold;
    if (!into_last && marks_grow(marks) != 0)
        return -1;
    if (marks->count > 0)
        mark ^= marks_veil(key, marks->running[marks->count - 1]);
    if (into_last) {
        marks->running[marks->count - 1] = mark;
        return 0;
    }
    marks->running[marks->count++] = mark;
    /* 0 stands for a free place. */
    return marks_watch(marks, hash != 0 ? hash : 1, ts);
}

uint64_t marks_hash(const unsigned char key[SIPHASH_KEY_BYTES], const char *text, size_t len)
{
    return siphash(key, text, len);
}

uint64_t marks_element(const unsigned char key[SIPHASH_KEY_BYTES], const uint64_t *running,
                       size_t n)
{
    return n == 0 ? running[0] : running[n] ^ marks_veil(key, running[n - 1]);
}
