/* Receipts that a database keeps for several nodes: each transaction has what it needs put in. */

#include "engine/receipts.h"

#include <stdio.h>

#include "receipts_bodies.h"

#define ROOM (16 << 20)
#define NOW INT64_C(1795233600000)

static struct receipts *receipts;
static struct bytes row, losses;

static void setup(void)
{
    receipts = receipts_new(ROOM);
    ck_assert_ptr_nonnull(receipts);
    bytes_init(&row);
    bytes_init(&losses);
}

static void teardown(void)
{
    receipts_free(receipts);
    bytes_clear(&row);
    bytes_clear(&losses);
}

static struct receipts_verdict take(const char *body, bool lost)
{
    struct receipts_verdict verdict;
    struct marks marks;
    body_marks(&marks, body);
    int status = receipts_take(receipts, &marks, lost, NOW, &verdict);
    marks_clear(&marks);
    ck_assert_int_eq(status, 0);
    return verdict;
}

/* The row of one body, as another node stores it. */
static void make_row(const char *body)
{
    row.len = 0;
    receipts_reset(receipts, 1);
    (void)take(body, false);
    ck_assert_int_eq(receipts_row(receipts, &row), 0);
}

/* A transaction begins, in which the stored receipt of that body is put in. */
static void begin_with(const char *body, uint64_t serial, unsigned lost)
{
    make_row(body);
    receipts_reset(receipts, 5000);
    ck_assert_int_eq(receipts_put(receipts, serial, NOW, lost, row.data, row.len), 0);
}

/* What taking has changed, as text. */
static const char *changes(void)
{
    static char text[200];
    losses.len = 0;
    ck_assert_int_eq(receipts_losses(receipts, &losses), 0);
    const struct store_loss *loss = (const struct store_loss *)(const void *)losses.data;
    int len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < losses.len / sizeof *loss; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%llu%+d ",
                        (unsigned long long)loss[i].serial, loss[i].change);
    return text;
}

START_TEST(receipts_that_are_taken_have_numbers_from_the_given_one_on)
{
    receipts_reset(receipts, 5000);
    ck_assert_uint_eq(take("aa", false).serial, 5000);
    ck_assert_uint_eq(take("an", false).serial, 0); /* no burst */
    ck_assert_uint_eq(take("bb", false).serial, 5002);
    ck_assert_uint_eq(receipts_taken(receipts), 3);
    receipts_reset(receipts, 7000);
    ck_assert_uint_eq(receipts_taken(receipts), 0);
    ck_assert_uint_eq(take("aa", false).serial, 7000);
    ck_assert_str_eq(changes(), "");
}
END_TEST

START_TEST(receipts_that_are_put_in_are_found)
{
    begin_with("an", 17, 0);
    ck_assert_uint_eq(take("ano", false).known, 2);
    ck_assert_uint_eq(take("bn", false).known, 0);
    ck_assert_uint_eq(receipts_taken(receipts), 2);
    ck_assert_str_eq(changes(), "");
}
END_TEST

START_TEST(receipts_judge_a_burst_by_the_losses_it_is_put_in_with)
{
    begin_with("aa", 17, 0);
    struct receipts_verdict verdict = take("aa", false);
    ck_assert_uint_eq(verdict.known, 0);
    ck_assert_uint_eq(verdict.serial, 17); /* it stands for both */
    ck_assert_uint_eq(receipts_taken(receipts), 0);
    begin_with("aa", 17, 2);
    ck_assert_uint_eq(take("aa", false).known, 2);
    ck_assert_uint_eq(take("aa", false).known, 2);
    ck_assert_uint_eq(take("aa", false).known, 0);
    ck_assert_str_eq(changes(), "17-1 17-1 ");
}
END_TEST

START_TEST(receipts_tell_a_loss_of_what_they_have_just_taken)
{
    begin_with("aa", 17, 0);
    (void)take("bb", true);
    ck_assert_str_eq(changes(), "5000+1 ");
    (void)take("aa", true);
    ck_assert_str_eq(changes(), "17+1 5000+1 ");
}
END_TEST

START_TEST(receipts_forget_all_that_was_put_in)
{
    begin_with("an", 17, 0);
    (void)take("aa", true);
    receipts_reset(receipts, 5001);
    ck_assert_uint_eq(take("an", false).known, 0);
    ck_assert_str_eq(changes(), "");
}
END_TEST

START_TEST(receipts_skip_what_can_not_be_read)
{
    receipts_reset(receipts, 5000);
    ck_assert_int_eq(receipts_put(receipts, 17, NOW, 0, "\x7fxyz", 4), 0);
    ck_assert_int_eq(receipts_put(receipts, 18, NOW, 0, NULL, 0), 0);
    ck_assert_uint_eq(take("aa", false).serial, 5000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("receipts of a shared store");
    TCase *tcase = tcase_create("receipts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, receipts_that_are_taken_have_numbers_from_the_given_one_on);
    tcase_add_test(tcase, receipts_that_are_put_in_are_found);
    tcase_add_test(tcase, receipts_judge_a_burst_by_the_losses_it_is_put_in_with);
    tcase_add_test(tcase, receipts_tell_a_loss_of_what_they_have_just_taken);
    tcase_add_test(tcase, receipts_forget_all_that_was_put_in);
    tcase_add_test(tcase, receipts_skip_what_can_not_be_read);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
