#include <string.h>

#include "server/chunked.h"
#include "unit.h"

#define LIMIT 20

struct chunked_case {
    const char *name;
    const char *text; /* the body, and perhaps what is pipelined behind it */
    int status;
    const char *out; /* decoded, when done */
    size_t behind;   /* bytes that belong to the next request */
};

static const struct chunked_case chunked_cases[] = {
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"two chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"no data", "0\r\n\r\n", CHUNKED_DONE, "", 0},
    {"hexadecimal of both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", CHUNKED_DONE,
     "01234567890123456789", 0},
    {"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"an extension", "5;a=\"b\";c\r\nhello\r\n0;x\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"space behind the size", "5 \r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"trailers", "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"something pipelined", "1\r\nx\r\n0\r\n\r\nGET /", CHUNKED_DONE, "x", 5},
    {"data that looks like chunks", "7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", CHUNKED_DONE, "0\r\n\r\n0\r",
     0},
    {"the end is missing", "5\r\nhello\r\n0\r\n", CHUNKED_MORE, NULL, 0},
    {"a size below zero", "-5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a signed size", "+5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"0x", "0x5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"no size", "\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"words", "five\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"space before the size", " 5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a lone LF behind the size", "5\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a lone CR behind the size", "5\rhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a chunk longer than it says", "4\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a chunk shorter than it says", "6\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a lone LF behind the data", "5\r\nhello\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a control character in an extension", "5;\001\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a lone LF in a trailer", "0\r\nA: b\nC: d\r\n\r\n", CHUNKED_BAD, NULL, 0},
    {"a lone CR at the end", "0\r\n\rx", CHUNKED_BAD, NULL, 0},
    {"the limit", "14\r\n01234567890123456789\r\n0\r\n\r\n", CHUNKED_DONE, "01234567890123456789",
     0},
    {"one over the limit", "15\r\n012345678901234567890\r\n0\r\n\r\n", CHUNKED_TOO_LARGE, NULL, 0},
    {"over the limit in sum", "14\r\n01234567890123456789\r\n1\r\nx\r\n0\r\n\r\n",
     CHUNKED_TOO_LARGE, NULL, 0},
    {"2^60", "1000000000000000\r\n", CHUNKED_TOO_LARGE, NULL, 0},
    {"a size that wraps 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n", CHUNKED_TOO_LARGE,
     NULL, 0},
};

/* Every cut of the text into two, and single bytes. */
START_TEST(chunked_is_decoded_by_the_table_however_it_comes)
{
    const struct chunked_case *c = &chunked_cases[_i];
    size_t len = strlen(c->text);
    for (size_t cut = 0; cut <= len + 1; cut++) {
        struct chunked chunked = {0};
        struct bytes out;
        size_t at = 0;
        int status = CHUNKED_MORE;
        bytes_init(&out);
        while (at < len && status == CHUNKED_MORE) {
            size_t to = cut == len + 1 ? at + 1 : at < cut ? cut : len, used = 0;
            status = chunked_read(&chunked, c->text + at, to - at, LIMIT, &out, &used);
            ck_assert_uint_le(used, to - at);
            at += used;
        }
        ck_assert_msg(status == c->status, "%s, cut at %zu: %d", c->name, cut, status);
        if (status == CHUNKED_DONE) {
            ck_assert_uint_eq(at, len - c->behind);
            ck_assert_uint_eq(out.len, strlen(c->out));
            ck_assert(out.len == 0 || memcmp(out.data, c->out, out.len) == 0);
        }
        bytes_clear(&out);
    }
}
END_TEST

START_TEST(chunked_lines_are_bounded)
{
    struct chunked chunked = {0};
    struct bytes out;
    size_t used, sent = 0;
    int status = CHUNKED_MORE;
    bytes_init(&out);
    ck_assert_int_eq(chunked_read(&chunked, "1;", 2, LIMIT, &out, &used), CHUNKED_MORE);
    while (status == CHUNKED_MORE && sent < 2 * CHUNKED_LINE_BYTES) {
        status = chunked_read(&chunked, "x", 1, LIMIT, &out, &used);
        sent++;
    }
    ck_assert_int_eq(status, CHUNKED_BAD);
    chunked = (struct chunked){0};
    ck_assert_int_eq(chunked_read(&chunked, "0\r\n", 3, LIMIT, &out, &used), CHUNKED_MORE);
    for (sent = 0; sent < 2 * CHUNKED_LINE_BYTES; sent++)
        if (chunked_read(&chunked, "a:b\r\n", 5, LIMIT, &out, &used) != CHUNKED_MORE)
            break;
    ck_assert_uint_lt(sent, CHUNKED_LINE_BYTES);
    bytes_clear(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chunked");
    TCase *tcase = tcase_create("chunked");
    tcase_add_loop_test(tcase, chunked_is_decoded_by_the_table_however_it_comes, 0,
                        (int)(sizeof chunked_cases / sizeof *chunked_cases));
    tcase_add_test(tcase, chunked_lines_are_bounded);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
