#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha1.h"
#include "unit.h"

static char sha1_text[2 * SHA1_BYTES + 1];

static const char *sha1_hex(const void *data, size_t len)
{
    unsigned char sum[SHA1_BYTES];
    sha1(data, len, sum);
    for (size_t i = 0; i < SHA1_BYTES; i++)
        snprintf(sha1_text + 2 * i, 3, "%02x", sum[i]);
    return sha1_text;
}

START_TEST(sha1_gives_the_examples_of_the_standard)
{
    static const char *const cases[][2] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "a49b2446a02c645bf419f995b67091253a04a259"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(sha1_hex(cases[i][0], strlen(cases[i][0])), cases[i][1]);
}
END_TEST

START_TEST(sha1_gives_the_example_of_a_million_bytes)
{
    char *text = malloc(1000000);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', 1000000);
    ck_assert_str_eq(sha1_hex(text, 1000000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(text);
}
END_TEST

/* Where the padding goes into a block of its own and where it does not. */
START_TEST(sha1_pads_at_the_edges_of_a_block)
{
    static const struct {
        size_t len;
        const char *sum;
    } cases[] = {
        {1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
        {54, "b05d71c64979cb95fa74a33cdb31a40d258ae02e"},
        {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
        {57, "f08f24908d682555111be7ff6f004e78283d989a"},
        {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
        {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
        {119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"},
        {120, "f34c1488385346a55709ba056ddd08280dd4c6d6"},
        {127, "89d95fa32ed44a7c610b7ee38517ddf57e0bb975"},
        {128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0"},
        {129, "d96debf1bdcbc896e6c134ea76e8141f40d78536"},
    };
    char text[200];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(sha1_hex(text, cases[i].len), cases[i].sum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha1");
    TCase *tests = tcase_create("sha1");
    tcase_add_test(tests, sha1_gives_the_examples_of_the_standard);
    tcase_add_test(tests, sha1_gives_the_example_of_a_million_bytes);
    tcase_add_test(tests, sha1_pads_at_the_edges_of_a_block);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
