#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "unit.h"

START_TEST(bytes_starts_empty_without_memory)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_uint_eq(b.capacity, 0);
    bytes_clear(&b);
}
END_TEST

START_TEST(bytes_keeps_what_was_appended_while_growing)
{
    struct bytes b;
    bytes_init(&b);
    for (unsigned i = 0; i < 10000; i++) {
        unsigned char c = (unsigned char)(i * 7);
        ck_assert_int_eq(bytes_append(&b, &c, 1), 0);
    }
    ck_assert_uint_eq(b.len, 10000);
    for (unsigned i = 0; i < 10000; i++)
        ck_assert_uint_eq((unsigned char)b.data[i], (unsigned char)(i * 7));
    bytes_clear(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(bytes_grows_by_half_at_least)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_int_eq(bytes_reserve(&b, 1000), 0);
    size_t first = b.capacity;
    ck_assert_uint_ge(first, 1000);
    b.len = first;
    ck_assert_int_eq(bytes_append(&b, "x", 1), 0);
    ck_assert_uint_ge(b.capacity, first + first / 2);
    bytes_clear(&b);
}
END_TEST

START_TEST(bytes_appends_nothing_from_nowhere)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_int_eq(bytes_append(&b, NULL, 0), 0);
    ck_assert_int_eq(bytes_append_text(&b, ""), 0);
    ck_assert_uint_eq(b.len, 0);
    bytes_clear(&b);
}
END_TEST

START_TEST(bytes_formats_behind_what_is_there)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_int_eq(bytes_append_text(&b, "a"), 0);
    ck_assert_int_eq(bytes_append_format(&b, "%d-%s", 42, "z"), 0);
    ck_assert_int_eq(bytes_append_format(&b, "%300d", 1), 0);
    ck_assert_uint_eq(b.len, 305);
    ck_assert_mem_eq(b.data, "a42-z ", 6);
    ck_assert_int_eq(b.data[304], '1');
    bytes_clear(&b);
}
END_TEST

START_TEST(bytes_refuses_more_than_there_can_be)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_int_eq(bytes_append_text(&b, "kept"), 0);
    struct bytes before = b;
    ck_assert_int_eq(bytes_reserve(&b, SIZE_MAX), -1);
    ck_assert_int_eq(bytes_reserve(&b, SIZE_MAX - 4), -1);
    ck_assert_ptr_eq(b.data, before.data);
    ck_assert_uint_eq(b.len, 4);
    ck_assert_uint_eq(b.capacity, before.capacity);
    bytes_clear(&b);
}
END_TEST

START_TEST(bytes_stolen_belong_to_the_thief)
{
    struct bytes b;
    bytes_init(&b);
    ck_assert_int_eq(bytes_append_text(&b, "loot"), 0);
    size_t len;
    char *loot = bytes_steal(&b, &len);
    ck_assert_uint_eq(len, 4);
    ck_assert_mem_eq(loot, "loot", 4);
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(b.capacity, 0);
    free(loot);
    ck_assert_int_eq(bytes_reserve(&b, 10), 0);
    ck_assert_ptr_null(bytes_steal(&b, &len));
    ck_assert_uint_eq(len, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tests = tcase_create("bytes");
    tcase_add_test(tests, bytes_starts_empty_without_memory);
    tcase_add_test(tests, bytes_keeps_what_was_appended_while_growing);
    tcase_add_test(tests, bytes_grows_by_half_at_least);
    tcase_add_test(tests, bytes_appends_nothing_from_nowhere);
    tcase_add_test(tests, bytes_formats_behind_what_is_there);
    tcase_add_test(tests, bytes_refuses_more_than_there_can_be);
    tcase_add_test(tests, bytes_stolen_belong_to_the_thief);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
