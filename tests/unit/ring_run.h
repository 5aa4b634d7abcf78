/*
 * ring_run.h: a ring of small segments, for the tests of its parts: told events whose text is their
 * seq, read back as one line.
 */
#ifndef BEACOND_TESTS_RING_RUN_H
#define BEACOND_TESTS_RING_RUN_H

#include <stdio.h>

#include "cache/fill.h"
#include "cache/sealing.h"
#include "ring_glue.h"

#define SETTLE_MS 100
#define SEGMENT 4 /* events */

static struct ring *ring;
static struct glue glue;
static struct sealer sealer;
static int wakes;

static inline void note_wake(void *arg)
{
    (void)arg;
    wakes++;
}

/* A ring that holds everything below millisecond 10,000. */
static inline void make_ring(size_t max_events, size_t max_bytes)
{
    struct ring_options options = {.max_events = max_events,
                                   .max_bytes = max_bytes,
                                   .segment_events = SEGMENT,
                                   .ceiling_ms = 10000,
                                   .settle_ms = SETTLE_MS,
                                   .wake = note_wake};
    ring_free(ring);
    ring = ring_new(&options);
    ck_assert_ptr_nonnull(ring);
}

static inline void fill_with_nothing(void)
{
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    fill_snapshot(fill, 0, PLACE_LOWEST);
    ck_assert_int_eq(fill_end(fill, glue.pieces, PLACE_LOWEST), 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
}

static inline void ring_setup(void)
{
    glue_init(&glue);
    ck_assert_int_eq(sealer_init(&sealer, 1), 0);
    make_ring(1000, 1 << 20);
    fill_with_nothing();
    wakes = 0;
}

static inline void ring_teardown(void)
{
    ring_free(ring);
    ring = NULL;
    glue_clear(&glue);
    sealer_clear(&sealer);
}

/* Tells one event, whose text is its seq. */
static inline void tell(int64_t ts, int64_t seq)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%d", (int)seq);
    struct batch_event event = {.ts = ts, .seq = seq, .text = text, .text_len = (size_t)len};
    ring_tell(ring, &event, 1, 0);
    ring_told(ring, 0, 0);
}

/* Tells events first … last, one each millisecond. */
static inline void tell_run(int64_t first, int64_t last)
{
    for (int64_t seq = first; seq <= last; seq++)
        tell(seq, seq);
}

/* What a reader gets of the window, as the text between the brackets. */
static inline const char *read_ask(struct cut_ask ask)
{
    struct cut cut;
    if (ask.max_seq == 0)
        ask.max_seq = INT64_MAX;
    if (ask.limit == 0)
        ask.limit = UINT64_MAX;
    if (place_equal(ask.start, (struct range_place){0, 0}))
        ask.start = PLACE_HIGHEST;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    glue.whole = 0;
    glue_document(&glue, &cut);
    cut_clear(&cut);
    glue.back.len -= strlen(GLUE_TAIL);
    ck_assert_int_eq(bytes_append(&glue.back, "", 1), 0);
    return glue.back.data + strlen(GLUE_HEAD);
}

static inline const char *read_all(void)
{
    return read_ask((struct cut_ask){.since = INT64_MIN, .until = INT64_MAX});
}

static inline struct ring_survey survey(void)
{
    struct ring_survey survey;
    ring_survey(ring, &survey);
    return survey;
}

/* Seals what is due, and returns how many slots that was. */
static inline int seal_all(int64_t now_ms)
{
    int64_t wait_ms;
    struct sealing *sealing;
    int count = 0;
    while ((sealing = sealing_take(ring, now_ms, &wait_ms)) != NULL) {
        ck_assert_int_eq(sealing_work(ring, sealing, &sealer), 0);
        ck_assert(sealing_give(ring, sealing, now_ms));
        count++;
    }
    return count;
}

/* Adds events last … first, one each millisecond. */
static inline void add_run(struct fill *fill, int64_t last, int64_t first)
{
    for (int64_t seq = last; seq >= first; seq--) {
        char text[24];
        int len = snprintf(text, sizeof text, "%d", (int)seq);
        struct range_place place = {seq, seq};
        ck_assert_int_eq(fill_add(fill, glue.pieces, place, text, (size_t)len), 0);
    }
}

static inline int ring_main(const char *name, const TTest *const *cases)
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, ring_setup, ring_teardown);
    for (; *cases != NULL; cases++)
        tcase_add_test(tests, *cases);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}

#endif
