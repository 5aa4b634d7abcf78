#include <stdio.h>

#include "cache/blend.h"
#include "dice.h"
#include "slurp.h"
#include "unit.h"

#define MOST 600

static struct gzip_pieces *pieces;
static struct draft draft;
static struct bytes lines, plain, back;
static struct dice dice;

static void segment_setup(void)
{
    dice = dice_new();
    draft_init(&draft);
    bytes_init(&lines);
    bytes_init(&plain);
    bytes_init(&back);
    pieces = gzip_pieces_new(1);
    ck_assert_ptr_nonnull(pieces);
    slurp(&lines, "stock-client/events.ndjson");
}

static void segment_teardown(void)
{
    draft_clear(&draft);
    bytes_clear(&lines);
    bytes_clear(&plain);
    bytes_clear(&back);
    gzip_pieces_free(pieces);
}

/* Seals count events with texts from the recording; plain gets what they must add up to. */
static struct segment *seal(const struct range_place *places, size_t count)
{
    plain.len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = lines.data + dice_roll(&dice, lines.len - 1000);
        size_t len = dice_roll(&dice, 900);
        ck_assert_int_eq(draft_add(&draft, places[i], text, len), 0);
        ck_assert_int_eq(bytes_append(&plain, text, len), 0);
        ck_assert_int_eq(bytes_append(&plain, ",", 1), 0);
    }
    struct segment *segment = draft_seal(&draft, pieces);
    ck_assert_ptr_nonnull(segment);
    ck_assert_uint_eq(draft.count, 0);
    return segment;
}

static void check_text(const struct segment *segment)
{
    size_t part = dice_roll(&dice, plain.len);
    back.len = 0;
    ck_assert_uint_eq(segment->plain_len, plain.len);
    ck_assert_int_eq(segment_inflate(segment, plain.len, &back), 0);
    ck_assert_uint_eq(back.len, plain.len);
    ck_assert_mem_eq(back.data, plain.data, plain.len);
    ck_assert_int_eq(segment_inflate(segment, part, &back), 0); /* behind what is there */
    ck_assert_uint_eq(back.len, plain.len + part);
    ck_assert(part == 0 || memcmp(back.data + plain.len, plain.data, part) == 0);
}

static void check_places(const struct segment *segment, const struct range_place *places,
                         size_t count)
{
    ck_assert_uint_eq(segment->count, count);
    ck_assert(place_equal(segment->highest, places[0]));
    ck_assert(place_equal(segment->lowest, places[count - 1]));
    int64_t highest = INT64_MIN, lowest = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        ck_assert(place_equal(segment_place(segment, i), places[i]));
        ck_assert_uint_eq(segment_from(segment, places[i]), i + 1);
        ck_assert_uint_eq(segment_from(segment, place_above(places[i])), i);
        ck_assert_uint_eq(plain.data[segment_end(segment, i) - 1], ',');
        ck_assert_uint_eq(segment_begin(segment, i + 1), segment_end(segment, i));
        highest = places[i].seq > highest ? places[i].seq : highest;
        lowest = places[i].seq < lowest ? places[i].seq : lowest;
    }
    ck_assert_uint_eq(segment_from(segment, PLACE_LOWEST), count);
    ck_assert_uint_eq(segment_from(segment, PLACE_HIGHEST), 0);
    ck_assert_uint_eq(segment_end(segment, count - 1), segment->plain_len);
    ck_assert_int_eq(segment->highest_seq, highest);
    ck_assert_int_eq(segment->lowest_seq, lowest);
}

START_TEST(segment_gives_back_texts_and_places_of_any_spread)
{
    static const int64_t ts_steps[] = {1, 200, 100000, INT64_C(1) << 33};
    static const int64_t seq_spans[] = {1000, 1000000, INT64_C(1) << 40};
    static struct range_place places[MOST];
    for (int round = 0; round < 60; round++) {
        size_t count = 1 + dice_roll(&dice, round % 3 == 0 ? 5 : MOST);
        int64_t step = ts_steps[round % 4], span = seq_spans[round % 3];
        int64_t ts = round % 5 == 0 ? -5000 : INT64_C(1800000000000);
        for (size_t i = 0; i < count; i++) {
            ts -= (int64_t)(dice_next(&dice) % (uint64_t)step);
            places[i] = (struct range_place){ts, 1 + (int64_t)(dice_next(&dice) % (uint64_t)span)};
            if (i > 0 && places[i - 1].ts == ts)
                places[i].seq = places[i - 1].seq - 1;
        }
        struct segment *segment = seal(places, count);
        check_places(segment, places, count);
        check_text(segment);
        segment_drop(segment);
    }
}
END_TEST

START_TEST(segment_holds_the_ends_of_time)
{
    static const struct range_place places[] = {
        {INT64_MAX, 1}, {INT64_MAX - 1, INT64_MAX - 1}, {0, 7}, {INT64_MIN, 9}};
    struct segment *segment = seal(places, 4);
    check_places(segment, places, 4);
    segment_drop(segment);
}
END_TEST

START_TEST(segment_is_a_fraction_of_its_text_and_says_what_it_takes)
{
    struct range_place place = {1000000, 1000};
    const char *at = lines.data, *end = lines.data + lines.len;
    while (at < end && draft.count < SEGMENT_EVENTS) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        place = (struct range_place){place.ts - 10, place.seq - 1};
        ck_assert_int_eq(draft_add(&draft, place, at, (size_t)(line_end - at)), 0);
        at = line_end + 1;
    }
    struct segment *segment = draft_seal(&draft, pieces);
    ck_assert_ptr_nonnull(segment);
    ck_assert_uint_lt(segment->memory * 4, segment->plain_len);
    ck_assert_uint_gt(segment->memory, segment->deflated_len + segment->count * 8);
    segment_drop(segment);
}
END_TEST

START_TEST(segment_lives_until_the_last_reference)
{
    static const struct range_place place = {5, 6};
    struct segment *segment = seal(&place, 1);
    segment_hold(segment);
    segment_drop(segment);
    check_text(segment); /* the sanitizers look on */
    segment_drop(segment);
    segment_drop(NULL);
}
END_TEST

/* --- what lies above a segment ---------------------------------------------------------------- */

static struct segment *seal_numbers(const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[24];
        int len = snprintf(text, sizeof text, "%d", (int)numbers[i]);
        struct range_place place = {numbers[i], numbers[i]};
        ck_assert_int_eq(draft_add(&draft, place, text, (size_t)len), 0);
    }
    struct segment *segment = draft_seal(&draft, pieces);
    ck_assert_ptr_nonnull(segment);
    return segment;
}

static struct loose *loose_number(int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%d", (int)number);
    struct loose *loose = loose_new((struct range_place){number, number}, text, (size_t)len);
    ck_assert_ptr_nonnull(loose);
    return loose;
}

static void check_blend(const struct segment *segment, struct loose *const *run, size_t count,
                        struct blend_window window, const char *expected)
{
    struct blend_event events[16];
    size_t found = blend(segment, run, count, &window, events);
    ck_assert_uint_eq(blend_count(segment, run, count, &window), found);
    size_t depth = blend_depth(segment, events, found);
    back.len = 0;
    plain.len = 0;
    if (depth > 0)
        ck_assert_int_eq(segment_inflate(segment, depth, &plain), 0);
    for (size_t i = 0; i < found; i++)
        ck_assert_int_eq(bytes_append(&back, blend_text(segment, plain.data, &events[i]),
                                      blend_len(segment, &events[i]) + 1),
                         0);
    ck_assert_int_eq(bytes_append(&back, "", 1), 0);
    ck_assert_str_eq(back.data, expected);
}

START_TEST(blend_orders_late_events_and_leaves_out_erased_ones)
{
    static const int64_t numbers[] = {90, 70, 50, 30, 10};
    struct blend_window all = {PLACE_LOWEST, PLACE_HIGHEST, INT64_MAX};
    struct segment *segment = seal_numbers(numbers, 5);
    struct loose *run[] = {loose_number(20), loose_new_gone((struct range_place){30, 30}),
                           loose_number(60), loose_number(95)};
    ck_assert_ptr_nonnull(run[1]);
    check_blend(segment, run, 4, all, "95,90,70,60,50,20,10,");
    check_blend(segment, run, 0, all, "90,70,50,30,10,");
    check_blend(NULL, run + 2, 2, all, "95,60,");
    struct blend_window part = {{20, 0}, {90, 90}, INT64_MAX}; /* high is not in it */
    check_blend(segment, run, 4, part, "70,60,50,20,");
    struct blend_window early = {PLACE_LOWEST, PLACE_HIGHEST, 60};
    check_blend(segment, run, 4, early, "60,50,20,10,");
    early.max_seq = 29; /* the mark is too new, and so is what it hides */
    check_blend(segment, run, 4, early, "20,10,");
    for (size_t i = 0; i < 4; i++)
        loose_drop(run[i]);
    segment_drop(segment);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segment");
    TCase *tests = tcase_create("segment");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, segment_setup, segment_teardown);
    tcase_add_test(tests, segment_gives_back_texts_and_places_of_any_spread);
    tcase_add_test(tests, segment_holds_the_ends_of_time);
    tcase_add_test(tests, segment_is_a_fraction_of_its_text_and_says_what_it_takes);
    tcase_add_test(tests, segment_lives_until_the_last_reference);
    tcase_add_test(tests, blend_orders_late_events_and_leaves_out_erased_ones);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
