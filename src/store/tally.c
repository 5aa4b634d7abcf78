#include "store/tally.h"

#include <stdlib.h>

void tally_init(struct tally *tally)
{
    *tally = (struct tally){NULL, 0, 0};
}

void tally_clear(struct tally *tally)
{
    free(tally->steps);
    tally_init(tally);
}

void tally_reset(struct tally *tally)
{
    tally->count = 0;
}

int tally_add(struct tally *tally, int64_t ts)
{
    int64_t at = step_floor(STEP_SECOND, ts);
    if (tally->count > 0 && tally->steps[tally->count - 1].at == at) {
        tally->steps[tally->count - 1].events++;
        return 0;
    }
    if (tally->count == tally->capacity) {
        size_t capacity = tally->capacity == 0 ? 64 : tally->capacity * 2;
        struct tally_step *steps = realloc(tally->steps, capacity * sizeof *steps);
        if (steps == NULL)
            return -1;
        tally->steps = steps;
        tally->capacity = capacity;
    }
    tally->steps[tally->count++] = (struct tally_step){at, 1};
    return 0;
}

static int tally_compare(const void *a, const void *b)
{
    int64_t x = ((const struct tally_step *)a)->at, y = ((const struct tally_step *)b)->at;
    return (x > y) - (x < y);
}

void tally_fold(struct tally *tally, enum step step)
{
    if (tally->count == 0)
        return;
    if (step == STEP_SECOND)
        qsort(tally->steps, tally->count, sizeof *tally->steps, tally_compare);
    size_t kept = 0;
    for (size_t i = 0; i < tally->count; i++) {
        struct tally_step next = {step_floor(step, tally->steps[i].at), tally->steps[i].events};
        if (kept > 0 && tally->steps[kept - 1].at == next.at)
            tally->steps[kept - 1].events += next.events;
        else
            tally->steps[kept++] = next;
    }
    tally->count = kept;
}
