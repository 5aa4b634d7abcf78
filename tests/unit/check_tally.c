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
    tcase_add_test(tcase, tally_folds_to_what_a_plain_count_gives);
    tcase_add_test(tcase, tally_of_nothing_is_empty);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
