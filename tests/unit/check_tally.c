#include "dice.h"
#include "store/tally.h"
#include "unit.h"

START_TEST(step_floors_towards_the_past)
{
    ck_assert_int_eq(step_floor(STEP_SECOND, 0), 0);
    ck_assert_int_eq(step_floor(STEP_SECOND, 999), 0);
    ck_assert_int_eq(step_floor(STEP_SECOND, -1), -1000);
    ck_assert_int_eq(step_floor(STEP_SECOND, -1000), -1000);
    ck_assert_int_eq(step_floor(STEP_DAY, -1), -86400000);
    ck_assert_int_eq(step_ceil(STEP_SECOND, 1), 1000);
    ck_assert_int_eq(step_ceil(STEP_SECOND, 1000), 1000);
    ck_assert_int_eq(step_ceil(STEP_SECOND, -1), 0);
    ck_assert_int_eq(step_clamp(INT64_MIN), STEP_FIRST_MS);
    ck_assert_int_eq(step_clamp(INT64_MAX), STEP_LAST_MS);
    ck_assert_int_eq(step_clamp(-5), -5);
}
END_TEST

/* How many steps a window touches, counted one by one. */
static int64_t touched(enum step step, int64_t since, int64_t until)
{
    int64_t count = 0;
    for (int64_t at = step_floor(step, since); at <= until; at += step_ms[step])
        count++;
    return count;
}

START_TEST(step_counts_what_a_window_touches)
{
    struct dice dice = dice_new();
    for (int round = 0; round < 2000; round++) {
        enum step step = dice_roll(&dice, STEP_COUNT);
        int64_t span = step_ms[step] * 12;
        int64_t since = (int64_t)dice_roll(&dice, (size_t)span) - span / 2;
        int64_t until = since + (int64_t)dice_roll(&dice, (size_t)span);
        if (dice_roll(&dice, 4) == 0)
            since = step_floor(step, since);
        if (dice_roll(&dice, 4) == 0)
            until = step_ceil(step, until) - 1;
        if (until >= since)
            ck_assert_int_eq(step_count(step, since, until), touched(step, since, until));
    }
    ck_assert_int_eq(step_count(STEP_SECOND, -1, 0), 2);
    ck_assert_int_eq(step_count(STEP_SECOND, 5, 5), 1);
    ck_assert_int_eq(step_count(STEP_DAY, 5, 4), 0);
    ck_assert_int_gt(step_count(STEP_SECOND, STEP_FIRST_MS, STEP_LAST_MS), 799999999);
}
END_TEST

START_TEST(step_finest_is_the_finest_that_is_few)
{
    ck_assert_int_eq(step_finest(0, 999999, 1000), STEP_SECOND);
    ck_assert_int_eq(step_finest(0, 1000000, 1000), STEP_MINUTE);
    ck_assert_int_eq(step_finest(-1, 999999, 1000), STEP_MINUTE);
    ck_assert_int_eq(step_finest(0, 1000 * 60000 - 1, 1000), STEP_MINUTE);
    ck_assert_int_eq(step_finest(0, 1000 * 60000, 1000), STEP_HOUR);
    ck_assert_int_eq(step_finest(0, 1000 * step_ms[STEP_HOUR], 1000), STEP_DAY);
    ck_assert_int_eq(step_finest(STEP_FIRST_MS, STEP_LAST_MS, 1000), STEP_DAY);
    ck_assert_int_eq(step_finest(1, 0, 1000), STEP_SECOND);
}
END_TEST

/* What a fold must give: distinct ascending steps whose counts add up to those of a plain count. */
START_TEST(tally_folds_to_what_a_plain_count_gives)
{
    enum { EVENTS = 2000 };
    static int64_t times[EVENTS];
    struct dice dice = dice_new();
    struct tally tally;
    tally_init(&tally);
    for (int round = 0; round < 5; round++) {
        tally_reset(&tally);
        for (int i = 0; i < EVENTS; i++) {
            times[i] = (int64_t)dice_roll(&dice, 400000000) - 200000000;
            ck_assert_int_eq(tally_add(&tally, times[i]), 0);
        }
        for (int step = 0; step < STEP_COUNT; step++) {
            int64_t sum = 0;
            tally_fold(&tally, step);
            for (size_t n = 0; n < tally.count; n++) {
                int64_t plain = 0;
                for (int i = 0; i < EVENTS; i++)
                    plain += step_floor(step, times[i]) == tally.steps[n].at;
                ck_assert_int_eq(tally.steps[n].events, plain);
                ck_assert(n == 0 || tally.steps[n - 1].at < tally.steps[n].at);
                sum += plain;
            }
            ck_assert_int_eq(sum, EVENTS);
        }
    }
    tally_clear(&tally);
}
END_TEST

START_TEST(tally_of_nothing_is_empty)
{
    struct tally tally;
    tally_init(&tally);
    tally_fold(&tally, STEP_SECOND);
    tally_fold(&tally, STEP_DAY);
    ck_assert_uint_eq(tally.count, 0);
    tally_clear(&tally);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = tcase_create("tally");
    tcase_add_test(tcase, step_floors_towards_the_past);
    tcase_add_test(tcase, step_counts_what_a_window_touches);
    tcase_add_test(tcase, step_finest_is_the_finest_that_is_few);
    tcase_add_test(tcase, tally_folds_to_what_a_plain_count_gives);
    tcase_add_test(tcase, tally_of_nothing_is_empty);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
