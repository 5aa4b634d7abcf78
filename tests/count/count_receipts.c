/*
 * count_receipts.c: the receipts of 4,000 bodies of 25 events, a commit every 100: 2,000 new ones,
 * 1,000 of them once more, and 1,000 with newer events behind.
 */
#include <string.h>

#include "count.h"
#include "engine/receipts.h"

#define RECEIPTS_NEW 2000
#define RECEIPTS_BODIES (2 * RECEIPTS_NEW)
#define RECEIPTS_EVENTS 25
#define RECEIPTS_GROUP 100 /* bodies a commit */

static struct marks receipts_bodies[RECEIPTS_BODIES];
static struct receipts *receipts_all;
static struct bytes receipts_log;
static size_t receipts_known;

void count_subject(void)
{
    for (size_t i = 0; i < RECEIPTS_BODIES; i++) {
        struct receipts_verdict verdict;
        count_must(receipts_take(receipts_all, &receipts_bodies[i], false, 1, &verdict) == 0,
                   "out of memory");
        receipts_known += verdict.known;
        if (i % RECEIPTS_GROUP != RECEIPTS_GROUP - 1)
            continue;
        receipts_log.len = 0;
        count_must(receipts_row(receipts_all, &receipts_log) == 0, "out of memory");
        (void)receipts_commit(receipts_all, 1);
    }
}

/* Adds events from … to - 1 of a visitor to a body. */
static void receipts_add(struct marks *marks, size_t visitor, int from, int to)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = {7};
    char text[64];
    for (int i = from; i < to; i++) {
        int len = snprintf(text, sizeof text, "visitor %zu, event %d", visitor, i);
        count_must(marks_add(marks, key, text, (size_t)len, 1000 + i, false) == 0, "out of memory");
    }
}

int main(void)
{
    for (size_t i = 0; i < RECEIPTS_BODIES; i++) {
        bool longer = i >= RECEIPTS_NEW && i % 2 == 0;
        marks_init(&receipts_bodies[i]);
        receipts_add(&receipts_bodies[i], i % RECEIPTS_NEW, 0, RECEIPTS_EVENTS * (1 + longer));
        marks_finish(&receipts_bodies[i]);
    }
    receipts_all = receipts_new(64 << 20);
    bytes_init(&receipts_log);
    count_must(receipts_all != NULL, "out of memory");
    count_run();
    count_must(receipts_known == (size_t)RECEIPTS_NEW * RECEIPTS_EVENTS, "a retry is not known");
    receipts_free(receipts_all);
    bytes_clear(&receipts_log);
    for (size_t i = 0; i < RECEIPTS_BODIES; i++)
        marks_clear(&receipts_bodies[i]);
    return count_done();
}
