/* Strings: UTF-8, escapes, and that the fast ways to the end of one agree with the slow one. */
#include "contract/scan_value.h"
#include "dice.h"
#include "walk.h"

static const struct {
    const char *string; /* between the quotes */
    bool legal;         /* UTF-8 */
} strings[] = {
    {"\\u0000", true},
    {"\\ud800", true},
    {"\\udfff\\ud800", true},
    {"\\ud83d\\ude00", true},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t\\uAbCd", true},
    {"\x7f", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"0123456789abcde\xe2\x82\xac 0123456789abcdef", true},
    {"\x80", false},
    {"\xbf", false},
    {"\xc0\x80", false},
    {"\xc1\xbf", false},
    {"\xc2", false},
    {"\xc2x", false},
    {"\xc2\xc2\x80", false},
    {"\xe0\x9f\xbf", false},
    {"\xe2\x82", false},
    {"\xe2\x82x", false},
    {"\xed\xa0\x80", false},
    {"\xed\xbf\xbf", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf0\x90\x80", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xf8\x88\x80\x80\x80", false},
    {"\xfe", false},
    {"\xff", false},
    {"0123456789abcde\xff", false},
    {"0123456789abcdef0123456789abcdef\x80 ok", false},
};

START_TEST(scan_checks_utf8_in_strings)
{
    const char *string = strings[_i].string;
    enum scan_fault wanted = strings[_i].legal ? SCAN_FAULT_NONE : SCAN_FAULT_UTF8;
    static const char *const frames[] = {
        "{\"events\":[{},{\"a\":\"%s\"},{}]}",
        "{\"events\":[{},{\"%s\":1},{}]}",
        "{\"events\":[{},{\"id\":\"%s\"},{}]}",
        "{\"events\":[{},{\"a\":{\"%s\":[\"%s\"]}},{}]}",
    };
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
        char text[300];
        const char *from = frames[f];
        size_t len = 0;
        for (const char *to; (to = strstr(from, "%s")) != NULL; from = to + 2)
            len += (size_t)sprintf(text + len, "%.*s%s", (int)(to - from), from, string);
        sprintf(text + len, "%s", from);
        ck_assert_msg(walk(text) == SCAN_OK, "%s", text);
        ck_assert_uint_eq(seen.count, 3);
        ck_assert_int_eq(seen.events[0].fault, SCAN_FAULT_NONE);
        ck_assert_msg(seen.events[1].fault == wanted, "%s", text);
        ck_assert_int_eq(seen.events[2].fault, SCAN_FAULT_NONE);
    }
    char text[300];
    sprintf(text, "{\"x\":\"%s\",\"events\":[{}]}", string);
    ck_assert_int_eq(walk(text), strings[_i].legal ? SCAN_OK : SCAN_NO_JSON);
    sprintf(text, "{\"events\":[{}],\"%s\":1}", string);
    ck_assert_int_eq(walk(text), strings[_i].legal ? SCAN_OK : SCAN_NO_JSON);
    sprintf(text, "\"%s\"", string);
    ck_assert_int_eq(walk(text), strings[_i].legal ? SCAN_NO_EVENTS : SCAN_NO_JSON);
    sprintf(text, "{\"events\":\"%s\"}", string);
    ck_assert_int_eq(walk(text), strings[_i].legal ? SCAN_NO_EVENTS : SCAN_NO_JSON);
}
END_TEST

static const struct {
    const char *escaped;
    const char *plain;
    size_t len;
} unescapes[] = {
    {"", "", 0},
    {"plain", "plain", 5},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
    {"a\\u0041b", "aAb", 3},
    {"\\u0000", "\0", 1},
    {"\\u007f\\u0080\\u07FF\\u0800\\uffff", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11},
    {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", 4},
    {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf", 4},
    {"\\ud800", "\xed\xa0\x80", 3},
    {"\\ud800x", "\xed\xa0\x80x", 4},
    {"\\udc00\\ud800", "\xed\xb0\x80\xed\xa0\x80", 6},
    {"\\ud800\\ud800\\udc00", "\xed\xa0\x80\xf0\x90\x80\x80", 7},
    {"\\ud800\\n", "\xed\xa0\x80\n", 4},
    {"\\ud800\\\\udc00", "\xed\xa0\x80\\udc00", 9},
    {"\xe2\x82\xac\\u20ac", "\xe2\x82\xac\xe2\x82\xac", 6},
    /* What is around surrogates makes no pair, nor does what looks like half of an escape. */
    {"\\ud7ff\\udc00", "\xed\x9f\xbf\xed\xb0\x80", 6},
    {"\\uffff\\udc00", "\xef\xbf\xbf\xed\xb0\x80", 6},
    {"\\ud83d\\udbff", "\xed\xa0\xbd\xed\xaf\xbf", 6},
    {"\\ud83d\\ue000", "\xed\xa0\xbd\xee\x80\x80", 6},
    {"\\ud83dxude00", "\xed\xa0\xbdxude00", 9},
    {"\\ud83d\\nde00", "\xed\xa0\xbd\nde00", 8},
};

START_TEST(scan_unescapes_and_keeps_lone_surrogates)
{
    char out[64];
    size_t len = scan_unescape(unescapes[_i].escaped, strlen(unescapes[_i].escaped), out);
    ck_assert_uint_eq(len, unescapes[_i].len);
    ck_assert_mem_eq(out, unescapes[_i].plain, len);
}
END_TEST

START_TEST(scan_unescapes_up_to_the_end)
{
    char out[64];
    ck_assert_uint_eq(scan_unescape("\\ud83d\\ude00", 6, out), 3);
    ck_assert_mem_eq(out, "\xed\xa0\xbd", 3);
}
END_TEST

START_TEST(scan_finds_the_same_place_by_bytes_words_and_vectors)
{
    struct dice dice = dice_new();
    static const char odd[] = "\"\\\x1f\x80\xff\n";
    for (unsigned round = 0, rounds = unit_rounds(200000); round < rounds; round++) {
        char room[96];
        size_t start = dice_roll(&dice, 16), len = dice_roll(&dice, 80);
        for (size_t i = 0; i < sizeof room; i++)
            room[i] = (char)(' ' + 2 + 1 + dice_roll(&dice, 0x39));
        for (size_t many = dice_roll(&dice, 3); many > 0; many--) {
            size_t kind = dice_roll(&dice, 7);
            room[dice_roll(&dice, sizeof room)] =
                kind < 6 ? odd[kind] : (char)dice_roll(&dice, 256);
        }
        const char *at = room + start, *end = at + len;
        const char *place = scan_plain_bytes(at, end);
        ck_assert(place == end || !scan_is_plain((unsigned char)*place));
        if (scan_plain_words(at, end) != place || scan_plain_run(at, end) != place)
            ck_abort_msg("round %d differs", round);
    }
    for (int c = 0; c < 256; c++) {
        char block[32];
        memset(block, c, sizeof block);
        const char *place = scan_plain_bytes(block, block + sizeof block);
        ck_assert_ptr_eq(scan_plain_words(block, block + sizeof block), place);
        ck_assert_ptr_eq(scan_plain_run(block, block + sizeof block), place);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan_string");
    TCase *tests = tcase_create("scan_string");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, scan_checks_utf8_in_strings, 0, sizeof strings / sizeof *strings);
    tcase_add_loop_test(tests, scan_unescapes_and_keeps_lone_surrogates, 0,
                        sizeof unescapes / sizeof *unescapes);
    tcase_add_test(tests, scan_unescapes_up_to_the_end);
    tcase_add_test(tests, scan_finds_the_same_place_by_bytes_words_and_vectors);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
