/* Values of a member, counted against a plain list. */

#include <stdio.h>
#include <string.h>

#include "contract/census.h"
#include "unit.h"

static struct census census;

static void setup(void)
{
    ck_assert_int_eq(census_init(&census), 0);
}

static void teardown(void)
{
    census_clear(&census);
}

static void count(const char *text, size_t len, bool escaped)
{
    struct scan_field field = {.kind = SCAN_STRING, .escaped = escaped, .value = {0, len}};
    ck_assert_int_eq(census_add(&census, text, &field), 0);
}

static int64_t events_of(const char *text)
{
    for (size_t i = 0; i < census.count; i++)
        if (census.values[i].len == strlen(text) &&
            memcmp(census.values[i].text, text, strlen(text)) == 0)
            return census.values[i].events;
    return 0;
}

START_TEST(values_are_counted_unescaped)
{
    count("click", 5, false);
    count("\\u0063lick", 10, true);
    count("", 0, false);
    count("clic", 4, false);
    struct scan_field other = {.kind = SCAN_OTHER, .value = {0, 1}}, none = {.kind = SCAN_ABSENT};
    ck_assert_int_eq(census_add(&census, "7", &other), 0);
    ck_assert_int_eq(census_add(&census, "", &none), 0);
    ck_assert_uint_eq(census.count, 3);
    ck_assert_int_eq(events_of("click"), 2);
    ck_assert_int_eq(events_of(""), 1);
    ck_assert_int_eq(events_of("clic"), 1);
    ck_assert_int_eq(census.none, 2);
    ck_assert_int_eq(census.others, 0);
}
END_TEST

START_TEST(long_values_are_counted_together)
{
    static char text[6 * CENSUS_VALUE_BYTES + 12];
    memset(text, 'x', sizeof text);
    count(text, CENSUS_VALUE_BYTES, false);
    count(text, CENSUS_VALUE_BYTES + 1, false);
    count(text, sizeof text, false);
    for (size_t i = 0; i < sizeof text; i += 6)
        memcpy(text + i, "\\u0078", 6);
    count(text, 6 * CENSUS_VALUE_BYTES, true); /* as long as the longest, once unescaped */
    count(text, 6 * CENSUS_VALUE_BYTES + 6, true);
    ck_assert_uint_eq(census.count, 1);
    ck_assert_int_eq(census.values[0].events, 2);
    ck_assert_int_eq(census.others, 3);
}
END_TEST

START_TEST(no_more_than_its_most_are_told_apart)
{
    static int64_t model[2 * CENSUS_MOST];
    int64_t all = 0, others = 0;
    char text[20];
    for (int i = 0; i < 2 * CENSUS_MOST; i++) {
        snprintf(text, sizeof text, "v%d", i);
        count(text, strlen(text), false);
        model[i] = 1;
        all++;
    }
    for (int i = 0; i < 20000; i++) {
        int n = (i * 7919) % (2 * CENSUS_MOST);
        snprintf(text, sizeof text, "v%d", n);
        count(text, strlen(text), false);
        model[n]++;
        all++;
    }
    census_sort(&census);
    ck_assert_uint_eq(census.count, CENSUS_MOST);
    for (int i = 0; i < 2 * CENSUS_MOST; i++) {
        snprintf(text, sizeof text, "v%d", i);
        if (i < CENSUS_MOST)
            ck_assert_int_eq(events_of(text), model[i]);
        else
            others += model[i];
    }
    ck_assert_int_eq(census.others, others);
    for (size_t i = 1; i < census.count; i++) {
        ck_assert_int_ge(census.values[i - 1].events, census.values[i].events);
        all -= census.values[i].events;
    }
    ck_assert_int_eq(all, census.values[0].events + others);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("census");
    TCase *tcase = tcase_create("census");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, values_are_counted_unescaped);
    tcase_add_test(tcase, long_values_are_counted_together);
    tcase_add_test(tcase, no_more_than_its_most_are_told_apart);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
