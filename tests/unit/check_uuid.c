#include <string.h>

#include "contract/uuid.h"
#include "unit.h"

static uint64_t uuid_ms(const char *text)
{
    char hex[13];
    memcpy(hex, text, 8);
    memcpy(hex + 8, text + 9, 4);
    hex[12] = '\0';
    return strtoull(hex, NULL, 16);
}

START_TEST(uuid_has_the_form_of_version_7)
{
    struct uuid_source source;
    uuid_source_init(&source);
    for (int i = 0; i < 1000; i++) {
        char id[UUID_LEN + 1] = "";
        uuid_next(&source, 1700000000000 + i, id);
        ck_assert_uint_eq(strlen(id), UUID_LEN);
        ck_assert_uint_eq(strspn(id, "0123456789abcdef-"), UUID_LEN);
        ck_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
        ck_assert_int_eq(id[14], '7');
        ck_assert_ptr_nonnull(strchr("89ab", id[19]));
        ck_assert_uint_eq(uuid_ms(id), (uint64_t)1700000000000 + (uint64_t)i);
    }
}
END_TEST

START_TEST(uuid_ascends_as_text_whatever_the_clock_does)
{
    struct uuid_source source;
    uuid_source_init(&source);
    char last[UUID_LEN] = "";
    for (int i = 0; i < 100000; i++) {
        /* A second forward, then back by half of it, over and over, and a jump of an hour back. */
        int64_t now = 1700000000000 + i % 1000 / 2 + i / 1000 - (i > 50000 ? 3600000 : 0);
        char id[UUID_LEN];
        uuid_next(&source, now, id);
        ck_assert_int_lt(memcmp(last, id, UUID_LEN), 0);
        memcpy(last, id, UUID_LEN);
    }
}
END_TEST

START_TEST(uuid_borrows_from_the_future_when_a_millisecond_runs_over)
{
    struct uuid_source source;
    uuid_source_init(&source);
    char last[UUID_LEN] = "", id[UUID_LEN];
    for (int i = 0; i < 10000; i++) {
        uuid_next(&source, 5, id);
        ck_assert_int_lt(memcmp(last, id, UUID_LEN), 0);
        memcpy(last, id, UUID_LEN);
    }
    ck_assert_uint_gt(uuid_ms(id), 5);
    ck_assert_uint_lt(uuid_ms(id), 5 + 10);
}
END_TEST

START_TEST(uuid_sources_do_not_agree)
{
    struct uuid_source one, two;
    uuid_source_init(&one);
    uuid_source_init(&two);
    char a[UUID_LEN], b[UUID_LEN];
    uuid_next(&one, 1, a);
    uuid_next(&two, 1, b);
    ck_assert_mem_ne(a + 19, b + 19, UUID_LEN - 19);
}
END_TEST

START_TEST(uuid_takes_a_clock_before_1970)
{
    struct uuid_source source;
    uuid_source_init(&source);
    char a[UUID_LEN], b[UUID_LEN];
    uuid_next(&source, -5000, a);
    uuid_next(&source, -4000, b);
    ck_assert_int_lt(memcmp(a, b, UUID_LEN), 0);
    /* And later ids come behind them. */
    ck_assert_uint_eq(uuid_ms(b), 0);
    for (int i = 0; i < 10000; i++)
        uuid_next(&source, -3000, b);
    uuid_next(&source, 1000, a);
    ck_assert_int_lt(memcmp(b, a, UUID_LEN), 0);
}
END_TEST

START_TEST(uuid_made_of_numbers_is_always_the_same)
{
    char id[UUID_LEN + 1] = "";
    uuid_of(INT64_C(0x18e41a39be3), UINT64_C(0xfffffffffffffabc), UINT64_C(0xff23456789abcdef), id);
    ck_assert_str_eq(id, "018e41a3-9be3-8abc-bf23-456789abcdef");
    uuid_of(-1, 0, 0, id);
    ck_assert_str_eq(id, "ffffffff-ffff-8000-8000-000000000000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uuid");
    TCase *tests = tcase_create("uuid");
    tcase_add_test(tests, uuid_has_the_form_of_version_7);
    tcase_add_test(tests, uuid_ascends_as_text_whatever_the_clock_does);
    tcase_add_test(tests, uuid_borrows_from_the_future_when_a_millisecond_runs_over);
    tcase_add_test(tests, uuid_sources_do_not_agree);
    tcase_add_test(tests, uuid_takes_a_clock_before_1970);
    tcase_add_test(tests, uuid_made_of_numbers_is_always_the_same);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
