#include "base/wary.h"

#include "unit.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define NOW INT64_C(1795233600000)

/* From NOW at 0 of the monotonic clock on: at that time of the monotonic clock, so far ahead of its
 * place is the wall clock; and so far is what it is held to be. A name begins a new story. */
static const struct {
    const char *story;
    int64_t mono_ms, ahead_ms, held_ms;
    bool doubts;
} steps[] = {
    {"time goes by", 10 * SECOND, 0, 0, false},
    {NULL, 400 * DAY, 0, 0, false},
    {"a clock that is corrected", SECOND, HOUR, HOUR, false},
    {NULL, 2 * SECOND, 2 * HOUR, 2 * HOUR, false},
    {NULL, 3 * SECOND, -5 * YEAR, -5 * YEAR, false},
    {"a jump, and back", SECOND, 10 * YEAR, 0, true},
    {NULL, 23 * HOUR, 10 * YEAR, 0, true},
    {NULL, 23 * HOUR + SECOND, 0, 0, false},
    {NULL, 23 * HOUR + 2 * SECOND, 10 * YEAR, 0, true},
    {NULL, 40 * HOUR, 10 * YEAR, 0, true},
    {"a jump that lasts", SECOND, 2 * HOUR, 0, true},
    {NULL, DAY, 2 * HOUR, 0, true},
    {NULL, DAY + SECOND, 2 * HOUR, 2 * HOUR, false},
    {NULL, DAY + 2 * SECOND, 2 * HOUR, 2 * HOUR, false},
    {"a jump, and back too far", SECOND, YEAR, 0, true},
    {NULL, 2 * SECOND, -YEAR, -YEAR, false},
    {NULL, 3 * SECOND, 0, -YEAR, true},
    {"a clock before 1970 that is set right", SECOND, -60 * YEAR, -60 * YEAR, false},
    {NULL, 2 * SECOND, 0, -60 * YEAR, true},
    {NULL, DAY + 2 * SECOND, 0, 0, false},
};

START_TEST(wary_believes_no_clock_that_jumps_ahead_for_a_day)
{
    struct wary wary;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].story != NULL)
            wary_begin(&wary, WARY_UNKNOWN, NOW, 0);
        int64_t mono_ms = steps[i].mono_ms;
        int64_t held_ms =
            wary_now(&wary, NOW + mono_ms + steps[i].ahead_ms, mono_ms, WARY_SLACK_MS);
        ck_assert_msg(held_ms == NOW + mono_ms + steps[i].held_ms, "row %zu", i);
        ck_assert_msg(wary.doubts == steps[i].doubts, "row %zu", i);
    }
}
END_TEST

START_TEST(wary_keeps_to_the_slack_that_is_given)
{
    struct wary wary;
    wary_begin(&wary, WARY_UNKNOWN, NOW, 0);
    ck_assert_int_eq(wary_now(&wary, NOW + 10 * SECOND, 0, 10 * SECOND), NOW + 10 * SECOND);
    ck_assert_int_eq(wary_now(&wary, NOW + 20 * SECOND + 1, 0, 10 * SECOND), NOW + 10 * SECOND);
}
END_TEST

START_TEST(wary_goes_on_from_what_was_known_before_the_start)
{
    struct wary wary;
    wary_begin(&wary, NOW, NOW + WARY_OFF_MS, 5);
    ck_assert_int_eq(wary_now(&wary, NOW + WARY_OFF_MS, 5, WARY_SLACK_MS), NOW + WARY_OFF_MS);
    wary_begin(&wary, NOW, NOW + WARY_OFF_MS + 1, 5);
    ck_assert_int_eq(wary_now(&wary, NOW + WARY_OFF_MS + 8, 12, WARY_SLACK_MS), NOW + 7);
    ck_assert_int_eq(wary_now(&wary, NOW + YEAR, 5 + DAY, WARY_SLACK_MS), NOW + YEAR);
    /* The daemon was here last while its clock was ahead. */
    wary_begin(&wary, NOW + YEAR, NOW, 5);
    ck_assert_int_eq(wary_now(&wary, NOW, 5, WARY_SLACK_MS), NOW);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wary");
    TCase *tests = tcase_create("wary");
    tcase_add_test(tests, wary_believes_no_clock_that_jumps_ahead_for_a_day);
    tcase_add_test(tests, wary_keeps_to_the_slack_that_is_given);
    tcase_add_test(tests, wary_goes_on_from_what_was_known_before_the_start);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
