#include <string.h>

#include "contract/admin_host.h"
#include "unit.h"

static char *const names[] = {(char *)"metrics.example", (char *)"Beacond"};

static const struct {
    const char *host;
    bool allowed;
} hosts[] = {
    {NULL, true},
    {"localhost", true},
    {"LOCALHOST:9100", true},
    {"a.b.localhost", true},
    {"127.0.0.1:9100", true},
    {"10.1.2.3", true},
    {"192.0.2.1:65535", true},
    {"[::1]:9100", true},
    {"[2001:db8::1]", true},
    {"metrics.example", true},
    {"Metrics.Example:9100", true},
    {"beacond:9100", true},
    {"", false},
    {":9100", false},
    {"evil.example", false},
    {"evil.example:9100", false},
    {"metrics.example.evil", false},
    {"evil.metrics.example", false},
    {"metrics.example.", false},
    {"localhost.evil", false},
    {"evillocalhost", false},
    {".localhost", false},
    {"127.0.0.1.evil", false},
    {"127.0.0.1:evil", false},
    {"127.0.0.1:", false},
    {"127.0.0.1:123456", false},
    {"127.0.0.1 evil", false},
    {"127.1", false},
    {"2130706433", false},
    {"0x7f000001", false},
    {"[::1", false},
    {"[", false},
    {"[]", false},
    {"[::1]evil", false},
    {"[evil.example]", false},
    {"::1", false},
    {"metrics.example@evil", false},
    {"beacon", false},
    {"beacondd", false},
};

START_TEST(a_host_that_a_page_can_own_is_refused)
{
    const char *host = hosts[_i].host;
    ck_assert_msg(admin_host_allowed(host, names, 2) == hosts[_i].allowed, "%s",
                  host == NULL ? "none" : host);
}
END_TEST

static const struct {
    const char *name;
    bool fine;
} given[] = {
    {"metrics.example", true}, {"beacond", true},    {"a_b-c.D9", true},     {"", false},
    {"a:9100", false},         {"a b", false},       {"127.0.0.1", false},   {"http://a", false},
    {"[::1]", false},          {"*.example", false}, {"caf\xc3\xa9", false}, {"a/b", false},
};

START_TEST(a_name_is_a_host_name_and_no_more)
{
    struct error err = {""};
    int status = admin_host_check(given[_i].name, &err);
    ck_assert_msg((status == 0) == given[_i].fine, "%s", given[_i].name);
    ck_assert((err.text[0] == '\0') == given[_i].fine);
}
END_TEST

START_TEST(a_name_has_its_length)
{
    struct error err = {""};
    char name[255];
    memset(name, 'a', sizeof name);
    name[254] = '\0';
    ck_assert_int_eq(admin_host_check(name, &err), -1);
    name[253] = '\0';
    ck_assert_int_eq(admin_host_check(name, &err), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_host");
    TCase *tests = tcase_create("admin_host");
    tcase_add_loop_test(tests, a_host_that_a_page_can_own_is_refused, 0,
                        sizeof hosts / sizeof *hosts);
    tcase_add_loop_test(tests, a_name_is_a_host_name_and_no_more, 0, sizeof given / sizeof *given);
    tcase_add_test(tests, a_name_has_its_length);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
