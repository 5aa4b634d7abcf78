/* Events as rows of CSV, and what strangers sent as lines. */

#include <string.h>

#include "contract/csv.h"
#include "contract/line.h"
#include "unit.h"

static struct bytes out;

static void setup(void)
{
    bytes_init(&out);
}

static void teardown(void)
{
    bytes_clear(&out);
}

/* Texts with their length: NULs are part of some. */
#define TEXT(literal) (literal), sizeof(literal) - 1

static void expect(const char *wanted, size_t len)
{
    ck_assert_msg(out.len == len && (len == 0 || memcmp(out.data, wanted, len) == 0), "got %.*s",
                  (int)out.len, out.data);
}

static const struct {
    const char *text;
    size_t len;
    const char *wanted;
    size_t wanted_len;
} fields[] = {
    {TEXT("plain"), TEXT("plain")},           {TEXT(""), TEXT("")},
    {TEXT("a,b"), TEXT("\"a,b\"")},           {TEXT("a \"b\""), TEXT("\"a \"\"b\"\"\"")},
    {TEXT("\""), TEXT("\"\"\"\"")},           {TEXT("two\nlines"), TEXT("\"two\nlines\"")},
    {TEXT("old\rmac"), TEXT("\"old\rmac\"")}, {TEXT(" edge"), TEXT("\" edge\"")},
    {TEXT("edge "), TEXT("\"edge \"")},       {TEXT("\xc3\xa4"), TEXT("\xc3\xa4")},
};

START_TEST(csv_field_is_quoted_when_it_must_be)
{
    ck_assert_int_eq(bytes_append_text(&out, "\","), 0);
    ck_assert_int_eq(csv_append_field(&out, fields[_i].text, fields[_i].len), 0);
    ck_assert(memcmp(out.data, "\",", 2) == 0);
    memmove(out.data, out.data + 2, out.len - 2);
    out.len -= 2;
    expect(fields[_i].wanted, fields[_i].wanted_len);
}
END_TEST

/* The members' part of a row: what stands between the times and the event. */
static const struct {
    const char *event;
    const char *wanted;
} rows[] = {
    {"{}", ",,,,,,,"},
    {"{\"level\":\"info\",\"type\":\"click\",\"appId\":\"a\",\"sessionId\":\"s\",\"userId\":\"u\","
     "\"groupId\":\"g\",\"id\":\"i\"}",
     "info,click,a,s,u,g,i,"},
    {"{\"level\":\"first\",\"level\":\"last\"}", "last,,,,,,,"},
    {"{\"level\":\"first\",\"le\\u0076el\":\"last\"}", "last,,,,,,,"},
    {"{\"payload\":{\"level\":\"inner\"}}", ",,,,,,,"},
    {"{\"userId\":17,\"level\":null,\"type\":[1, \"x\"]}", "null,\"[1, \"\"x\"\"]\",,,17,,,"},
    {"{\"appId\":\"a\\\"b\\n,c\"}", ",,\"a\"\"b\n,c\",,,,,"},
    {"{\"appId\":\"\\u0000x\\u0000\"}", ",,\xef\xbf\xbdx\xef\xbf\xbd,,,,,"},
    {"{\"appId\":\"\\ud800-\\udbff\\ud83d\\ude00\"}",
     ",,\xef\xbf\xbd-\xef\xbf\xbd\xf0\x9f\x98\x80,,,,,"},
    {"{\"appId\":\"=1+2\"}", ",,=1+2,,,,,"},
    {"no object", ",,,,,,,"},
};

START_TEST(csv_row_has_the_last_members_unescaped)
{
    static const char times[] = "7,2024-02-29T00:00:00.001Z,1969-12-31T23:59:59.999Z,";
    const char *event = rows[_i].event;
    ck_assert_int_eq(csv_append_event(&out, 7, 1709164800001, -1, event, strlen(event)), 0);
    size_t front = sizeof times - 1, members = strlen(rows[_i].wanted);
    ck_assert_uint_gt(out.len, front + members);
    ck_assert(memcmp(out.data, times, front) == 0);
    ck_assert_msg(memcmp(out.data + front, rows[_i].wanted, members) == 0, "got %.*s",
                  (int)(out.len - front), out.data + front);
    ck_assert(memcmp(out.data + out.len - 2, "\r\n", 2) == 0);
}
END_TEST

START_TEST(csv_row_ends_in_the_whole_event_on_one_line)
{
    ck_assert_int_eq(csv_append_event(&out, 1, 0, 0, TEXT("{ \"a\" :\r\n \"b\\n\" }")), 0);
    static const char wanted[] = "\"{ \"\"a\"\" :   \"\"b\\n\"\" }\"\r\n";
    ck_assert_uint_gt(out.len, sizeof wanted);
    ck_assert(memcmp(out.data + out.len - (sizeof wanted - 1), wanted, sizeof wanted - 1) == 0);
}
END_TEST

START_TEST(line_is_the_event_but_for_line_ends)
{
    ck_assert_int_eq(bytes_append_text(&out, "\n"), 0);
    ck_assert_int_eq(line_append(&out, TEXT("{\n\"a\"\r\n:19.90,\t\"\\n\":\"\xc2\x9b\"}\n")), 0);
    expect(TEXT("\n{ \"a\"  :19.90,\t\"\\n\":\"\xc2\x9b\"} "));
}
END_TEST

START_TEST(line_visible_means_the_same_and_controls_nothing)
{
    ck_assert_int_eq(line_append_visible(&out, TEXT("{\"\x7f\":\t\"\xc2\x9b"
                                                    "2J\xe2\x80\xae\xc3\xa4\x1b\"}\xff\xe2\x80")),
                     0);
    expect(TEXT("{\"\\u007f\": \"\\u009b2J\\u202e\xc3\xa4\\u001b\"}"
                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
}
END_TEST

static const struct {
    const char *text;
    size_t len, most;
    const char *wanted;
} plain[] = {
    {TEXT("abc"), 3, "abc"},
    {TEXT("abcd"), 3, "abc..."},
    {TEXT(""), 0, ""},
    {TEXT("a\\b"), 9, "a\\\\b"},
    {TEXT("\0\x1b[2J\r\n\t\a\x7f"), 20, "\\x00\\x1b[2J\\r\\n\\t\\a\\x7f"},
    {TEXT("\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xef\xbb\xbf"), 9, "\\x9b\\u202e\\u2028\\ufeff"},
    {TEXT("\xc3\xa4\xf0\x9f\x98\x80"), 2, "\xc3\xa4\xf0\x9f\x98\x80"},
    {TEXT("\xff\xc3"), 9, "\\xff\\xc3"},
    {TEXT("\xed\xa0\x80"), 9, "\\xed\\xa0\\x80"},
};

START_TEST(line_plain_shows_any_bytes)
{
    ck_assert_int_eq(line_append_plain(&out, plain[_i].text, plain[_i].len, plain[_i].most), 0);
    expect(plain[_i].wanted, strlen(plain[_i].wanted));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    TCase *tcase = tcase_create("csv");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, csv_field_is_quoted_when_it_must_be, 0,
                        sizeof fields / sizeof *fields);
    tcase_add_loop_test(tcase, csv_row_has_the_last_members_unescaped, 0,
                        sizeof rows / sizeof *rows);
    tcase_add_test(tcase, csv_row_ends_in_the_whole_event_on_one_line);
    tcase_add_test(tcase, line_is_the_event_but_for_line_ends);
    tcase_add_test(tcase, line_visible_means_the_same_and_controls_nothing);
    tcase_add_loop_test(tcase, line_plain_shows_any_bytes, 0, sizeof plain / sizeof *plain);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
