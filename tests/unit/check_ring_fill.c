/* How the ring is filled from the database. */

#include "ring_run.h"

START_TEST(ring_is_filled_downwards_in_slices)
{
    make_ring(1000, 1 << 20);
    tell(12, 12);
    ck_assert_str_eq(read_all(), "");
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    tell(13, 13); /* told while the fill is read, and part of its snapshot */
    tell(3, 14);  /* as well, but deeper than the slice */
    fill_snapshot(fill, 14, (struct range_place){13, 13});
    tell(8, 15); /* not part of it */
    tell(2, 16);
    add_run(fill, 13, 7);
    ck_assert_int_eq(fill_end(fill, glue.pieces, (struct range_place){7, 7}), 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
    ck_assert_str_eq(read_all(), "13,12,11,10,9,15,8,7");
    fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    ck_assert(place_equal(fill_high(fill), (struct range_place){7, 7}));
    fill_snapshot(fill, 16, (struct range_place){13, 13});
    add_run(fill, 6, 1);
    ck_assert_uint_eq(fill_count(fill), 6);
    ck_assert_int_eq(fill_end(fill, glue.pieces, PLACE_LOWEST), 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
    ck_assert_str_eq(read_all(), "13,12,11,10,9,15,8,7,6,5,4,3,2,1");
    ck_assert(place_equal(survey().floor, PLACE_LOWEST));
    ck_assert_ptr_null(fill_down(ring)); /* there is nothing below */
}
END_TEST

static struct fill *fill_of_three(void)
{
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    fill_snapshot(fill, 500, (struct range_place){20000, 500});
    add_run(fill, 3, 1);
    ck_assert_int_eq(fill_end(fill, glue.pieces, PLACE_LOWEST), 0);
    return fill;
}

START_TEST(ring_that_was_filled_knows_what_its_snapshot_held)
{
    make_ring(1000, 1 << 20);
    struct fill *fill = fill_of_three();
    ring_told(ring, 499, 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_VOID); /* event 500 is nobody's */
    fill = fill_of_three();
    ring_told(ring, 500, 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
    ck_assert_int_eq(ring_last_seq(ring), 500);
    struct cut cut;
    struct cut_ask ask = {
        .since = 0, .until = INT64_MAX, .start = PLACE_HIGHEST, .max_seq = 500, .limit = 1};
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.above); /* event 500 */
    cut_clear(&cut);
}
END_TEST

START_TEST(ring_raises_its_ceiling_once_what_lies_between_is_filled_in)
{
    tell(9999, 1);
    tell(10005, 2);
    struct fill *fill = fill_up(ring, 10010);
    ck_assert_ptr_nonnull(fill);
    ck_assert(place_equal(fill_low(fill), place_of_ms(10000)));
    ck_assert(place_equal(fill_high(fill), place_of_ms(10010)));
    fill_snapshot(fill, 2, (struct range_place){10005, 2});
    tell(10006, 3);
    tell(10010, 4);
    ck_assert_int_eq(fill_add(fill, glue.pieces, (struct range_place){10005, 2}, "2", 1), 0);
    ck_assert_int_eq(fill_end(fill, glue.pieces, fill_low(fill)), 0);
    ck_assert_str_eq(read_all(), "1");
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
    ck_assert_str_eq(read_all(), "3,2,1");
    tell(10009, 5);
    ck_assert_str_eq(read_all(), "5,3,2,1");
    ck_assert_ptr_null(fill_up(ring, 10010));
}
END_TEST

START_TEST(fill_is_void_when_something_was_erased_or_the_edge_has_moved)
{
    make_ring(8, 1 << 20);
    fill_with_nothing();
    tell_run(20, 33); /* 20 … 23 are dropped, at least */
    for (int how = 0; how < 3; how++) {
        struct fill *fill = fill_down(ring);
        ck_assert_ptr_nonnull(fill);
        fill_snapshot(fill, 33, (struct range_place){33, 33});
        add_run(fill, 19, 18);
        ck_assert_int_eq(fill_end(fill, glue.pieces, (struct range_place){18, 18}), 0);
        ck_assert(!fill_void(fill));
        /* What lies below it is not its business. */
        ring_erase(ring, place_of_ms(1), place_of_ms(18));
        ck_assert(!fill_void(fill));
        if (how == 0)
            ring_erase(ring, place_of_ms(1), place_of_ms(19));
        else if (how == 1)
            tell_run(34, 60);
        else
            ring_clear(ring, 10000);
        ck_assert(fill_void(fill));
        ck_assert_int_eq(fill_publish(fill, 0), FILL_VOID);
    }
}
END_TEST

START_TEST(ring_that_is_opened_keeps_what_comes_and_voids_fills_below)
{
    const struct range_place newest = {9000, 7}, top = {20000, 3};
    make_ring(1000, 1 << 20);
    struct fill *fill = fill_of_three();
    ring_told(ring, 500, 500);
    ring_open(ring, place_above(newest), top);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_VOID);
    tell(8999, 501); /* below it */
    tell(9000, 502);
    tell(9500, 503);
    ck_assert_str_eq(read_ask((struct cut_ask){.since = 9000, .until = 9999}), "503,502");
    struct cut cut;
    struct cut_ask ask = {.since = INT64_MIN,
                          .until = INT64_MAX,
                          .start = PLACE_HIGHEST,
                          .max_seq = INT64_MAX,
                          .limit = 1};
    ck_assert_int_eq(ring_cut(ring, &ask, &cut), 0);
    ck_assert(cut.all && cut.above && cut.below);
    ck_assert_uint_eq(cut.total, 2);
    ck_assert(place_equal(cut.low, place_above(newest)));
    cut_clear(&cut);
}
END_TEST

START_TEST(ring_is_filled_with_segments_of_the_size_wanted)
{
    make_ring(1000, 1 << 20);
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    fill_snapshot(fill, 5 * SEGMENT, (struct range_place){5 * SEGMENT, 5 * SEGMENT});
    add_run(fill, 5 * SEGMENT, 1);
    ck_assert_int_eq(fill_end(fill, glue.pieces, PLACE_LOWEST), 0);
    ring_told(ring, 5 * SEGMENT, 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_DONE);
    ck_assert_uint_eq(survey().segments, 5);
}
END_TEST

START_TEST(fill_says_when_the_ring_is_full)
{
    make_ring(8, 1 << 20);
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    fill_snapshot(fill, 30, (struct range_place){30, 30});
    add_run(fill, 30, 1);
    ck_assert_int_eq(fill_end(fill, glue.pieces, PLACE_LOWEST), 0);
    ring_told(ring, 30, 0);
    ck_assert_int_eq(fill_publish(fill, 0), FILL_FULL);
    ck_assert_uint_ge(survey().events, 8);
    ck_assert_uint_lt(survey().events, 8 + SEGMENT);
    ck_assert_str_eq(read_ask((struct cut_ask){.since = 28, .until = INT64_MAX}), "30,29,28");
}
END_TEST

START_TEST(fill_is_void_when_too_much_was_told_meanwhile)
{
    static char text[3000];
    memset(text, 'x', sizeof text);
    make_ring(1000, 20000);
    struct fill *fill = fill_down(ring);
    ck_assert_ptr_nonnull(fill);
    fill_snapshot(fill, 0, PLACE_LOWEST);
    struct batch_event event = {.ts = 1, .seq = 1, .text = text, .text_len = sizeof text};
    ring_tell(ring, &event, 1, 0);
    ring_told(ring, 0, 0);
    ck_assert(fill_void(fill));
    fill_free(fill);
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {ring_is_filled_downwards_in_slices,
                                  ring_that_was_filled_knows_what_its_snapshot_held,
                                  ring_raises_its_ceiling_once_what_lies_between_is_filled_in,
                                  fill_is_void_when_something_was_erased_or_the_edge_has_moved,
                                  ring_that_is_opened_keeps_what_comes_and_voids_fills_below,
                                  ring_is_filled_with_segments_of_the_size_wanted,
                                  fill_says_when_the_ring_is_full,
                                  fill_is_void_when_too_much_was_told_meanwhile,
                                  NULL};
    return ring_main("ring_fill", cases);
}
