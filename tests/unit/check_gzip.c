#include <string.h>
#include <zlib.h>

#include "cache/gzip.h"
#include "dice.h"
#include "slurp.h"
#include "unit.h"

#define MOST_PIECES 40

static struct bytes plain, glued, back;
static struct gzip_pieces *pieces;

static void gzip_setup(void)
{
    bytes_init(&plain);
    bytes_init(&glued);
    bytes_init(&back);
    slurp(&plain, "stock-client/events.ndjson");
    pieces = gzip_pieces_new(1);
    ck_assert_ptr_nonnull(pieces);
}

static void gzip_teardown(void)
{
    bytes_clear(&plain);
    bytes_clear(&glued);
    bytes_clear(&back);
    gzip_pieces_free(pieces);
}

static void glue_head(struct gzip_sum *sum)
{
    *sum = (struct gzip_sum){0, 0};
    glued.len = 0;
    ck_assert_int_eq(bytes_append(&glued, gzip_header, GZIP_HEADER_BYTES), 0);
}

static void glue_tail(const struct gzip_sum *sum)
{
    unsigned char trailer[GZIP_TRAILER_BYTES];
    gzip_trailer(trailer, sum);
    ck_assert_int_eq(bytes_append(&glued, trailer, sizeof trailer), 0);
}

/* zlib must read glued as one member, whole, and give this text. */
static void check_reads(const char *text, size_t len)
{
    z_stream stream = {0};
    ck_assert_int_eq(inflateInit2(&stream, 31), Z_OK);
    back.len = 0;
    ck_assert_int_eq(bytes_reserve(&back, len + 100), 0);
    stream.next_in = (unsigned char *)glued.data;
    stream.avail_in = (uInt)glued.len;
    stream.next_out = (unsigned char *)back.data;
    stream.avail_out = (uInt)(len + 100);
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.avail_in, 0);
    ck_assert_uint_eq(stream.total_out, len);
    ck_assert(len == 0 || memcmp(back.data, text, len) == 0);
    inflateEnd(&stream);
}

START_TEST(gzip_glues_pieces_of_any_cut)
{
    struct dice dice = dice_new();
    for (int round = 0; round < 40; round++) {
        struct gzip_sum sum;
        glue_head(&sum);
        size_t at = 0;
        while (at < plain.len) {
            size_t len = dice_roll(&dice, 5) == 0 ? 0 : dice_roll(&dice, 1 << dice_roll(&dice, 17));
            if (len > plain.len - at)
                len = plain.len - at;
            uint32_t crc;
            ck_assert_int_eq(gzip_piece(pieces, plain.data + at, len, &glued, &crc), 0);
            gzip_sum_add(&sum, crc, len);
            at += len;
        }
        glue_tail(&sum);
        check_reads(plain.data, plain.len);
    }
}
END_TEST

START_TEST(gzip_pieces_may_stand_in_any_order_and_twice)
{
    struct dice dice = dice_new();
    struct bytes packed[MOST_PIECES], order;
    uint32_t crcs[MOST_PIECES];
    size_t at[MOST_PIECES], len[MOST_PIECES];
    bytes_init(&order);
    for (size_t i = 0; i < MOST_PIECES; i++) {
        at[i] = plain.len / MOST_PIECES * i;
        len[i] = dice_roll(&dice, plain.len / MOST_PIECES);
        bytes_init(&packed[i]);
        ck_assert_int_eq(gzip_piece(pieces, plain.data + at[i], len[i], &packed[i], &crcs[i]), 0);
    }
    for (int round = 0; round < 50; round++) {
        struct gzip_sum sum;
        glue_head(&sum);
        order.len = 0;
        for (size_t count = dice_roll(&dice, 60); count > 0; count--) {
            size_t i = dice_roll(&dice, MOST_PIECES);
            int failed = bytes_append(&glued, packed[i].data, packed[i].len);
            failed |= bytes_append(&order, plain.data + at[i], len[i]);
            ck_assert_int_eq(failed, 0);
            gzip_sum_add(&sum, crcs[i], len[i]);
        }
        glue_tail(&sum);
        check_reads(order.data, order.len);
    }
    for (size_t i = 0; i < MOST_PIECES; i++)
        bytes_clear(&packed[i]);
    bytes_clear(&order);
}
END_TEST

START_TEST(gzip_of_nothing_is_an_empty_stream)
{
    struct gzip_sum sum;
    glue_head(&sum);
    glue_tail(&sum);
    ck_assert_uint_eq(glued.len, GZIP_HEADER_BYTES + GZIP_TRAILER_BYTES);
    check_reads(NULL, 0);

    glue_head(&sum);
    uint32_t crc = 7;
    ck_assert_int_eq(gzip_piece(pieces, NULL, 0, &glued, &crc), 0);
    ck_assert_uint_eq(crc, 0);
    gzip_sum_add(&sum, crc, 0);
    glue_tail(&sum);
    check_reads(NULL, 0);
}
END_TEST

START_TEST(gzip_packs_what_can_t_be_packed)
{
    struct dice dice = dice_new();
    plain.len = 0;
    ck_assert_int_eq(bytes_reserve(&plain, 1 << 20), 0);
    plain.len = 1 << 20;
    for (size_t i = 0; i < plain.len; i++)
        plain.data[i] = (char)(dice_next(&dice) >> 40);
    for (int level = 1; level <= 9; level += 4) {
        gzip_pieces_free(pieces);
        pieces = gzip_pieces_new(level);
        ck_assert_ptr_nonnull(pieces);
        struct gzip_sum sum;
        glue_head(&sum);
        uint32_t crc;
        ck_assert_int_eq(gzip_piece(pieces, plain.data, plain.len, &glued, &crc), 0);
        ck_assert_uint_eq(crc, crc32(0, (unsigned char *)plain.data, (uInt)plain.len));
        gzip_sum_add(&sum, crc, plain.len);
        glue_tail(&sum);
        check_reads(plain.data, plain.len);
    }
}
END_TEST

START_TEST(gzip_pieces_do_not_depend_on_the_one_before)
{
    struct bytes first, second;
    uint32_t crc;
    bytes_init(&first);
    bytes_init(&second);
    ck_assert_int_eq(gzip_piece(pieces, plain.data, 5000, &first, &crc), 0);
    ck_assert_int_eq(gzip_piece(pieces, plain.data + 300, 70000, &glued, &crc), 0);
    ck_assert_int_eq(gzip_piece(pieces, plain.data, 5000, &second, &crc), 0);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_mem_eq(first.data, second.data, first.len);
    ck_assert_uint_lt(first.len, 2500);
    bytes_clear(&first);
    bytes_clear(&second);
}
END_TEST

START_TEST(gzip_tells_the_length_modulo_2_to_the_32)
{
    unsigned char trailer[GZIP_TRAILER_BYTES];
    struct gzip_sum sum = {.crc = 0x01020304, .plain = UINT64_C(0x1f0e0d0c0b)};
    gzip_trailer(trailer, &sum);
    ck_assert_mem_eq(trailer, "\x03\x00\x04\x03\x02\x01\x0b\x0c\x0d\x0e", 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gzip");
    TCase *tests = tcase_create("gzip");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, gzip_setup, gzip_teardown);
    tcase_add_test(tests, gzip_glues_pieces_of_any_cut);
    tcase_add_test(tests, gzip_pieces_may_stand_in_any_order_and_twice);
    tcase_add_test(tests, gzip_of_nothing_is_an_empty_stream);
    tcase_add_test(tests, gzip_packs_what_can_t_be_packed);
    tcase_add_test(tests, gzip_pieces_do_not_depend_on_the_one_before);
    tcase_add_test(tests, gzip_tells_the_length_modulo_2_to_the_32);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
