#include <stdio.h>

#include "contract/frames.h"
#include "dice.h"
#include "frames_wire.h"
#include "unit.h"

#define MAX 1000

/* What must come of frames. frames_wire.h has the notation. */
static const struct {
    const char *frames, *items;
} frames_cases[] = {
    {"", ""},

    /* RFC 6455, 5.7, with a mask of our own. */
    {"81:Hello", "TEXT Hello"},
    {"01:Hel 80:lo", "TEXT Hello"},
    {"89:Hello 8a:Hello", "PING Hello|PONG Hello"},

    /* Lengths at the edges of the three forms, and payloads of none. */
    {"81:", "TEXT "},
    {"81:=1 81:=99",
     "TEXT a|TEXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaa"},
    {"81:=125 81:=126 81:=127", "TEXT #125|TEXT #126|TEXT #127"},
    {"81.126:=125", "FAILED 1002"},
    {"81.126:", "FAILED 1002"},
    {"81.127:=126", "FAILED 1002"},
    {"81.127:", "FAILED 1002"},
    {"81:ok 81.126:a 81:no", "TEXT ok|FAILED 1002"},

    /* Fragments, with control frames between them. */
    {"01:a 00:b 00:c 80:d", "TEXT abcd"},
    {"01: 80:", "TEXT "},
    {"01: 00: 00: 00:a 00: 80:", "TEXT a"},
    {"01:a 89:p 00:b 8a:q 89: 80:c 81:d", "PING p|PONG q|PING |TEXT abc|TEXT d"},
    {"01:a 88:%03%e8", "CLOSE 1000"},
    {"01:a 81:b", "FAILED 1002"},
    {"01:a 01:b 80:c", "FAILED 1002"},
    {"01:a 02:b", "FAILED 1002"},
    {"00:a", "FAILED 1002"},
    {"80:a", "FAILED 1002"},
    {"80:", "FAILED 1002"},
    {"01:a 80:b 80:c", "TEXT ab|FAILED 1002"},

    /* Control frames. */
    {"89:", "PING "},
    {"89:=125 8a:=125", "PING #125|PONG #125"},
    {"89:=126", "FAILED 1002"},
    {"89.127:=70000", "FAILED 1002"},
    {"89.126:a", "FAILED 1002"},
    {"09:a 80:b", "FAILED 1002"},
    {"0a:a", "FAILED 1002"},
    {"08:", "FAILED 1002"},
    {"89:%00%FF%80 8a:%c3", "PING %00%FF%80|PONG %C3"}, /* their payload is no text */

    /* Masks, reserved bits, opcodes. */
    {"81.u:a", "FAILED 1002"},
    {"81.u:", "FAILED 1002"},
    {"89.u:a", "FAILED 1002"},
    {"88.u:%03%e8", "FAILED 1002"},
    {"81:ok 81.u:=200", "TEXT ok|FAILED 1002"},
    {"c1:a", "FAILED 1002"},
    {"a1:a", "FAILED 1002"},
    {"91:a", "FAILED 1002"},
    {"f1:", "FAILED 1002"},
    {"01:a a0:b", "FAILED 1002"},
    {"c9:a", "FAILED 1002"},
    {"a9:a", "FAILED 1002"},
    {"98:%03%e8", "FAILED 1002"},
    {"83:a", "FAILED 1002"},
    {"84:", "FAILED 1002"},
    {"85:a", "FAILED 1002"},
    {"86:a", "FAILED 1002"},
    {"87:a", "FAILED 1002"},
    {"03:a", "FAILED 1002"},
    {"8b:a", "FAILED 1002"},
    {"8c:", "FAILED 1002"},
    {"8d:a", "FAILED 1002"},
    {"8e:a", "FAILED 1002"},
    {"8f:a", "FAILED 1002"},
    {"01:a 8b:", "FAILED 1002"},

    /* Binary messages. */
    {"82:a", "FAILED 1003"},
    {"82:", "FAILED 1003"},
    {"02:a 80:b", "FAILED 1003"},
    {"81:ok 82:a 81:no", "TEXT ok|FAILED 1003"},

    /* Closing: nothing behind it is read. */
    {"88:", "CLOSE 1005"},
    {"88:%03%e8 81:no", "CLOSE 1000"},
    {"88:%03%e9bye", "CLOSE 1001"},
    {"88:%03%e8%c3%a4", "CLOSE 1000"},
    {"88:%03", "FAILED 1002"},
    {"88:%00", "FAILED 1002"},
    {"88:%03%e8%c3", "FAILED 1007"},
    {"88:%03%e8a%ffb", "FAILED 1007"},
    {"88:%03%ed%ff", "FAILED 1002"},
    {"81:a 88: 88: 89:", "TEXT a|CLOSE 1005"},
    {"88:=126", "FAILED 1002"},

    /* Text is UTF-8, over frames, and is refused as soon as it is not. */
    {"81:%c3%a4%e2%82%ac%f0%9f%98%80", "TEXT %C3%A4%E2%82%AC%F0%9F%98%80"},
    {"01:%f0 00:%9f 89:p 00: 00:%98 80:%80", "PING p|TEXT %F0%9F%98%80"},
    {"81:a%00b", "TEXT a%00b"},
    {"81:%c3", "FAILED 1007"},
    {"01:%c3 80:", "FAILED 1007"},
    {"01:%c3 80:a", "FAILED 1007"},
    {"01:%e2%82 80:%ac%80", "FAILED 1007"},
    {"81:%c0%af", "FAILED 1007"},
    {"81:%ed%a0%80", "FAILED 1007"},
    {"81:%f4%90%80%80", "FAILED 1007"},
    {"81:%ff", "FAILED 1007"},
    {"01:%f4%90 89:never", "FAILED 1007"},
    {"81:%c3%a4 81:%a4", "TEXT %C3%A4|FAILED 1007"}, /* each message starts anew */

    /* Sizes: MAX is 1000. */
    {"81:=1000 81:=1000", "TEXT #1000|TEXT #1000"},
    {"81:=1001", "FAILED 1009"},
    {"01:=500 80:=500", "TEXT #1000"},
    {"01:=500 00: 80:=501", "FAILED 1009"},
    {"01:=1000 80:", "TEXT #1000"},
    {"01:=1000 89:=125 80:a", "PING #125|FAILED 1009"},
    {"81:=70000", "FAILED 1009"},
};

#define CASES (sizeof frames_cases / sizeof *frames_cases)

START_TEST(frames_give_what_the_protocol_says)
{
    wire_write(frames_cases[_i].frames);
    wire_gives(MAX, false, frames_cases[_i].items, frames_cases[_i].frames);
}
END_TEST

START_TEST(frames_without_compression_are_the_same_where_it_was_agreed_on)
{
    wire_write(frames_cases[_i].frames);
    bool first_is_compressed =
        wire.bytes.len > 0 && (wire.bytes.data[0] & 0x40) != 0 && (wire.bytes.data[0] & 0x0f) == 1;
    if (!first_is_compressed)
        wire_gives(MAX, true, frames_cases[_i].items, frames_cases[_i].frames);
}
END_TEST

START_TEST(frames_read_every_form_of_the_length)
{
    static const size_t lens[] = {0, 1, 125, 126, 127, 65535, 65536, 65537, 300000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens - unit_slow(); i++) {
        char frames[32], items[32];
        snprintf(frames, sizeof frames, "81:=%zu 89:p", lens[i]);
        snprintf(items, sizeof items, "TEXT #%zu|PING p", lens[i]);
        if (lens[i] < 100)
            snprintf(items, sizeof items, "TEXT %.*s|PING p", (int)lens[i], "a");
        wire.bytes.len = 0;
        wire_write(frames);
        wire_gives(300000, false, items, frames);
    }
}
END_TEST

/* All bytes of a text are unmasked and in their place, whatever pieces they come in. */
START_TEST(frames_keep_every_byte_of_a_text)
{
    struct dice dice = dice_new();
    for (unsigned round = unit_rounds(200); round > 0; round--) {
        struct bytes text = {0};
        wire.bytes.len = 0;
        unsigned fragments = 1 + (unsigned)dice_roll(&dice, 5);
        for (unsigned i = 0; i < fragments; i++) {
            char part[20000];
            size_t len = dice_roll(&dice, dice_roll(&dice, 2) == 0 ? 200 : sizeof part);
            for (size_t j = 0; j < len; j++)
                part[j] = (char)(1 + dice_roll(&dice, 0x7f));
            ck_assert_int_eq(bytes_append(&text, part, len), 0);
            wire_put_frame((i == 0 ? 0x01 : 0x00) | (i == fragments - 1 ? 0x80 : 0), part, len);
        }
        wire_read(text.len, false, dice_roll(&dice, wire.bytes.len), dice_roll(&dice, 5000));
        ck_assert_uint_eq(wire_text.len, text.len);
        ck_assert(text.len == 0 || memcmp(wire_text.data, text.data, text.len) == 0);
        bytes_clear(&text);
    }
}
END_TEST

START_TEST(frames_refuse_lengths_beyond_all_memory)
{
    static const struct {
        uint64_t len;
        unsigned code;
    } cases[] = {
        {UINT64_C(0x8000000000000000), 1002},
        {UINT64_MAX, 1002},
        {INT64_MAX, 1009},
        {UINT64_C(1) << 40, 1009},
        {UINT64_C(0xffffffff) + 5, 1009},
        {16777217, 1009},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int before = 0; before < 2; before++) {
            char wanted[32];
            snprintf(wanted, sizeof wanted, "FAILED %u", cases[i].code);
            wire.bytes.len = 0;
            wire_write(before ? "01:a" : "");
            wire_put_head(before ? 0x80 : 0x81, cases[i].len, 127, true);
            wire_gives(16777216, false, wanted, wanted); /* for the head alone */
        }
}
END_TEST

START_TEST(frames_refuse_a_bad_frame_for_its_head)
{
    /* Two bytes are enough, without mask and payload. */
    static const char *const heads[] = {"\x81\x05", "\xc1\x85", "\x83\x85", "\x80\x85",
                                        "\x09\x85", "\x89\xfe", "\x89\xff", "\x8b\x85"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        wire.bytes.len = 0;
        wire_put(heads[i], 2);
        ck_assert_str_eq(wire_read(MAX, false, 0, 0), "FAILED 1002");
    }
    wire.bytes.len = 0;
    wire_put("\x82\x85", 2);
    ck_assert_str_eq(wire_read(MAX, false, 0, 0), "FAILED 1003");
}
END_TEST

START_TEST(frames_take_the_close_codes_meant_for_the_wire_and_no_others)
{
    for (unsigned code = 0; code <= 0xffff; code += unit_slow() && code >= 5000 ? 101 : 1) {
        bool legal =
            (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
            (code >= 3000 && code < 5000);
        unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
        char wanted[32];
        snprintf(wanted, sizeof wanted, legal ? "CLOSE %u" : "FAILED 1002", code);
        wire.bytes.len = 0;
        wire_put_frame(0x88, payload, 2);
        const char *seen = wire_read(MAX, false, 0, 0);
        ck_assert_msg(strcmp(seen, wanted) == 0, "%u: %s", code, seen);
    }
}
END_TEST

START_TEST(frames_refuse_bad_text_before_the_frame_ends)
{
    struct frames_item item;
    struct frames *frames = frames_new(MAX, false, wire_source, NULL);
    wire_put_head(0x01, 100, 0, true);
    wire_put_payload("abc\xc3(", 5, true);
    wire.there = wire.bytes.len - 1;
    frames_next(frames, &item);
    ck_assert_int_eq(item.kind, FRAMES_NOTHING);
    wire.there++;
    frames_next(frames, &item);
    ck_assert_int_eq(item.kind, FRAMES_FAILED);
    ck_assert_uint_eq(item.code, FRAMES_BAD_TEXT);
    frames_free(frames);
}
END_TEST

START_TEST(frames_survive_a_flood_of_empty_fragments)
{
    wire_write("01:");
    for (int i = 0; i < 100000; i++)
        wire_write("00:");
    struct frames *frames = frames_new(MAX, false, wire_source, NULL);
    wire.there = wire.bytes.len;
    wire_drain(frames);
    ck_assert(frames_within(frames));
    ck_assert_uint_eq(frames_held(frames), 0);
    wire_write("80:");
    wire.there = wire.bytes.len;
    wire_drain(frames);
    ck_assert_uint_eq(wire_seen.len, strlen("TEXT "));
    frames_free(frames);
}
END_TEST

/* What a length announces is not allocated: one byte of 16 MiB is there. */
START_TEST(frames_hold_what_has_come_and_no_more)
{
    wire_put_head(0x81, 16777216, 0, true);
    wire_put_payload("a", 1, true);
    struct frames *frames = frames_new(16777216, false, wire_source, NULL);
    wire.there = wire.bytes.len;
    wire_drain(frames);
    ck_assert_uint_gt(frames_held(frames), 0);
    ck_assert_uint_le(frames_held(frames), 65536);
    size_t mask_at = wire.bytes.len - 1;
    for (size_t i = 1; i < 3000000; i++)
        wire_put_byte('b' ^ (unsigned char)wire.bytes.data[mask_at - 4 + i % 4]);
    wire.there = wire.bytes.len;
    wire_drain(frames);
    ck_assert_uint_ge(frames_held(frames), 3000000);
    ck_assert_uint_le(frames_held(frames), 3000000 / 2 * 3 + 4096);
    frames_free(frames);
}
END_TEST

/* After each byte: whether a frame or message is under way, and that nothing is read before it is
 * asked for. */
START_TEST(frames_tell_when_something_is_under_way)
{
    static const char *const parts[] = {"81:hello", "89:ping", "01:a", "89:", "80:", "8a:"};
    static const bool open[] = {false, false, true, true, false, false}; /* behind each part */
    struct frames *frames = frames_new(MAX, false, wire_source, NULL);
    ck_assert(!frames_within(frames));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        wire_write(parts[i]);
        while (wire.there < wire.bytes.len) {
            wire.there++;
            wire_drain(frames);
            bool wanted = wire.there < wire.bytes.len || open[i];
            ck_assert_msg(frames_within(frames) == wanted, "%s, %zu bytes", parts[i], wire.there);
        }
    }
    frames_free(frames);
}
END_TEST

START_TEST(frames_read_nothing_behind_what_they_hand_out)
{
    struct frames_item item;
    struct frames *frames = frames_new(MAX, false, wire_source, NULL);
    wire_write("81:first");
    size_t first = wire.bytes.len;
    wire_write("89:second 81:third");
    wire.there = wire.bytes.len;
    frames_next(frames, &item);
    ck_assert_int_eq(item.kind, FRAMES_TEXT);
    ck_assert_uint_eq(wire.at, first);
    ck_assert(!frames_within(frames));
    ck_assert_uint_eq(frames_held(frames), 0);
    wire_drain(frames);
    ck_assert_uint_eq(wire.at, wire.bytes.len);
    frames_free(frames);
}
END_TEST

START_TEST(frames_let_the_text_be_stolen)
{
    struct frames_item item;
    struct frames *frames = frames_new(MAX, false, wire_source, NULL);
    wire_write("81:stolen 81:kept 81:");
    wire.there = wire.bytes.len;
    frames_next(frames, &item);
    size_t len;
    char *text = bytes_steal(item.text, &len);
    frames_next(frames, &item);
    ck_assert_uint_eq(item.text->len, 4);
    ck_assert_mem_eq(item.text->data, "kept", 4);
    ck_assert_uint_eq(len, 6);
    ck_assert_mem_eq(text, "stolen", 6);
    frames_next(frames, &item);
    ck_assert_int_eq(item.kind, FRAMES_TEXT);
    ck_assert_uint_eq(item.text->len, 0);
    free(text);
    frames_free(frames);
}
END_TEST

START_TEST(frames_limit_counts_for_the_message_under_way)
{
    static const struct {
        size_t before, after;
        const char *first, *rest, *items;
    } cases[] = {
        {10, 20, "01:=8", "80:=8", "TEXT aaaaaaaaaaaaaaaa"},
        {20, 10, "01:=8", "80:=8", "FAILED 1009"},
        {20, 4, "01:=8", "80:", "FAILED 1009"},
        {20, 8, "01:=8", "80:", "TEXT aaaaaaaa"},
        {20, 8, "", "81:=9", "FAILED 1009"},
        {8, 20, "", "81:=9", "TEXT aaaaaaaaa"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frames *frames = frames_new(cases[i].before, false, wire_source, NULL);
        wire.bytes.len = wire.at = 0;
        wire_seen.len = 0;
        wire_write(cases[i].first);
        wire.there = wire.bytes.len;
        wire_drain(frames);
        frames_limit(frames, cases[i].after);
        wire_write(cases[i].rest);
        wire.there = wire.bytes.len;
        wire_drain(frames);
        ck_assert_int_eq(bytes_append(&wire_seen, "", 1), 0);
        ck_assert_str_eq(wire_seen.data, cases[i].items);
        frames_free(frames);
    }
}
END_TEST

START_TEST(frames_limit_counts_within_a_frame)
{
    struct frames *frames = frames_new(100, false, wire_source, NULL);
    wire_write("81:=80");
    wire.there = 40;
    wire_drain(frames);
    frames_limit(frames, 50);
    wire.there = wire.bytes.len;
    wire_drain(frames);
    ck_assert_uint_eq(wire_seen.len, strlen("FAILED 1009"));
    frames_free(frames);
}
END_TEST

/* Sequences of frames from dice, bytes among them from dice too: any two ways to cut the wire into
 * pieces give the same items. */
START_TEST(frames_do_not_care_how_the_bytes_come)
{
    struct dice dice = dice_new();
    for (unsigned round = unit_rounds(20000); round > 0; round--) {
        wire.bytes.len = 0;
        for (size_t n = 1 + dice_roll(&dice, 5); n > 0; n--)
            wire_write(frames_cases[dice_roll(&dice, CASES)].frames);
        if (wire.bytes.len > 0 && dice_roll(&dice, 3) > 0)
            wire.bytes.data[dice_roll(&dice, wire.bytes.len)] ^= (char)(1 << dice_roll(&dice, 8));
        bool deflate = dice_roll(&dice, 2) == 0;
        const char *seen = wire_read(MAX, deflate, 0, 0);
        char *wanted = strdup(seen);
        for (int i = 0; i < 3; i++) {
            seen = wire_read(MAX, deflate, dice_roll(&dice, wire.bytes.len + 1),
                             1 + dice_roll(&dice, 100));
            ck_assert_msg(strcmp(seen, wanted) == 0, "%s, not %s", seen, wanted);
        }
        free(wanted);
    }
}
END_TEST

START_TEST(frames_head_writes_the_examples_of_the_rfc)
{
    static const struct {
        enum frames_opcode opcode;
        bool final, compressed;
        uint64_t len;
        const char *head;
        size_t head_len;
    } cases[] = {
        {FRAMES_OP_TEXT, true, false, 5, "\x81\x05", 2},
        {FRAMES_OP_TEXT, false, false, 3, "\x01\x03", 2},
        {FRAMES_OP_MORE, true, false, 2, "\x80\x02", 2},
        {FRAMES_OP_PING, true, false, 5, "\x89\x05", 2},
        {FRAMES_OP_PONG, true, false, 125, "\x8a\x7d", 2},
        {FRAMES_OP_CLOSE, true, false, 2, "\x88\x02", 2},
        {FRAMES_OP_TEXT, true, true, 7, "\xc1\x07", 2}, /* RFC 7692, 7.2.3.1 */
        {FRAMES_OP_TEXT, false, true, 3, "\x41\x03", 2},
        {FRAMES_OP_TEXT, true, false, 0, "\x81\x00", 2},
        {FRAMES_OP_TEXT, true, false, 126, "\x81\x7e\x00\x7e", 4},
        {FRAMES_OP_TEXT, true, false, 256, "\x81\x7e\x01\x00", 4},
        {FRAMES_OP_TEXT, true, false, 65535, "\x81\x7e\xff\xff", 4},
        {FRAMES_OP_TEXT, true, false, 65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10},
        {FRAMES_OP_MORE, false, false, UINT64_C(0x123456789abcdef),
         "\0\x7f\x01\x23\x45\x67\x89\xab\xcd\xef", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char head[FRAMES_HEAD_BYTES];
        size_t len =
            frames_head(head, cases[i].opcode, cases[i].final, cases[i].compressed, cases[i].len);
        ck_assert_uint_eq(len, cases[i].head_len);
        ck_assert_mem_eq(head, cases[i].head, len);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tests = tcase_create("frames");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, wire_setup, wire_teardown);
    tcase_add_loop_test(tests, frames_give_what_the_protocol_says, 0, CASES);
    tcase_add_loop_test(tests, frames_without_compression_are_the_same_where_it_was_agreed_on, 0,
                        CASES);
    tcase_add_test(tests, frames_read_every_form_of_the_length);
    tcase_add_test(tests, frames_keep_every_byte_of_a_text);
    tcase_add_test(tests, frames_refuse_lengths_beyond_all_memory);
    tcase_add_test(tests, frames_refuse_a_bad_frame_for_its_head);
    tcase_add_test(tests, frames_take_the_close_codes_meant_for_the_wire_and_no_others);
    tcase_add_test(tests, frames_refuse_bad_text_before_the_frame_ends);
    tcase_add_test(tests, frames_survive_a_flood_of_empty_fragments);
    tcase_add_test(tests, frames_hold_what_has_come_and_no_more);
    tcase_add_test(tests, frames_tell_when_something_is_under_way);
    tcase_add_test(tests, frames_read_nothing_behind_what_they_hand_out);
    tcase_add_test(tests, frames_let_the_text_be_stolen);
    tcase_add_test(tests, frames_limit_counts_for_the_message_under_way);
    tcase_add_test(tests, frames_limit_counts_within_a_frame);
    tcase_add_test(tests, frames_do_not_care_how_the_bytes_come);
    tcase_add_test(tests, frames_head_writes_the_examples_of_the_rfc);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
