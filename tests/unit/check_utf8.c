#include <stdint.h>
#include <string.h>

#include "contract/utf8.h"
#include "dice.h"
#include "unit.h"

/* Another way to the same verdict: the character is put together, then looked at. Returns its
 * length, 0 when it is none, or -1 when the bytes end before it does and may still become one. */
static int reference_character(const unsigned char *at, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (*at < 0x80)
        return 1;
    int size = (*at & 0xe0) == 0xc0 ? 2 : (*at & 0xf0) == 0xe0 ? 3 : (*at & 0xf8) == 0xf0 ? 4 : 0;
    if (size == 0)
        return 0;
    uint32_t low = *at & (0x7f >> size), high = low;
    for (int i = 1; i < size; i++) {
        bool there = (size_t)i < len;
        if (there && (at[i] & 0xc0) != 0x80)
            return 0;
        low = low << 6 | (there ? at[i] & 0x3f : 0);
        high = high << 6 | (there ? at[i] & 0x3f : 0x3f);
    }
    /* Between low and high lies what it may become. */
    bool none = high < least[size] || low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff);
    return none ? 0 : (size_t)size > len ? -1 : size;
}

enum verdict { BAD, OPEN, WHOLE };

static enum verdict reference(const unsigned char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        int size = reference_character(text + at, len - at);
        if (size <= 0)
            return size == 0 ? BAD : OPEN;
        at += (size_t)size;
    }
    return WHOLE;
}

/* In pieces that end at the places given; 0 for none. */
static enum verdict verdict(const unsigned char *text, size_t len, size_t first, size_t second)
{
    struct utf8 utf8 = {0};
    if (first > 0 && !utf8_add(&utf8, text, first))
        return BAD;
    if (second > first && !utf8_add(&utf8, text + first, second - first))
        return BAD;
    size_t rest = second > first ? second : first;
    if (!utf8_add(&utf8, text + rest, len - rest))
        return BAD;
    return utf8_whole(&utf8) ? WHOLE : OPEN;
}

/* One call, every split in two, and every prefix: a bad byte is noticed when it comes. */
static void check_all_splits(const unsigned char *text, size_t len)
{
    for (size_t end = 0; end <= len; end++) {
        enum verdict wanted = reference(text, end);
        for (size_t split = 0; split <= end; split++)
            if (verdict(text, end, split, 0) != wanted)
                ck_abort_msg("%02x %02x %02x %02x, %zu bytes split at %zu", text[0], text[1],
                             len > 2 ? text[2] : 0, len > 3 ? text[3] : 0, end, split);
    }
}

START_TEST(utf8_agrees_on_all_of_two_and_three_bytes)
{
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            unsigned char text[3] = {(unsigned char)first, (unsigned char)second, 0};
            check_all_splits(text, 2);
            /* ASCII in front leads nowhere new. */
            for (unsigned third = 0; third < 256 && first >= 0x80; third++) {
                text[2] = (unsigned char)third;
                if (verdict(text, 3, 0, 0) != reference(text, 3) ||
                    verdict(text, 3, 1, 2) != reference(text, 3))
                    ck_abort_msg("%02x %02x %02x", first, second, third);
            }
        }
}
END_TEST

START_TEST(utf8_agrees_on_four_bytes)
{
    struct dice dice = dice_new();
    for (unsigned round = unit_rounds(1000000); round > 0; round--) {
        unsigned char text[4];
        for (int i = 0; i < 4; i++)
            text[i] = (unsigned char)(dice_roll(&dice, 4) == 0 ? dice_roll(&dice, 256)
                                                               : 0x80 + dice_roll(&dice, 0x40));
        text[0] = (unsigned char)(0xee + dice_roll(&dice, 9));
        check_all_splits(text, 4);
    }
}
END_TEST

START_TEST(utf8_takes_every_character)
{
    for (uint32_t point = 0x10000; point <= 0x10ffff; point++) {
        unsigned char text[4] = {
            (unsigned char)(0xf0 | point >> 18), (unsigned char)(0x80 | (point >> 12 & 0x3f)),
            (unsigned char)(0x80 | (point >> 6 & 0x3f)), (unsigned char)(0x80 | (point & 0x3f))};
        if (verdict(text, 4, 0, 0) != WHOLE)
            ck_abort_msg("U+%X", (unsigned)point);
    }
}
END_TEST

/* The ASCII path takes eight bytes at a time: a byte that is none, at every place, in texts of
 * every length, wherever they lie. */
START_TEST(utf8_sees_every_byte_of_long_texts)
{
    unsigned char room[64];
    for (size_t shift = 0; shift < 8; shift++)
        for (size_t len = 1; len < 40; len++)
            for (size_t at = 0; at < len; at++) {
                unsigned char *text = room + shift;
                memset(room, 'a', sizeof room);
                text[at] = 0x80;
                if (verdict(text, len, 0, 0) != BAD)
                    ck_abort_msg("0x80 at %zu of %zu", at, len);
                text[at] = 0xc3;
                if (verdict(text, len, 0, 0) != (at + 1 == len ? OPEN : BAD))
                    ck_abort_msg("0xc3 at %zu of %zu", at, len);
                text[at + 1] = 0xa4;
                if (at + 1 < len && verdict(text, len, 0, 0) != WHOLE)
                    ck_abort_msg("0xc3 0xa4 at %zu of %zu", at, len);
            }
}
END_TEST

START_TEST(utf8_agrees_on_texts_in_three_pieces)
{
    static const char *const characters[] = {
        "a",    "abcdefghi",    "\xc3\xa4",         "\xe2\x82\xac",
        "\x7f", "\xed\x9f\xbf", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
    struct dice dice = dice_new();
    for (unsigned round = unit_rounds(200000); round > 0; round--) {
        unsigned char text[128];
        size_t len = 0;
        while (len < 20 || dice_roll(&dice, 8) > 0) {
            const char *c = characters[dice_roll(&dice, sizeof characters / sizeof *characters)];
            if (len + strlen(c) > sizeof text)
                break;
            memcpy(text + len, c, strlen(c));
            len += strlen(c);
        }
        if (dice_roll(&dice, 2) == 0)
            text[dice_roll(&dice, len)] ^= (unsigned char)(1 << dice_roll(&dice, 8));
        if (dice_roll(&dice, 2) == 0)
            len -= dice_roll(&dice, 4);
        size_t second = dice_roll(&dice, len + 1), first = dice_roll(&dice, second + 1);
        if (verdict(text, len, first, second) != reference(text, len))
            ck_abort_msg("round %u: %zu bytes, %zu, %zu", round, len, first, second);
    }
}
END_TEST

START_TEST(utf8_takes_an_empty_text)
{
    struct utf8 utf8 = {0};
    ck_assert(utf8_add(&utf8, NULL, 0));
    ck_assert(utf8_whole(&utf8));
    ck_assert(utf8_add(&utf8, "\xe2", 1));
    ck_assert(utf8_add(&utf8, NULL, 0));
    ck_assert(!utf8_whole(&utf8));
}
END_TEST

/* What browsers show of it: byte for byte by the reference. */
static void repaired(struct bytes *out, const unsigned char *text, size_t len, bool beginning)
{
    for (size_t at = 0; at < len;) {
        int size = reference_character(text + at, len - at);
        if (size > 0) {
            ck_assert_int_eq(bytes_append(out, text + at, (size_t)size), 0);
            at += (size_t)size;
            continue;
        }
        if (size < 0 && beginning)
            return;
        ck_assert_int_eq(bytes_append_text(out, "\xef\xbf\xbd"), 0);
        if (size < 0)
            return;
        size_t broken = 1; /* the longest that might have become a character */
        for (size_t n = 1; n < 4 && at + n <= len; n++)
            if (reference_character(text + at, n) < 0)
                broken = n;
        at += broken;
    }
}

static void check_repair(const unsigned char *text, size_t len, bool beginning)
{
    struct bytes expected, got;
    bytes_init(&expected);
    bytes_init(&got);
    repaired(&expected, text, len, beginning);
    ck_assert_int_eq(utf8_repair(&got, (const char *)text, len, beginning), 0);
    ck_assert_uint_eq(got.len, expected.len);
    if (got.len > 0)
        ck_assert_mem_eq(got.data, expected.data, got.len);
    ck_assert(len == 0 || got.len == 0 ||
              verdict((unsigned char *)got.data, got.len, 0, 0) == WHOLE);
    bytes_clear(&expected);
    bytes_clear(&got);
}

START_TEST(utf8_repair_replaces_what_breaks_off)
{
    static const struct {
        const char *text, *whole, *beginning;
    } cases[] = {
        {"", "", ""},
        {"plain", "plain", "plain"},
        {"\xc3\xa9", "\xc3\xa9", "\xc3\xa9"},
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xe2\x82", "\xef\xbf\xbd", ""},
        {"\xe2\x82\xff", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x98\xe2\x82\xac", "\xef\xbf\xbd\xe2\x82\xac", "\xef\xbf\xbd\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int beginning = 0; beginning < 2; beginning++) {
            const char *expected = beginning ? cases[i].beginning : cases[i].whole;
            struct bytes got;
            bytes_init(&got);
            ck_assert_int_eq(
                utf8_repair(&got, cases[i].text, strlen(cases[i].text), beginning == 1), 0);
            ck_assert_uint_eq(got.len, strlen(expected));
            ck_assert(got.len == 0 || memcmp(got.data, expected, got.len) == 0);
            bytes_clear(&got);
        }
}
END_TEST

START_TEST(utf8_repair_agrees_with_the_reference)
{
    static const unsigned char bytes[] = {0x00, 'a',  0x7f, 0x80, 0xbf, 0xc1, 0xc3,
                                          0xe0, 0xa0, 0x9f, 0xe2, 0xed, 0xef, 0xf0,
                                          0x90, 0x8f, 0xf4, 0xf5, 0xff};
    struct dice dice = dice_new();
    for (unsigned round = 0; round < unit_rounds(50000); round++) {
        unsigned char text[12];
        size_t len = dice_roll(&dice, sizeof text + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = bytes[dice_roll(&dice, sizeof bytes)];
        check_repair(text, len, false);
        check_repair(text, len, true);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tests = tcase_create("utf8");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, utf8_agrees_on_all_of_two_and_three_bytes);
    tcase_add_test(tests, utf8_agrees_on_four_bytes);
    tcase_add_test(tests, utf8_takes_every_character);
    tcase_add_test(tests, utf8_sees_every_byte_of_long_texts);
    tcase_add_test(tests, utf8_agrees_on_texts_in_three_pieces);
    tcase_add_test(tests, utf8_takes_an_empty_text);
    tcase_add_test(tests, utf8_repair_replaces_what_breaks_off);
    tcase_add_test(tests, utf8_repair_agrees_with_the_reference);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
