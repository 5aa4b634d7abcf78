#include <string.h>

#include "base/siphash.h"
#include "unit.h"

/* Key 00 01 … 0f, input 00 01 … of each length: the result for length 15 is the example worked
 * through in appendix A of the paper; the others are those of the authors' reference code. */
static const uint64_t siphash_vectors[] = {
    UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
    UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
    UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
    UINT64_C(0xa129ca6149be45e5),
};

static unsigned char siphash_key[SIPHASH_KEY_BYTES];

static void siphash_setup(void)
{
    for (unsigned i = 0; i < SIPHASH_KEY_BYTES; i++)
        siphash_key[i] = (unsigned char)i;
}

START_TEST(siphash_gives_the_reference_values)
{
    unsigned char input[64];
    for (unsigned i = 0; i < sizeof input; i++)
        input[i] = (unsigned char)i;
    for (size_t len = 0; len < sizeof siphash_vectors / sizeof *siphash_vectors; len++)
        ck_assert_uint_eq(siphash(siphash_key, input, len), siphash_vectors[len]);
}
END_TEST

START_TEST(siphash_does_not_care_where_the_bytes_lie)
{
    unsigned char room[80] = {0};
    uint64_t wanted = siphash_vectors[15];
    for (unsigned shift = 0; shift < 16; shift++) {
        for (unsigned i = 0; i < 15; i++)
            room[shift + i] = (unsigned char)i;
        ck_assert_uint_eq(siphash(siphash_key, room + shift, 15), wanted);
    }
}
END_TEST

START_TEST(siphash_depends_on_every_bit_of_key_and_text)
{
    unsigned char text[23] = "twenty-three bytes long";
    uint64_t plain = siphash(siphash_key, text, sizeof text);
    for (size_t bit = 0; bit < sizeof text * 8; bit++) {
        text[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_uint_ne(siphash(siphash_key, text, sizeof text), plain);
        text[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < sizeof siphash_key * 8; bit++) {
        siphash_key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_uint_ne(siphash(siphash_key, text, sizeof text), plain);
        siphash_key[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tests = tcase_create("siphash");
    tcase_add_unchecked_fixture(tests, siphash_setup, NULL);
    tcase_add_test(tests, siphash_gives_the_reference_values);
    tcase_add_test(tests, siphash_does_not_care_where_the_bytes_lie);
    tcase_add_test(tests, siphash_depends_on_every_bit_of_key_and_text);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
