/* Tables of text: widths, what is cut, what strangers' text becomes. */

#include <stdio.h>
#include <string.h>

#include "commands/columns.h"
#include "commands/table.h"
#include "unit.h"

static struct table table;
static struct bytes out;

static void setup(void)
{
    bytes_init(&out);
    memset(&table, 0, sizeof table);
}

static void teardown(void)
{
    bytes_clear(&out);
    table_clear(&table);
}

static void begin(size_t width, const char *const *names, size_t count)
{
    ck_assert_int_eq(table_init(&table, width, names, count), 0);
}

/* A value that begins with # is a number. */
static void row(const char *const *values)
{
    for (size_t i = 0; i < table.count; i++) {
        bool number = values[i][0] == '#';
        const char *text = values[i] + number;
        ck_assert_int_eq(table_value(&table, i, text, strlen(text), number), 0);
    }
    ck_assert_int_eq(table_row(&table, &out), 0);
}

static void expect(const char *wanted)
{
    ck_assert_int_eq(table_end(&table, &out), 0);
    ck_assert_int_eq(bytes_append(&out, "", 1), 0);
    ck_assert_str_eq(out.data, wanted);
}

#define NAMES(...) \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)
#define ROW(...) row((const char *const[]){__VA_ARGS__})

START_TEST(columns_are_as_wide_as_what_stands_in_them)
{
    begin(0, NAMES("n", "text", "c"));
    ROW("#1", "a", "x");
    ROW("#234", "longer", "");
    expect("  n  text    c\n---  ------  -\n  1  a       x\n234  longer\n");
}
END_TEST

START_TEST(without_rows_there_is_the_head)
{
    begin(10, NAMES("one", "two"));
    expect("one  two\n---  ---\n");
}
END_TEST

START_TEST(numbers_stand_to_the_right_unless_a_text_is_among_them)
{
    begin(0, NAMES("a", "b", "c"));
    ROW("#1", "#1", "");
    ROW("", "x", "");
    ROW("#22", "#22", "");
    expect(" a  b   c\n--  --  -\n 1  1\n    x\n22  22\n");
}
END_TEST

START_TEST(the_widest_texts_are_cut_first)
{
    begin(40, NAMES("n", "short", "long", "longer"));
    ROW("#123456789012", "some", "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz");
    expect("           n  short  long       longer\n"
           "------------  -----  ---------  --------\n"
           "123456789012  some   abcdef...  abcde...\n");
}
END_TEST

START_TEST(times_stay_whole_when_longer_ones_make_up_for_it)
{
    begin(44, NAMES("first", "text"));
    ROW("2026-11-21T04:00:22.441Z", "abcdefghijklmnopqrstuvwxyz");
    expect("first                     text\n"
           "------------------------  ------------------\n"
           "2026-11-21T04:00:22.441Z  abcdefghijklmno...\n");
}
END_TEST

/* Every width from none to enough: never wider, as long as texts can give way. */
START_TEST(a_row_is_never_wider_than_it_may_be)
{
    size_t width = (size_t)_i;
    begin(width, NAMES("n", "a", "b", "c"));
    ROW("#123", "abcdefghijklmnopqrstuvwxyz0123456789",
        "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe4\xb8\xad\xe6\x96\x87",
        "e\xcc\x81t\xc3\xa9 e\xcc\x81t\xc3\xa9 abcdefghijkl");
    ck_assert_int_eq(table_end(&table, &out), 0);
    for (size_t at = 0; at < out.len;) {
        size_t len = (size_t)((char *)memchr(out.data + at, '\n', out.len - at) - (out.data + at)),
               taken;
        ck_assert_uint_eq(columns_fit(out.data + at, len, SIZE_MAX, &taken), len);
        ck_assert_msg(taken <= width, "%zu of %zu: %.*s", taken, width, (int)len, out.data + at);
        at += len + 1;
    }
}
END_TEST

START_TEST(what_strangers_sent_can_do_nothing)
{
    begin(0, NAMES("a\x1b[2J", "b"));
    ROW("\x1b]0;gone\x07", "two\nlines \xe2\x80\xae \xff \xc2\x9b");
    expect("a\\x1b[2J       b\n"
           "-------------  ---------------------------\n"
           "\\x1b]0;gone\\a  two\\nlines \\u202e \\xff \\x9b\n");
}
END_TEST

START_TEST(a_value_of_any_length_is_shown_up_to_a_bound)
{
    char *text = malloc(100000);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', 100000);
    begin(0, NAMES("a"));
    ck_assert_int_eq(table_value(&table, 0, text, 100000, false), 0);
    ck_assert_int_eq(table_row(&table, &out), 0);
    free(text);
    ck_assert_int_eq(table_end(&table, &out), 0);
    ck_assert_uint_eq(out.len, 2 + 2 * (TABLE_MOST + 3 + 1));
}
END_TEST

/* Those learned from the first rows; later ones come out at once, cut to them. */
START_TEST(widths_are_learned_from_the_first_rows)
{
    char wanted[100];
    begin(0, NAMES("n", "t"));
    for (int i = 0; i < TABLE_LEARNS; i++) {
        ck_assert_uint_eq(out.len, 0);
        ROW("#10", "wide");
    }
    size_t so_far = out.len;
    ck_assert_uint_gt(so_far, 0);
    ROW("#7", "much too wide");
    ck_assert_int_eq(snprintf(wanted, sizeof wanted, " 7  m...\n"), 9);
    ck_assert_uint_eq(out.len - so_far, 9);
    ck_assert_mem_eq(out.data + so_far, wanted, 9);
    so_far = out.len;
    ck_assert_int_eq(table_end(&table, &out), 0);
    ck_assert_uint_eq(out.len, so_far);
}
END_TEST

static const struct {
    const char *text;
    size_t most, bytes, taken;
} widths[] = {
    {"", 5, 0, 0},
    {"abc", 5, 3, 3},
    {"abcdef", 5, 5, 5},
    {"\xc3\xa4\xc3\xb6\xc3\xbc", 2, 4, 2},
    {"\xe4\xb8\xad\xe6\x96\x87", 3, 3, 2}, /* two columns each */
    {"\xe4\xb8\xad\xe6\x96\x87", 4, 6, 4},
    {"e\xcc\x81x", 1, 3, 1},       /* a mark goes with its letter */
    {"\xf0\x9f\x98\x80", 1, 0, 0}, /* an emoji */
    {"\xf0\x9f\x98\x80", 2, 4, 2},
    {"a\xe4", 5, 2, 2}, /* breaks off */
};

START_TEST(columns_are_counted_as_a_terminal_shows_them)
{
    size_t taken = 99;
    ck_assert_uint_eq(
        columns_fit(widths[_i].text, strlen(widths[_i].text), widths[_i].most, &taken),
        widths[_i].bytes);
    ck_assert_uint_eq(taken, widths[_i].taken);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, columns_are_as_wide_as_what_stands_in_them);
    tcase_add_test(tcase, without_rows_there_is_the_head);
    tcase_add_test(tcase, numbers_stand_to_the_right_unless_a_text_is_among_them);
    tcase_add_test(tcase, the_widest_texts_are_cut_first);
    tcase_add_test(tcase, times_stay_whole_when_longer_ones_make_up_for_it);
    tcase_add_loop_test(tcase, a_row_is_never_wider_than_it_may_be, 33, 100);
    tcase_add_test(tcase, what_strangers_sent_can_do_nothing);
    tcase_add_test(tcase, a_value_of_any_length_is_shown_up_to_a_bound);
    tcase_add_test(tcase, widths_are_learned_from_the_first_rows);
    tcase_add_loop_test(tcase, columns_are_counted_as_a_terminal_shows_them, 0,
                        sizeof widths / sizeof *widths);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
