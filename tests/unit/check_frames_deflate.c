/* The messages of frames.h that are compressed (RFC 7692). */
#include <stdio.h>
#include <zlib.h>

#include "contract/frames.h"
#include "dice.h"
#include "frames_wire.h"
#include "unit.h"

#define MAX 1000
#define HELLO "%f2H%cd%c9%c9%07%00"

/* frames_wire.h has the notation. */
static const struct {
    const char *frames, *items;
} deflate_cases[] = {
    /* RFC 7692, 7.2.3: one frame, two, a stored block, a last block, two blocks. */
    {"c1:" HELLO, "TEXT Hello"},
    {"41:%f2H%cd 80:%c9%c9%07%00", "TEXT Hello"},
    {"c1:%00%05%00%fa%ffHello%00", "TEXT Hello"},
    {"c1:%f3H%cd%c9%c9%07%00%00", "TEXT Hello"},
    {"c1:%f2H%05%00%00%00%ff%ff%ca%c9%c9%07%00", "TEXT Hello"},

    /* Nothing, in several ways. */
    {"c1:", "TEXT "},
    {"c1:%00", "TEXT "},
    {"c1:%02%00", "TEXT "},
    {"c1:%03%00%00", "TEXT "},
    {"41: 00: 80:", "TEXT "},
    {"41: 00:%00 80:", "TEXT "},
    {"c1:%01", "TEXT "}, /* the block whose end was left out may be a last one too */

    /* Behind a last block: nothing, the start of the block left out, another stream. */
    {"c1:%f3H%cd%c9%c9%07%00", "TEXT Hello"},
    {"c1:%f3H%cd%c9%c9%07%00%f3H%cd%c9%c9%07%00%00", "TEXT HelloHello"},
    {"41:%f3H%cd%c9%c9%07%00 80:" HELLO, "TEXT HelloHello"},
    {"c1:%03%00%03%00%03%00" HELLO, "TEXT Hello"},

    /* Together with others. */
    {"c1:" HELLO " 81:plain c1:" HELLO, "TEXT Hello|TEXT plain|TEXT Hello"},
    {"41:%f2H 89:p 00:%cd%c9 8a: 00: 80:%c9%07%00 89:q", "PING p|PONG |TEXT Hello|PING q"},
    {"41:%f2H 88:%03%e8 80:%cd", "CLOSE 1000"},

    /* The bit that says so: on the first frame of a text alone. */
    {"41:%f2H%cd c0:%c9%c9%07%00", "FAILED 1002"},
    {"01:a c0:b", "FAILED 1002"},
    {"41:%f2H%cd 41:%c9%c9%07%00", "FAILED 1002"},
    {"c9:", "FAILED 1002"},
    {"ca:a", "FAILED 1002"},
    {"c8:", "FAILED 1002"},
    {"e1:" HELLO, "FAILED 1002"},
    {"d1:" HELLO, "FAILED 1002"},
    {"c2:" HELLO, "FAILED 1003"},
    {"c0:" HELLO, "FAILED 1002"},

    /* No context is kept from one message to the next (RFC 7692, 7.2.3.2 would). */
    {"c1:" HELLO " c1:%f2%00%11%00%00", "TEXT Hello|FAILED 1007"},
    {"c1:%f3H%cd%c9%c9%07%00%f2%00%11%00%00", "FAILED 1007"},

    /* Damaged, cut short, something behind it. */
    {"c1:%07", "FAILED 1007"},
    {"c1:Hello", "FAILED 1007"},
    {"c1:%00%05%00%fa%feHello%00", "FAILED 1007"},
    {"c1:%00%05%00%fa%ffHel", "FAILED 1007"},
    {"c1:%00%05%00", "FAILED 1007"},
    {"c1:%f2H%cd%c9", "FAILED 1007"},
    {"c1:%f2H%cd%c9%c9%07", "FAILED 1007"},
    {"c1:" HELLO "%00%00%ff%ff", "FAILED 1007"},
    {"41:%07 89:never", "FAILED 1007"},

    /* The text inside is UTF-8. */
    {"c1:%00%02%00%fd%ff%c3%a4%00", "TEXT %C3%A4"},
    {"41:%00%02%00%fd%ff%c3 80:%a4%00", "TEXT %C3%A4"},
    {"c1:%00%01%00%fe%ff%c3%00%01%00%fe%ff%a4%00", "TEXT %C3%A4"},
    {"c1:%00%01%00%fe%ff%c3%00", "FAILED 1007"},
    {"41:%00%01%00%fe%ff%ff 89:never", "FAILED 1007"},
    {"c1:%00%03%00%fc%ff%ed%a0%80%00", "FAILED 1007"},
    {"c1:%01%01%00%fe%ff%c3", "FAILED 1007"},
};

#define CASES (sizeof deflate_cases / sizeof *deflate_cases)

START_TEST(frames_inflate_what_was_deflated)
{
    wire_write(deflate_cases[_i].frames);
    wire_gives(MAX, true, deflate_cases[_i].items, deflate_cases[_i].frames);
}
END_TEST

START_TEST(frames_refuse_compression_that_was_not_agreed_on)
{
    wire_write("c1:" HELLO);
    wire_gives(MAX, false, "FAILED 1002", "compressed");
    wire.bytes.len = 0;
    wire_write("41:%f2H 80:%cd%c9%c9%07%00");
    wire_gives(MAX, false, "FAILED 1002", "compressed");
}
END_TEST

/* How a sender compresses. */
struct manner {
    int level, window, memory, strategy;
    int flush;   /* between the parts of a text */
    size_t part; /* bytes of text to a part; 0 for all at once */
    bool last;   /* ends with a last block instead of a flush */
};

/* Text as the payload of a message, appended to out. */
static void deflate_text(const struct manner *how, const char *text, size_t len, struct bytes *out)
{
    z_stream stream = {0};
    ck_assert_int_eq(
        deflateInit2(&stream, how->level, Z_DEFLATED, -how->window, how->memory, how->strategy),
        Z_OK);
    size_t part = how->part > 0 ? how->part : len + 1, start = out->len;
    stream.next_in = (unsigned char *)(uintptr_t)text;
    do {
        size_t now = len < part ? len : part;
        len -= now;
        stream.avail_in = (uInt)now;
        int flush = len > 0 ? how->flush : how->last ? Z_FINISH : Z_SYNC_FLUSH;
        do {
            ck_assert_int_eq(bytes_reserve(out, 4096), 0);
            stream.next_out = (unsigned char *)out->data + out->len;
            stream.avail_out = 4096;
            deflate(&stream, flush);
            out->len += 4096 - stream.avail_out;
        } while (stream.avail_out == 0);
    } while (len > 0);
    deflateEnd(&stream);
    if (how->last) {
        ck_assert_int_eq(bytes_append(out, "", 1), 0);
    } else if (out->len > start) { /* zlib has nothing to flush in an empty text */
        ck_assert_uint_ge(out->len - start, 4);
        ck_assert_mem_eq(out->data + out->len - 4, "\0\0\xff\xff", 4);
        out->len -= 4;
    }
}

/* A compressed message in fragments, pings among them. */
static unsigned put_message(struct dice *dice, const struct bytes *packed)
{
    unsigned pings = 0;
    size_t at = 0;
    bool first = true, last;
    do {
        size_t len = packed->len > at ? dice_roll(dice, packed->len - at + 1) : 0;
        last = at + len == packed->len;
        wire_put_frame((first ? 0x41 : 0x00) | (last ? 0x80 : 0), packed->data + at, len);
        at += len;
        first = false;
        if (!last && dice_roll(dice, 2) == 0) {
            wire_write("89:ping");
            pings++;
        }
    } while (!last);
    return pings;
}

static void random_text(struct dice *dice, struct bytes *text)
{
    static const char *const words[] = {"{\"type\":\"ingest\"", "timestamp", "\xc3\xa4\xc3\xb6",
                                        "\xe2\x82\xac",         "0",         "\xf0\x9f\x98\x80"};
    size_t len = dice_roll(dice, dice_roll(dice, 2) == 0 ? 100 : 100000);
    bool noise = dice_roll(dice, 4) == 0;
    text->len = 0;
    while (text->len < len) {
        const char *word = words[dice_roll(dice, sizeof words / sizeof *words)];
        char c = (char)dice_roll(dice, 0x80);
        wire_append(text, noise ? &c : word, noise ? 1 : strlen(word));
    }
}

START_TEST(frames_inflate_whatever_zlib_writes)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK};
    struct dice dice = dice_new();
    struct bytes text = {0}, packed = {0};
    for (unsigned round = 7 * (unit_rounds(100) + 1); round > 0; round--) {
        struct manner how = {.level = (int)dice_roll(&dice, 10),
                             .window = 9 + (int)(round % 7),
                             .memory = 1 + (int)dice_roll(&dice, 9),
                             .strategy = (int)dice_roll(&dice, 5),
                             .flush = flushes[dice_roll(&dice, 5)],
                             .part = dice_roll(&dice, 2) * (500 + dice_roll(&dice, 10000)),
                             .last = dice_roll(&dice, 4) == 0};
        random_text(&dice, &text);
        packed.len = wire.bytes.len = 0;
        deflate_text(&how, text.data, text.len, &packed);
        unsigned pings = put_message(&dice, &packed);
        size_t split = dice_roll(&dice, wire.bytes.len);
        const char *seen = wire_read(text.len, true, split, dice_roll(&dice, 3000));
        size_t tail = 0;
        for (unsigned i = 0; i < pings; i++, tail += strlen("PING ping|"))
            ck_assert_int_eq(strncmp(seen + tail, "PING ping|", 10), 0);
        ck_assert_msg(strncmp(seen + tail, "TEXT ", 5) == 0, "level %d window %d memory %d: %.99s",
                      how.level, how.window, how.memory, seen);
        ck_assert_uint_eq(wire_text.len, text.len);
        ck_assert(text.len == 0 || memcmp(wire_text.data, text.data, text.len) == 0);
    }
    bytes_clear(&text);
    bytes_clear(&packed);
}
END_TEST

static const struct manner usual = {.level = 6, .window = 15, .memory = 8};

/* No cut of a message is taken for the whole, and none makes up what was not said. */
START_TEST(frames_refuse_messages_cut_short)
{
    struct dice dice = dice_new();
    for (int i = 0; i < 20; i++) {
        struct bytes text = {0}, packed = {0};
        while (text.len < 300)
            random_text(&dice, &text);
        text.len = 300;
        while ((text.data[text.len - 1] & 0x80) != 0)
            text.len--;
        struct manner how = usual;
        how.part = i % 2 == 0 ? 0 : 100;
        how.flush = Z_SYNC_FLUSH;
        deflate_text(&how, text.data, text.len, &packed);
        unsigned refused = 0;
        for (size_t len = 0; len < packed.len; len++) {
            wire.bytes.len = 0;
            wire_put_frame(0xc1, packed.data, len);
            const char *seen = wire_read(MAX, true, 0, 0);
            if (strcmp(seen, "FAILED 1007") == 0) {
                refused++;
                continue;
            }
            ck_assert_int_eq(strncmp(seen, "TEXT ", 5), 0);
            ck_assert_uint_lt(wire_text.len, text.len);
            ck_assert(wire_text.len == 0 || memcmp(wire_text.data, text.data, wire_text.len) == 0);
        }
        ck_assert_uint_ge(refused, packed.len - 10); /* it may end where the sender flushed */
        bytes_clear(&text);
        bytes_clear(&packed);
    }
}
END_TEST

START_TEST(frames_limit_the_inflated_size)
{
    static const size_t sizes[] = {1, 2, 100, 1023, 1024, 1025, 5000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int noise = 0; noise < 2; noise++) {
            struct dice dice = dice_new();
            struct bytes text = {0}, packed = {0};
            ck_assert_int_eq(bytes_reserve(&text, sizes[i]), 0);
            for (text.len = 0; text.len < sizes[i]; text.len++)
                text.data[text.len] = (char)(noise ? dice_roll(&dice, 0x80) : '0');
            struct manner how = usual;
            how.level = noise ? 0 : 6; /* stored: longer than the text */
            deflate_text(&how, text.data, text.len, &packed);
            wire.bytes.len = 0;
            wire_put_frame(0xc1, packed.data, packed.len);
            for (size_t step = 0; step < 2; step++) {
                ck_assert_int_eq(strncmp(wire_read(sizes[i], true, 0, step), "TEXT ", 5), 0);
                ck_assert_uint_eq(wire_text.len, sizes[i]);
                ck_assert_str_eq(wire_read(sizes[i] - 1, true, 0, step), "FAILED 1009");
            }
            bytes_clear(&text);
            bytes_clear(&packed);
        }
}
END_TEST

START_TEST(frames_pay_no_more_for_a_bomb_than_for_a_legal_message)
{
    struct bytes packed = {0};
    z_stream stream = {0};
    static unsigned char zeros[100000], out[100000];
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < 1000; i++) {
        stream.next_in = zeros;
        stream.avail_in = sizeof zeros;
        stream.next_out = out;
        stream.avail_out = sizeof out;
        ck_assert_int_eq(deflate(&stream, i < 999 ? Z_NO_FLUSH : Z_SYNC_FLUSH), Z_OK);
        wire_append(&packed, out, sizeof out - stream.avail_out);
    }
    deflateEnd(&stream);
    ck_assert_uint_lt(packed.len, 200000);

    wire_put_frame(0xc1, packed.data, packed.len - 4);
    for (int alone = 0; alone < 2; alone++) {
        struct frames *frames = frames_new(1 << 20, true, wire_source, NULL);
        wire_seen.len = wire.at = wire.there = 0;
        while (wire_seen.len == 0 && wire.there < wire.bytes.len) {
            wire.there =
                alone || wire.there + 100 > wire.bytes.len ? wire.bytes.len : wire.there + 100;
            wire_drain(frames);
            ck_assert_uint_le(frames_held(frames), (1 << 20) / 2 * 3 + 65536);
        }
        ck_assert_uint_eq(wire_seen.len, strlen("FAILED 1009"));
        ck_assert_uint_lt(wire.at, 10000); /* that much of it was inflated */
        frames_free(frames);
    }
    bytes_clear(&packed);
}
END_TEST

/* Empty blocks inflate to nothing, but not for ever. */
START_TEST(frames_limit_what_a_compressed_message_takes_on_the_wire)
{
    struct bytes blocks = {0};
    while (blocks.len < 1100)
        wire_append(&blocks, "\0\0\0\xff\xff", 5);
    wire_append(&blocks, "", 1);
    wire_put_frame(0x41, blocks.data, 1000);
    wire_put_frame(0x80, blocks.data + 1000, blocks.len - 1000);
    wire_gives(100, true, "TEXT ", "1101 bytes of empty blocks");
    wire.bytes.len = 0;
    for (int i = 0; i < 20; i++)
        wire_put_frame(i == 0 ? 0x41 : 0x00, blocks.data, 1000);
    wire_gives(10000, true, "FAILED 1009", "20000 bytes of empty blocks");
    bytes_clear(&blocks);
}
END_TEST

START_TEST(frames_hold_a_context_while_a_message_is_under_way)
{
    struct frames *frames = frames_new(MAX, true, wire_source, NULL);
    static const char *const parts[] = {"41:%f2H", "89:", "80:%cd%c9%c9%07%00", ("c1:" HELLO)};
    static const bool held[] = {true, true, false, false};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        wire_write(parts[i]);
        wire.there = wire.bytes.len;
        wire_drain(frames);
        ck_assert_int_eq(frames_held(frames) > 7000, held[i]);
        ck_assert_int_eq(frames_within(frames), held[i]);
    }
    frames_free(frames);
}
END_TEST

START_TEST(frames_limit_counts_for_the_compressed_message_under_way)
{
    static const size_t limits[] = {4, 5};
    static const char *const items[] = {"FAILED 1009", "TEXT Hello"};
    for (size_t i = 0; i < 2; i++) {
        struct frames *frames = frames_new(MAX, true, wire_source, NULL);
        wire.bytes.len = wire.at = wire_seen.len = 0;
        wire_write("41:" HELLO);
        wire.there = wire.bytes.len;
        wire_drain(frames);
        frames_limit(frames, limits[i]);
        wire_write("80:");
        wire.there = wire.bytes.len;
        wire_drain(frames);
        wire_append(&wire_seen, "", 1);
        ck_assert_str_eq(wire_seen.data, items[i]);
        frames_free(frames);
    }
}
END_TEST

/* Damage at every place of messages that were good: any two ways to cut the wire into pieces give
 * the same verdict. */
START_TEST(frames_do_not_care_how_compressed_bytes_come)
{
    struct dice dice = dice_new();
    struct bytes text = {0}, packed = {0};
    for (unsigned round = unit_rounds(5000); round > 0; round--) {
        struct manner how = usual;
        how.level = (int)dice_roll(&dice, 10);
        how.last = dice_roll(&dice, 3) == 0;
        random_text(&dice, &text);
        packed.len = wire.bytes.len = 0;
        deflate_text(&how, text.data, text.len < 1500 ? text.len : 1500, &packed);
        for (size_t n = dice_roll(&dice, 3); n > 0 && packed.len > 0; n--)
            packed.data[dice_roll(&dice, packed.len)] ^= (char)(1 << dice_roll(&dice, 8));
        put_message(&dice, &packed);
        wire_write(deflate_cases[dice_roll(&dice, CASES)].frames);
        char *wanted = strdup(wire_read(MAX, true, 0, 0));
        for (size_t i = 0; i < 3; i++) {
            size_t step = i == 0 ? 1 : 1 + dice_roll(&dice, 100);
            const char *seen = wire_read(MAX, true, dice_roll(&dice, wire.bytes.len), step);
            ck_assert_msg(strcmp(seen, wanted) == 0, "%s, not %s", seen, wanted);
        }
        free(wanted);
    }
    bytes_clear(&text);
    bytes_clear(&packed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames_deflate");
    TCase *tests = tcase_create("frames_deflate");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, wire_setup, wire_teardown);
    tcase_add_loop_test(tests, frames_inflate_what_was_deflated, 0, CASES);
    tcase_add_test(tests, frames_refuse_compression_that_was_not_agreed_on);
    tcase_add_test(tests, frames_inflate_whatever_zlib_writes);
    tcase_add_test(tests, frames_refuse_messages_cut_short);
    tcase_add_test(tests, frames_limit_the_inflated_size);
    tcase_add_test(tests, frames_pay_no_more_for_a_bomb_than_for_a_legal_message);
    tcase_add_test(tests, frames_limit_what_a_compressed_message_takes_on_the_wire);
    tcase_add_test(tests, frames_hold_a_context_while_a_message_is_under_way);
    tcase_add_test(tests, frames_limit_counts_for_the_compressed_message_under_way);
    tcase_add_test(tests, frames_do_not_care_how_compressed_bytes_come);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
