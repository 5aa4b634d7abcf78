#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "contract/inflate.h"
#include "dice.h"
#include "unit.h"

static struct bytes packed, plain, out;

static void inflate_setup(void)
{
    bytes_init(&packed);
    bytes_init(&plain);
    bytes_init(&out);
}

static void inflate_teardown(void)
{
    bytes_clear(&packed);
    bytes_clear(&plain);
    bytes_clear(&out);
}

/* Appends one member of plain[from..from+len) to packed; window 31 is gzip, 15 zlib, -15 raw. */
static void pack(size_t from, size_t len, int window)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, len) + 64;
    ck_assert_int_eq(bytes_reserve(&packed, room), 0);
    stream.next_in = (unsigned char *)plain.data + from;
    stream.avail_in = (uInt)len;
    stream.next_out = (unsigned char *)packed.data + packed.len;
    stream.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.len += stream.total_out;
    deflateEnd(&stream);
}

static void fill(size_t len, bool random)
{
    struct dice dice = dice_new();
    ck_assert_int_eq(bytes_reserve(&plain, len + 1), 0);
    for (size_t i = 0; i < len; i++)
        plain.data[i] = (char)(random ? dice_next(&dice) >> 40 : 'a' + i % 7);
    plain.len = len;
}

static int unpack(size_t max_len)
{
    /* An exact copy, for the tools that watch over reads. */
    char *copy = malloc(packed.len + 1);
    memcpy(copy + 1, packed.data, packed.len);
    out.len = 0;
    int status = inflate_gzip(copy + 1, packed.len, max_len, &out);
    free(copy);
    return status;
}

static void check_plain(void)
{
    ck_assert_uint_eq(out.len, plain.len);
    ck_assert(plain.len == 0 || memcmp(out.data, plain.data, plain.len) == 0);
}

START_TEST(inflate_reads_texts_of_many_sizes)
{
    static const size_t sizes[] = {0, 1, 100, 4095, 4096, 4097, 70000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int random = 0; random < 2; random++) {
            fill(sizes[i], random);
            packed.len = 0;
            pack(0, plain.len, 31);
            ck_assert_int_eq(unpack(1 << 23), INFLATE_OK);
            check_plain();
        }
}
END_TEST

START_TEST(inflate_appends_to_what_is_there)
{
    fill(1000, false);
    pack(0, 1000, 31);
    ck_assert_int_eq(bytes_append_text(&out, "head"), 0);
    ck_assert_int_eq(inflate_gzip(packed.data, packed.len, 1000, &out), INFLATE_OK);
    ck_assert_uint_eq(out.len, 1004);
    ck_assert_mem_eq(out.data, "head", 4);
    ck_assert_mem_eq(out.data + 4, plain.data, 1000);
}
END_TEST

START_TEST(inflate_reads_several_members)
{
    fill(50000, true);
    pack(0, 10, 31);
    pack(10, 0, 31);
    pack(10, 30000, 31);
    pack(30010, 19990, 31);
    ck_assert_int_eq(unpack(50000), INFLATE_OK);
    check_plain();
    ck_assert_int_eq(unpack(49999), INFLATE_TOO_LARGE);
}
END_TEST

START_TEST(inflate_stops_at_the_limit)
{
    static const size_t sizes[] = {1, 5000, 4096, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fill(sizes[i], true);
        packed.len = 0;
        pack(0, plain.len, 31);
        ck_assert_int_eq(unpack(plain.len), INFLATE_OK);
        check_plain();
        ck_assert_int_eq(unpack(plain.len - 1), INFLATE_TOO_LARGE);
        ck_assert_int_eq(unpack(0), INFLATE_TOO_LARGE);
    }
    fill(0, false);
    packed.len = 0;
    pack(0, 0, 31);
    ck_assert_int_eq(unpack(0), INFLATE_OK);
}
END_TEST

START_TEST(inflate_pays_no_more_for_a_bomb_than_for_a_legal_body)
{
    const size_t len = (unit_slow() ? 20 : 200) << 20;
    ck_assert_int_eq(bytes_reserve(&plain, len), 0);
    plain.len = len;
    memset(plain.data, '0', plain.len);
    pack(0, plain.len, 31);
    ck_assert_uint_lt(packed.len, len / 700);
    ck_assert_int_eq(unpack(1 << 20), INFLATE_TOO_LARGE);
    ck_assert_uint_le(out.len, 1 << 20);
    ck_assert_uint_le(out.capacity, 2 << 20);
}
END_TEST

START_TEST(inflate_refuses_every_cut)
{
    fill(3000, true);
    pack(0, 1000, 31);
    pack(1000, 2000, 31);
    size_t whole = packed.len, first = 0;
    for (packed.len = 0; packed.len < whole; packed.len++) {
        int status = unpack(1 << 20);
        if (status == INFLATE_OK) {
            ck_assert_uint_eq(first, 0); /* once: behind the first member */
            ck_assert_uint_eq(out.len, 1000);
            first = packed.len;
        } else {
            ck_assert_int_eq(status, INFLATE_BAD);
        }
    }
    ck_assert_uint_gt(first, 1000);
}
END_TEST

START_TEST(inflate_refuses_what_stands_behind)
{
    static const char *const garbage[] = {"x", "garbage", "\x1f", "\x1f\x8b", "\x1f\x8b\x08"};
    fill(1000, false);
    pack(0, 1000, 31);
    size_t len = packed.len;
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        packed.len = len;
        ck_assert_int_eq(bytes_append_text(&packed, garbage[i]), 0);
        ck_assert_int_eq(unpack(1 << 20), INFLATE_BAD);
    }
    packed.len = len;
    ck_assert_int_eq(bytes_append(&packed, "\0\0\0\0", 4), 0);
    ck_assert_int_eq(unpack(1 << 20), INFLATE_BAD);
}
END_TEST

START_TEST(inflate_refuses_other_forms)
{
    fill(1000, false);
    pack(0, 1000, 15);
    ck_assert_int_eq(unpack(1 << 20), INFLATE_BAD);
    packed.len = 0;
    pack(0, 1000, -15);
    ck_assert_int_eq(unpack(1 << 20), INFLATE_BAD);
    packed.len = 0;
    ck_assert_int_eq(bytes_append_text(&packed, "{\"events\":[]}"), 0);
    ck_assert_int_eq(unpack(1 << 20), INFLATE_BAD);
}
END_TEST

START_TEST(inflate_notices_every_damaged_byte_of_text_and_sums)
{
    fill(400, true);
    pack(0, 400, 31);
    /* Text that can't be packed is stored. Of the byte behind the header most bits mean nothing. */
    for (size_t i = 11; i < packed.len; i++) {
        packed.data[i] ^= 0x10;
        int status = unpack(1 << 20);
        ck_assert_msg(status == INFLATE_BAD, "byte %zu of %zu: %d", i, packed.len, status);
        packed.data[i] ^= 0x10;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inflate");
    TCase *tests = tcase_create("inflate");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, inflate_setup, inflate_teardown);
    tcase_add_test(tests, inflate_reads_texts_of_many_sizes);
    tcase_add_test(tests, inflate_appends_to_what_is_there);
    tcase_add_test(tests, inflate_reads_several_members);
    tcase_add_test(tests, inflate_stops_at_the_limit);
    tcase_add_test(tests, inflate_pays_no_more_for_a_bomb_than_for_a_legal_body);
    tcase_add_test(tests, inflate_refuses_every_cut);
    tcase_add_test(tests, inflate_refuses_what_stands_behind);
    tcase_add_test(tests, inflate_refuses_other_forms);
    tcase_add_test(tests, inflate_notices_every_damaged_byte_of_text_and_sums);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
