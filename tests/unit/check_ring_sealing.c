/* What of the ring is sealed, and when. */

#include "ring_run.h"

START_TEST(ring_seals_what_is_full_and_has_waited)
{
    int64_t wait_ms;
    tell_run(1, SEGMENT * 2 + 1);
    ck_assert_int_eq(seal_all(SETTLE_MS - 1), 0);
    ck_assert_ptr_null(sealing_take(ring, SETTLE_MS - 30, &wait_ms));
    ck_assert_int_eq(wait_ms, 30);
    ck_assert_int_eq(seal_all(SETTLE_MS), 2);
    ck_assert_uint_eq(survey().segments, 2);
    ck_assert_uint_eq(survey().loose_events, 1);
    ck_assert_str_eq(read_all(), "9,8,7,6,5,4,3,2,1");
    ck_assert_uint_eq(glue.whole, 2);
    /* The newest is not full: it waits, however long. */
    ck_assert_ptr_null(sealing_take(ring, 100 * SETTLE_MS, &wait_ms));
    ck_assert_int_eq(wait_ms, -1);
}
END_TEST

START_TEST(ring_seals_at_once_what_was_read)
{
    tell_run(1, SEGMENT * 3 + 2);
    wakes = 0;
    ck_assert_str_eq(read_ask((struct cut_ask){.since = SEGMENT + 1, .until = SEGMENT * 2}),
                     "8,7,6,5");
    ck_assert_int_eq(wakes, 1);
    ck_assert_int_eq(seal_all(0), 1);
    ck_assert_str_eq(read_ask((struct cut_ask){.since = SEGMENT, .until = SEGMENT * 2}),
                     "8,7,6,5,4");
    ck_assert_uint_eq(glue.whole, 1);
}
END_TEST

START_TEST(ring_keeps_late_events_above_a_segment_until_it_is_sealed_anew)
{
    tell_run(1, SEGMENT * 2);
    ck_assert_int_eq(seal_all(SETTLE_MS), 2);
    tell(2, 100);
    tell(6, 101);
    ck_assert_str_eq(read_all(), "8,7,101,6,5,4,3,100,2,1");
    ck_assert_uint_eq(survey().loose_events, 2);
    ck_assert_int_eq(seal_all(0), 2);
    ck_assert_uint_eq(survey().loose_events, 0);
    ck_assert_str_eq(read_all(), "8,7,101,6,5,4,3,100,2,1");
    /* Readers of before see what was there before. */
    ck_assert_str_eq(
        read_ask((struct cut_ask){.since = INT64_MIN, .until = INT64_MAX, .max_seq = 100}),
        "8,7,6,5,4,3,100,2,1");
}
END_TEST

START_TEST(ring_lets_go_of_a_segment_that_too_many_late_events_have_come_to)
{
    make_ring(100000, 64 << 20);
    fill_with_nothing();
    tell_run(1, SEGMENT * 3);
    ck_assert_int_eq(seal_all(SETTLE_MS), 3);
    for (int64_t i = 0; i < 8192; i++)
        tell(SEGMENT + 2, 100 + i);
    ck_assert_uint_eq(survey().events, SEGMENT * 3 + 8192);
    tell(SEGMENT + 2, 99); /* out of order, where all above it would have to be moved */
    ck_assert_str_eq(read_all(), "12,11,10,9");
    ck_assert(!place_before(survey().floor, (struct range_place){SEGMENT * 2, SEGMENT * 2}));
    tell(SEGMENT * 3, 99999);
    ck_assert_str_eq(read_all(), "99999,12,11,10,9");
}
END_TEST

START_TEST(ring_divides_a_segment_that_many_late_events_have_come_to)
{
    tell_run(1, SEGMENT * 2);
    ck_assert_int_eq(seal_all(SETTLE_MS), 2);
    for (int64_t i = 0; i < 10; i++)
        tell(2, 100 + i);
    ck_assert_int_eq(seal_all(SETTLE_MS), 1);
    ck_assert_uint_eq(survey().segments, 5); /* 14 events in 4, and the other one */
    ck_assert_str_eq(read_all(), "8,7,6,5,4,3,109,108,107,106,105,104,103,102,101,100,2,1");
}
END_TEST

START_TEST(ring_keeps_what_comes_while_it_seals)
{
    int64_t wait_ms;
    tell_run(1, SEGMENT * 2);
    struct sealing *sealing = sealing_take(ring, SETTLE_MS, &wait_ms);
    ck_assert_ptr_nonnull(sealing);
    tell(2, 100);
    ck_assert_int_eq(sealing_work(ring, sealing, &sealer), 0);
    tell(3, 101);
    ck_assert(sealing_give(ring, sealing, SETTLE_MS));
    ck_assert_str_eq(read_all(), "8,7,6,5,4,101,3,100,2,1");
}
END_TEST

START_TEST(ring_throws_a_sealing_away_that_an_erasure_has_overtaken)
{
    int64_t wait_ms;
    tell_run(1, SEGMENT * 2);
    struct sealing *sealing = sealing_take(ring, SETTLE_MS, &wait_ms);
    ck_assert_ptr_nonnull(sealing);
    ck_assert_int_eq(sealing_work(ring, sealing, &sealer), 0);
    ring_erase(ring, place_of_ms(2), place_of_ms(3));
    ck_assert(!sealing_give(ring, sealing, SETTLE_MS));
    ck_assert_str_eq(read_all(), "8,7,6,5,4,3,1");
    ck_assert_int_eq(seal_all(2 * SETTLE_MS), 2);
    /* Nor does one whose slot has gone altogether do harm. */
    tell(2, 100);
    (void)read_all();
    sealing = sealing_take(ring, SETTLE_MS, &wait_ms);
    ck_assert_ptr_nonnull(sealing);
    ck_assert_int_eq(sealing_work(ring, sealing, &sealer), 0);
    ring_clear(ring, 10000);
    ck_assert(!sealing_give(ring, sealing, SETTLE_MS));
    ck_assert_uint_eq(survey().events, 0);
}
END_TEST

START_TEST(ring_seals_without_waiting_when_much_is_loose)
{
    static char text[1000];
    memset(text, 'x', sizeof text);
    make_ring(1000, 1 << 17);
    fill_with_nothing();
    for (int64_t seq = 1; seq <= 30; seq++) {
        struct batch_event event = {.ts = seq, .seq = seq, .text = text, .text_len = sizeof text};
        ring_tell(ring, &event, 1, 0);
        ring_told(ring, 0, 0);
    }
    ck_assert_int_ge(seal_all(0), 3);
    ck_assert_uint_eq(survey().events, 30);
}
END_TEST

/* Two large events that came late lie in slots of their own with a small one each. The one behind
 * the large one is not sealed with it. */
START_TEST(sealing_does_not_fill_up_a_segment_that_is_large_already)
{
    static char text[SEGMENT_BYTES];
    memset(text, '7', sizeof text);
    make_ring(1000, 16 << 20);
    fill_with_nothing();
    tell(1, 1);
    tell(10, 2);
    for (int64_t seq = 3; seq <= 4; seq++) {
        struct batch_event event = {
            .ts = 2 + seq, .seq = seq, .text = text, .text_len = sizeof text};
        ring_tell(ring, &event, 1, 0);
    }
    ring_told(ring, 0, 0);
    (void)seal_all(INT64_MAX / 2);
    ck_assert_uint_eq(survey().events, 4);
    ck_assert_uint_eq(survey().loose_events, 0);
    ck_assert_uint_eq(survey().segments, 3);
}
END_TEST

int main(void)
{
    const TTest *const cases[] = {ring_seals_what_is_full_and_has_waited,
                                  ring_seals_at_once_what_was_read,
                                  ring_keeps_late_events_above_a_segment_until_it_is_sealed_anew,
                                  ring_lets_go_of_a_segment_that_too_many_late_events_have_come_to,
                                  ring_divides_a_segment_that_many_late_events_have_come_to,
                                  ring_keeps_what_comes_while_it_seals,
                                  ring_throws_a_sealing_away_that_an_erasure_has_overtaken,
                                  ring_seals_without_waiting_when_much_is_loose,
                                  sealing_does_not_fill_up_a_segment_that_is_large_already,
                                  NULL};
    return ring_main("ring_sealing", cases);
}
