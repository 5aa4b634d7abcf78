/* The ring, case by case: what it holds and erases. check_ring_model.c plays all of it together. */

#include "ring_run.h"

START_TEST(ring_orders_by_time_and_then_by_what_was_stored_last)
{
    tell(50, 1);
    tell(40, 2);
    tell(50, 3);
    tell(60, 4);
    tell(45, 5);
    tell(50, 6);
    ck_assert_str_eq(read_all(), "4,6,3,1,5,2");
    ck_assert_int_eq(ring_last_seq(ring), 6);
    ck_assert_uint_eq(survey().events, 6);
}
END_TEST

START_TEST(ring_passes_over_what_was_not_stored)
{
    struct batch_event events[3] = {{.ts = 5, .seq = 1, .text = "1", .text_len = 1},
                                    {.ts = 6, .seq = 0, .text = "x", .text_len = 1},
                                    {.ts = 7, .seq = 2, .text = "2", .text_len = 1}};
    ring_tell(ring, events, 3, 0);
    ring_told(ring, 0, 0);
    ck_assert_str_eq(read_all(), "2,1");
}
END_TEST

START_TEST(ring_leaves_events_beyond_the_ceiling_to_the_database)
{
    struct cut_ask ask = {.since = INT64_MIN,
                          .until = INT64_MAX,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = 10};
    struct cut cut;
    tell(9999, 1);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(!cut.above && !cut.below);
    cut_clear(&cut);
    tell(10000, 2);
    ck_assert_str_eq(read_all(), "1");
    ck_assert_int_eq(ring_last_seq(ring), 2);
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.above && !cut.below);
    ck_assert(place_equal(cut.high, place_of_ms(10000)));
    cut_clear(&cut);
    ask.until = 9999;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(!cut.above);
    cut_clear(&cut);
}
END_TEST

START_TEST(ring_drops_oldest_first_and_says_how_far_down_it_reaches)
{
    struct cut_ask ask = {.since = 1,
                          .until = INT64_MAX,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = UINT64_MAX};
    struct cut cut;
    make_ring(8, 1 << 20);
    fill_with_nothing();
    tell_run(1, 12);
    ck_assert_str_eq(read_all(), "12,11,10,9,8,7,6,5");
    ck_assert(place_equal(survey().floor, (struct range_place){4, 5}));
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.below && place_equal(cut.low, survey().floor));
    cut_clear(&cut);
    ask.since = 5;
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(!cut.below && place_equal(cut.low, place_of_ms(5)));
    cut_clear(&cut);
    tell(3, 13); /* below the floor */
    tell(4, 14); /* above it, but now the oldest */
    ck_assert_str_eq(read_all(), "12,11,10,9,8,7,6,5");
    ck_assert(place_equal(survey().floor, (struct range_place){4, 15}));
    tell(5, 15);
    ck_assert_str_eq(read_all(), "12,11,10,9,8,7,6,15,5");
    ck_assert_int_eq(ring_last_seq(ring), 15);
}
END_TEST

START_TEST(ring_is_bounded_in_bytes)
{
    static char text[3000];
    memset(text, 'x', sizeof text);
    make_ring(1000, 20000);
    fill_with_nothing();
    for (int64_t seq = 1; seq <= 50; seq++) {
        struct batch_event event = {
            .ts = seq, .seq = seq, .text = text, .text_len = (size_t)(seq * 60)};
        ring_tell(ring, &event, 1, 0);
        ring_told(ring, 0, 0);
        ck_assert_uint_le(survey().bytes, 20000);
    }
    ck_assert_uint_ge(survey().events, 2);
    ck_assert_int_gt(survey().floor.ts, 40 - SEGMENT);
}
END_TEST

START_TEST(ring_drops_everything_rather_than_break_its_bound)
{
    static char text[30000];
    memset(text, 'x', sizeof text);
    struct batch_event event = {.ts = 3, .seq = 3, .text = text, .text_len = sizeof text};
    make_ring(1000, 20000);
    fill_with_nothing();
    tell_run(1, 2);
    ring_tell(ring, &event, 1, 0);
    ring_told(ring, 0, 0);
    ck_assert_uint_eq(survey().events, 0);
    ck_assert(place_equal(survey().floor, (struct range_place){3, 4}));
    tell(4, 4);
    ck_assert_str_eq(read_all(), "4");
}
END_TEST

START_TEST(ring_erases_from_segments_and_loose_events_alike)
{
    static const struct range_place places[] = {{2, 2}, {6, 100}, {9, 9}, {77, 77}};
    tell_run(1, SEGMENT * 2 + 1);
    ck_assert_int_eq(seal_all(SETTLE_MS), 2);
    tell(6, 100);
    ring_erase_places(ring, places, 4);
    ck_assert_str_eq(read_all(), "8,7,6,5,4,3,1");
    ck_assert_uint_eq(survey().events, 7);
    (void)seal_all(SETTLE_MS);
    ck_assert_uint_eq(survey().loose_events, 0);
    ck_assert_str_eq(read_all(), "8,7,6,5,4,3,1");
    ring_erase(ring, place_of_ms(4), place_of_ms(8));
    ck_assert_str_eq(read_all(), "8,3,1");
    ring_erase(ring, PLACE_LOWEST, PLACE_HIGHEST);
    ck_assert_str_eq(read_all(), "");
    /* It still holds all there is. */
    ck_assert(place_equal(survey().floor, PLACE_LOWEST));
    tell(5, 200);
    ck_assert_str_eq(read_all(), "200");
}
END_TEST

/* However late and in whatever order events come, none of what is sealed gets larger than two
 * segments. */
START_TEST(ring_divides_what_grows_in_its_middle)
{
    tell(1, 1);
    tell(300, 2);
    for (int64_t ts = 299; ts > 1; ts--)
        tell(ts, 302 - ts);
    ck_assert_int_ge(seal_all(INT64_MAX / 2), 300 / (2 * SEGMENT));
    ck_assert_uint_eq(survey().events, 300);
}
END_TEST

START_TEST(ring_forgets_everything_when_told_so)
{
    tell_run(1, 6);
    ring_clear(ring, 10000);
    ck_assert_uint_eq(survey().events, 0);
    ck_assert(place_equal(survey().floor, survey().ceiling));
    tell(7, 7);
    ck_assert_str_eq(read_all(), "");
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {ring_orders_by_time_and_then_by_what_was_stored_last,
                                  ring_passes_over_what_was_not_stored,
                                  ring_leaves_events_beyond_the_ceiling_to_the_database,
                                  ring_drops_oldest_first_and_says_how_far_down_it_reaches,
                                  ring_is_bounded_in_bytes,
                                  ring_drops_everything_rather_than_break_its_bound,
                                  ring_erases_from_segments_and_loose_events_alike,
                                  ring_divides_what_grows_in_its_middle,
                                  ring_forgets_everything_when_told_so,
                                  NULL};
    return ring_main("ring", cases);
}
