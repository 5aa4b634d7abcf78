/* What readers get of the ring. */

#include "ring_run.h"

START_TEST(cut_skips_limits_and_goes_on_behind_a_place)
{
    struct cut cut;
    struct cut_ask ask = {
        .since = 2, .until = 9, .start = {8, 8}, .max_seq = INT64_MAX, .skip = 2, .limit = 3};
    tell_run(1, 10);
    for (int sealed = 0; sealed < 2; sealed++) {
        ck_assert_str_eq(read_ask(ask), "5,4,3");
        ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
        ck_assert_uint_eq(cut.total, 6); /* 7 … 2 */
        ck_assert_uint_eq(cut.skipped, 2);
        ck_assert_uint_eq(cut.count, 3);
        cut_clear(&cut);
        (void)seal_all(SETTLE_MS);
    }
    ask.skip = 100;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert_uint_eq(cut.count, 0);
    ck_assert_uint_eq(cut.skipped, 6);
    cut_clear(&cut);
}
END_TEST

START_TEST(cut_counts_without_taking)
{
    struct cut cut;
    struct cut_ask ask = {
        .since = 3, .until = 38, .start = PLACE_HIGHEST, .max_seq = INT64_MAX, .limit = 0};
    tell_run(1, 40);
    (void)seal_all(SETTLE_MS);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert_uint_eq(cut.total, 36);
    ck_assert_uint_eq(cut.part_count, 0);
    cut_clear(&cut);
    ask.max_seq = 20;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert_uint_eq(cut.total, 18);
    cut_clear(&cut);
}
END_TEST

static int note_event(void *arg, struct range_place place, const char *text, size_t len)
{
    struct bytes *out = arg;
    ck_assert_int_eq(bytes_append(out, text, len), 0);
    ck_assert_int_eq(bytes_append_format(out, "@%d ", (int)place.ts), 0);
    return place.ts == 2 ? 7 : 0;
}

/* Whole segments, some with what came late, and what is not compressed yet. */
START_TEST(cut_hands_out_events_one_by_one)
{
    struct cut cut;
    struct cut_ask ask = {
        .since = 2, .until = 12, .start = PLACE_HIGHEST, .max_seq = INT64_MAX, .limit = 100};
    struct bytes scratch, out;
    int status = 0;
    bytes_init(&scratch);
    bytes_init(&out);
    tell_run(1, SEGMENT * 2 + 1);
    (void)seal_all(SETTLE_MS);
    tell(4, 100);
    tell(11, 101);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    for (size_t i = 0; i < cut.part_count && status == 0; i++)
        status = cut_each(&cut, &cut.parts[i], &scratch, note_event, &out);
    ck_assert_int_eq(status, 7);
    ck_assert_int_eq(bytes_append(&out, "", 1), 0);
    ck_assert_str_eq(out.data, "101@11 9@9 8@8 7@7 6@6 5@5 100@4 4@4 3@3 2@2 ");
    cut_clear(&cut);
    bytes_clear(&scratch);
    bytes_clear(&out);
}
END_TEST

START_TEST(cut_stays_as_it_was_whatever_becomes_of_the_ring)
{
    struct cut cut;
    struct cut_ask ask = {.since = INT64_MIN,
                          .until = INT64_MAX,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = UINT64_MAX};
    tell_run(1, SEGMENT * 2 + 1);
    (void)seal_all(SETTLE_MS);
    tell(2, 100);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    tell(3, 101);
    (void)seal_all(SETTLE_MS);
    ring_erase(ring, place_of_ms(5), place_of_ms(7));
    ring_free(ring);
    ring = NULL;
    glue_document(&glue, &cut);
    ck_assert_int_eq(bytes_append(&glue.back, "", 1), 0);
    ck_assert_str_eq(glue.back.data, GLUE_HEAD "9,8,7,6,5,4,3,100,2,1" GLUE_TAIL);
    ck_assert(place_equal(glue.last, (struct range_place){1, 1}));
    cut_clear(&cut);
}
END_TEST

START_TEST(cut_of_a_window_outside_is_empty_and_says_where_to_look)
{
    struct cut cut;
    struct cut_ask ask = {
        .since = 1, .until = 2, .start = PLACE_HIGHEST, .max_seq = INT64_MAX, .limit = 9};
    make_ring(4, 1 << 20);
    fill_with_nothing();
    tell_run(1, 20);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.below && !cut.above && cut.count == 0);
    ck_assert(place_equal(cut.low, place_of_ms(3)));
    cut_clear(&cut);
    ask.since = 5; /* nothing lies between */
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(!cut.below && !cut.above && cut.count == 0);
    cut_clear(&cut);
}
END_TEST

START_TEST(cut_of_all_ends_as_soon_as_too_much_is_loose)
{
    struct cut_ask ask = {.since = INT64_MIN,
                          .until = 9999,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = UINT64_MAX,
                          .whole_loose = 1};
    struct cut cut;
    tell_run(1, SEGMENT * 20);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert_uint_gt(cut.loose_bytes, 1);
    ck_assert_uint_le(cut.loose_count, 2 * SEGMENT);
    cut_clear(&cut);
    ask.whole_loose = UINT64_MAX;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert_uint_eq(cut.count, SEGMENT * 20);
    cut_clear(&cut);
    /* Of what it does not hold all, nothing. */
    ask.until = 10000;
    tell(10000, 1000);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.above);
    ck_assert_uint_eq(cut.part_count, 0);
    cut_clear(&cut);
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {cut_skips_limits_and_goes_on_behind_a_place,
                                  cut_counts_without_taking,
                                  cut_hands_out_events_one_by_one,
                                  cut_stays_as_it_was_whatever_becomes_of_the_ring,
                                  cut_of_a_window_outside_is_empty_and_says_where_to_look,
                                  cut_of_all_ends_as_soon_as_too_much_is_loose,
                                  NULL};
    return ring_main("ring_cut", cases);
}
