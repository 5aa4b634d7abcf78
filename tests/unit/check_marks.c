#include "contract/marks.h"

#include <stdio.h>
#include <string.h>

#include "dice.h"
#include "unit.h"

static const unsigned char key[SIPHASH_KEY_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 15};
static struct marks marks, others;

static void setup(void)
{
    marks_init(&marks);
    marks_init(&others);
}

static void teardown(void)
{
    marks_clear(&marks);
    marks_clear(&others);
}

static void add(struct marks *to, const char *text, int64_t ts)
{
    if (marks_add(to, key, text, strlen(text), ts, false) != 0)
        ck_abort_msg("out of memory");
}

static void add_folded(struct marks *to, const char *text)
{
    ck_assert_int_eq(marks_add(to, key, text, strlen(text), INT64_MIN, true), 0);
}

/* Worked out with a SipHash of another hand. Databases move between machines. */
START_TEST(marks_are_the_same_on_every_machine)
{
    add(&marks, "a", 1);
    add(&marks, "b", 2);
    add(&marks, "c", 3);
    ck_assert_uint_eq(marks.count, 3);
    ck_assert_uint_eq(marks.running[0], UINT64_C(0x2ba3e8e9a71148ca));
    ck_assert_uint_eq(marks.running[1], UINT64_C(0x1914612d0ac34312));
    ck_assert_uint_eq(marks.running[2], UINT64_C(0x300045bb375b6e31));
}
END_TEST

/* Random bodies of few different elements: the k-th marks are equal exactly when the first k
 * elements are. */
START_TEST(marks_are_equal_exactly_where_the_prefixes_are)
{
    enum { MOST = 12 };
    static const char *const texts[] = {"a", "b", "ab", ""};
    struct dice dice = dice_new();
    unsigned long same = 0, different = 0;
    for (unsigned round = 0; round < unit_rounds(20000); round++) {
        size_t body[2][MOST], count = 1 + dice_roll(&dice, MOST);
        marks_reset(&marks);
        marks_reset(&others);
        for (size_t i = 0; i < count; i++) {
            body[0][i] = dice_roll(&dice, 4);
            body[1][i] = dice_roll(&dice, 6) > 0 ? body[0][i] : dice_roll(&dice, 4);
            add(&marks, texts[body[0][i]], 0);
            add(&others, texts[body[1][i]], 1);
        }
        bool equal = true;
        for (size_t i = 0; i < count; i++) {
            equal = equal && body[0][i] == body[1][i];
            if (equal != (marks.running[i] == others.running[i]))
                ck_abort_msg("round %u, prefix of %zu", round, i + 1);
            equal ? same++ : different++;
        }
    }
    ck_assert_uint_gt(same, 0);
    ck_assert_uint_gt(different, 0);
}
END_TEST

START_TEST(marks_tell_where_one_element_ends_and_the_next_begins)
{
    add(&marks, "ab", 0);
    add(&marks, "c", 0);
    add(&others, "a", 0);
    add(&others, "bc", 0);
    ck_assert_uint_ne(marks.running[1], others.running[1]);
}
END_TEST

START_TEST(marks_of_another_key_are_others)
{
    const unsigned char other_key[SIPHASH_KEY_BYTES] = {1};
    add(&marks, "a", 0);
    add(&marks, "b", 0);
    ck_assert_int_eq(marks_add(&others, other_key, "a", 1, 0, false), 0);
    ck_assert_int_eq(marks_add(&others, other_key, "b", 1, 0, false), 0);
    ck_assert_uint_ne(marks.running[0], others.running[0]);
    ck_assert_uint_ne(marks.running[1], others.running[1]);
}
END_TEST

START_TEST(marks_give_each_element_back)
{
    static const char *const texts[] = {"one", "two", "two", "", "five"};
    add(&marks, texts[0], 0);
    add_folded(&marks, "folded");
    add_folded(&marks, "too");
    for (size_t i = 1; i < 5; i++)
        add(&marks, texts[i], 0);
    ck_assert_uint_eq(marks.count, 6);
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(marks_element(key, marks.running, i == 0 ? 0 : i + 1),
                          marks_hash(key, texts[i], strlen(texts[i])));
}
END_TEST

START_TEST(marks_of_a_folded_element_are_those_of_the_one_before)
{
    add_folded(&marks, "a");
    uint64_t alone = marks.running[0];
    add_folded(&marks, "b");
    ck_assert_uint_eq(marks.count, 1);
    ck_assert_uint_ne(marks.running[0], alone);
    add(&marks, "c", 0);
    ck_assert_uint_eq(marks.count, 2);

    /* A fold is counted in: other contents, another mark. */
    add_folded(&others, "a");
    add_folded(&others, "x");
    ck_assert_uint_ne(marks.running[0], others.running[0]);
    /* The whole is recognised all the same by who folds nothing. */
    marks_reset(&others);
    add(&others, "a", 0);
    add(&others, "b", 0);
    add(&others, "c", 0);
    ck_assert_uint_eq(marks.running[1], others.running[2]);
}
END_TEST

START_TEST(marks_of_an_element_are_not_folded_over)
{
    add(&marks, "a", 0);
    uint64_t alone = marks.running[0];
    add_folded(&marks, "b");
    ck_assert_uint_eq(marks.count, 2);
    ck_assert_uint_eq(marks.running[0], alone);
}
END_TEST

START_TEST(marks_have_nothing_to_fold_the_first_element_into)
{
    add_folded(&marks, "a");
    add(&others, "a", 0);
    ck_assert_uint_eq(marks.count, 1);
    ck_assert_uint_eq(marks.running[0], others.running[0]);
}
END_TEST

/* From the definition: one timestamp, and two equal ones. */
static bool plain_burst(const size_t *body, const int64_t *times, size_t k)
{
    bool twice = false;
    for (size_t i = 0; i < k; i++) {
        if (times[i] != times[0])
            return false;
        for (size_t j = 0; j < i; j++)
            twice = twice || body[i] == body[j];
    }
    return twice;
}

START_TEST(marks_know_for_which_prefixes_a_body_is_a_burst)
{
    enum { MOST = 300 };
    struct dice dice = dice_new();
    unsigned long bursts = 0, plain = 0;
    for (unsigned round = 0; round < unit_rounds(3000); round++) {
        size_t body[MOST], count = 1 + dice_roll(&dice, round % 30 == 0 ? MOST : 10);
        size_t kinds = 1 + dice_roll(&dice, 2 * count * count);
        size_t changes = 1 + dice_roll(&dice, 6 * count);
        int64_t times[MOST], now = (int64_t)dice_roll(&dice, 3) - 1;
        marks_reset(&marks);
        for (size_t i = 0; i < count; i++) {
            char text[24];
            now += dice_roll(&dice, changes) == 0;
            times[i] = dice_roll(&dice, changes) == 0 ? INT64_MIN : now;
            body[i] = dice_roll(&dice, kinds);
            snprintf(text, sizeof text, "%zu", body[i]);
            add(&marks, text, times[i]);
        }
        if (dice_roll(&dice, 2) == 0)
            marks_finish(&marks);
        for (size_t k = 0; k <= count + 1; k++) {
            bool burst = k >= 1 && k <= count && plain_burst(body, times, k);
            if (marks_burst(&marks, k) != burst)
                ck_abort_msg("round %u, prefix of %zu of %zu", round, k, count);
            burst ? bursts++ : plain++;
        }
    }
    ck_assert_uint_gt(bursts, 0);
    ck_assert_uint_gt(plain, 0);
}
END_TEST

START_TEST(marks_of_elements_without_a_timestamp_are_a_burst_too)
{
    add(&marks, "7", INT64_MIN);
    add(&marks, "7", INT64_MIN);
    ck_assert(marks_burst(&marks, 2));
}
END_TEST

START_TEST(marks_start_anew_after_a_reset)
{
    add(&marks, "a", 5);
    add(&marks, "a", 5);
    marks_reset(&marks);
    ck_assert_uint_eq(marks.count, 0);
    ck_assert(!marks_burst(&marks, 2));
    add(&marks, "a", 6);
    add(&others, "a", 6);
    ck_assert_uint_eq(marks.running[0], others.running[0]);
    add(&marks, "b", 6);
    ck_assert(!marks_burst(&marks, 2));
}
END_TEST

START_TEST(marks_of_nothing_can_be_finished)
{
    marks_finish(&marks);
    ck_assert_uint_eq(marks.count, 0);
    ck_assert(!marks_burst(&marks, 0));
}
END_TEST

/* The table of seen elements must not degrade: a look at each of the others would take minutes. */
START_TEST(marks_of_a_million_distinct_elements_of_one_timestamp_come_quickly)
{
    unsigned count = unit_rounds(1000000);
    for (unsigned i = 0; i < count; i++)
        if (marks_add(&marks, key, (const char *)&i, sizeof i, 7, false) != 0)
            ck_abort_msg("element %u", i);
    ck_assert(!marks_burst(&marks, count));
    marks_finish(&marks);
    ck_assert_uint_eq(marks.count, count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marks");
    TCase *tcase = tcase_create("marks");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, marks_are_the_same_on_every_machine);
    tcase_add_test(tcase, marks_give_each_element_back);
    tcase_add_test(tcase, marks_are_equal_exactly_where_the_prefixes_are);
    tcase_add_test(tcase, marks_tell_where_one_element_ends_and_the_next_begins);
    tcase_add_test(tcase, marks_of_another_key_are_others);
    tcase_add_test(tcase, marks_of_a_folded_element_are_those_of_the_one_before);
    tcase_add_test(tcase, marks_of_an_element_are_not_folded_over);
    tcase_add_test(tcase, marks_have_nothing_to_fold_the_first_element_into);
    tcase_add_test(tcase, marks_know_for_which_prefixes_a_body_is_a_burst);
    tcase_add_test(tcase, marks_of_elements_without_a_timestamp_are_a_burst_too);
    tcase_add_test(tcase, marks_start_anew_after_a_reset);
    tcase_add_test(tcase, marks_of_nothing_can_be_finished);
    tcase_add_test(tcase, marks_of_a_million_distinct_elements_of_one_timestamp_come_quickly);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
