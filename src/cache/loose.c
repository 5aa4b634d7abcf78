#include "cache/loose.h"

#include <stdlib.h>
#include <string.h>

#include "cache/segment.h"

static struct loose *loose_make(struct range_place place, bool gone, size_t len)
{
    if (len > PTRDIFF_MAX - sizeof(struct loose) - 1)
        return NULL;
    struct loose *loose = malloc(sizeof *loose + len + 1);
    if (loose == NULL)
        return NULL;
    atomic_init(&loose->references, 1);
    loose->gone = gone;
    loose->place = place;
    loose->len = len;
    return loose;
}

struct loose *loose_new(struct range_place place, const char *text, size_t len)
{
    struct loose *loose = loose_make(place, false, len);
    if (loose == NULL)
        return NULL;
    memcpy(loose->text, text, len);
    loose->text[len] = ',';
    return loose;
}

struct loose *loose_new_gone(struct range_place place)
{
    return loose_make(place, true, 0);
}

void loose_hold(struct loose *loose)
{
    (void)atomic_fetch_add_explicit(&loose->references, 1, memory_order_relaxed);
}

void loose_drop(struct loose *loose)
{
    if (loose != NULL && atomic_fetch_sub(&loose->references, 1) == 1)
        free(loose);
}

size_t loose_memory(const struct loose *loose)
{
    return sizeof *loose + loose->len + 1 + SEGMENT_BLOCK_BYTES;
}

size_t loose_from(struct loose *const *run, size_t count, struct range_place place)
{
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (place_before(run[middle]->place, place))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}
