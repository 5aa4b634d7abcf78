#include <string.h>

#include "contract/etag.h"
#include "unit.h"

static const unsigned char key[SIPHASH_KEY_BYTES] = {1};

static const struct {
    const char *header;
    bool matches;
} cases[] = {
    {"W/\"0123456789abcdef\"", true},
    {"\"0123456789abcdef\"", true}, /* weak comparison */
    {"*", true},
    {" \t* ", false}, /* white space around a header's value is gone when it comes here */
    {"\"other\", W/\"0123456789abcdef\"", true},
    {"\"other\",W/\"x\",\"0123456789abcdef\"", true},
    {"W/\"0123456789abcdef\", garbage", true},
    {"garbage, W/\"0123456789abcdef\"", false},
    {", ,W/\"0123456789abcdef\"", true},
    {"\"a,b\", \"0123456789abcdef\"", true},
    {"\"a, W/\"0123456789abcdef\"", false},
    {"W/\"0123456789abcdee\"", false},
    {"W/\"0123456789abcdef", false},
    {"W/0123456789abcdef", false},
    {"0123456789abcdef", false},
    {"w/\"0123456789abcdef\"", false},
    {"W/\"\"", false},
    {"\"\"", false},
    {"\"", false},
    {"W/", false},
    {"*, \"x\"", false},
    {"", false},
    {NULL, false},
};

START_TEST(etag_is_found_in_a_list_as_rfc_9110_has_it)
{
    const char *header = cases[_i].header;
    ck_assert_msg(etag_matches(header, "W/\"0123456789abcdef\"") == cases[_i].matches, "%s",
                  header != NULL ? header : "no header");
}
END_TEST

START_TEST(etag_is_another_for_another_total_epoch_number_of_erasures_or_database)
{
    static const unsigned char other_key[SIPHASH_KEY_BYTES] = {2};
    char tags[6][ETAG_SIZE];
    etag_make(tags[0], 1, 2, 3, key);
    etag_make(tags[1], 2, 2, 3, key);
    etag_make(tags[2], 1, 3, 3, key);
    etag_make(tags[3], 1, 2, 4, key);
    etag_make(tags[4], 1, 23, 0, key);
    etag_make(tags[5], 1, 2, 3, other_key);
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_eq(strlen(tags[i]), ETAG_SIZE - 1);
        ck_assert(etag_matches(tags[i], tags[i]));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(tags[i], tags[j]);
    }
    etag_make(tags[1], 1, 2, 3, key);
    ck_assert_str_eq(tags[0], tags[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("etag");
    TCase *tests = tcase_create("etag");
    tcase_add_loop_test(tests, etag_is_found_in_a_list_as_rfc_9110_has_it, 0,
                        sizeof cases / sizeof *cases);
    tcase_add_test(tests, etag_is_another_for_another_total_epoch_number_of_erasures_or_database);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
