#include "server/coding.h"
#include "unit.h"

struct coding_case {
    const char *header;
    bool gzip;
};

static const struct coding_case coding_cases[] = {
    {NULL, false},
    {"", false},
    {"gzip", true},
    {"GZip", true},
    {"x-gzip", true},
    {"gzip, deflate, br, zstd", true},
    {"br,gzip", true},
    {" br , gzip ", true},
    {"deflate, br", false},
    {"identity", false},
    {"*", true},
    {"*;q=0", false},
    {"*;q=0, gzip", true},
    {"gzip;q=0", false},
    {"gzip; q=0", false},
    {"gzip ;q=0.000", false},
    {"gzip;Q=0", false},
    {"gzip;q=0.001", true},
    {"gzip;q=1", true},
    {"gzip;q=0, *", false},
    {"gzip;x=1;q=0", false},
    {"gzipped", false},
    {"gz", false},
    {",,,gzip", true},
    {";;;", false},
};

START_TEST(coding_reads_accept_encoding_by_the_table)
{
    const struct coding_case *c = &coding_cases[_i];
    ck_assert_msg(coding_accepts_gzip(c->header) == c->gzip, "%s",
                  c->header != NULL ? c->header : "(none)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coding");
    TCase *tcase = tcase_create("coding");
    tcase_add_loop_test(tcase, coding_reads_accept_encoding_by_the_table, 0,
                        (int)(sizeof coding_cases / sizeof *coding_cases));
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
