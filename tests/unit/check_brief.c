/* An event as a line for a person. */

#include <string.h>

#include "contract/brief.h"
#include "unit.h"

static const struct {
    const char *event;
    const char *wanted; /* behind the time */
} cases[] = {
    {"{}", "- - -:"},
    {"{\"level\":\"warn\",\"type\":\"http\",\"appId\":\"shop\",\"payload\":{\"url\":\"/"
     "a\",\"status\":404,"
     "\"method\":\"GET\",\"duration\":3}}",
     "warn http shop: GET /a 404"},
    {"{\"level\":\"info\",\"payload\":{\"x\":1, \"y\":\"a\\nb\"}}",
     "info - -: {\"x\":1, \"y\":\"a\\\\nb\"}"},
    {"{\"payload\":\"text\\u001b\"}", "- - -: text\\x1b"},
    {"{\"payload\":[1]}", "- - -: [1]"},
    {"{\"payload\":{\"message\":{},\"name\":\"\",\"text\":\"t\"}}", "- - -: t"},
    {"{\"payload\":{\"message\":\"first\",\"message\":\"last\"}}", "- - -: last"},
    {"{\"level\":7,\"type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "7 aaaaaaaaaaaaaaaaaaaaaaaa... -:"},
    {"no\njson", "no\\njson"},
    {"", ""},
};

START_TEST(brief_tells_what_the_payload_tells)
{
    static const char when[] = "1970-01-01T00:00:00.005Z ";
    struct bytes out;
    bytes_init(&out);
    ck_assert_int_eq(brief_append(&out, 5, cases[_i].event, strlen(cases[_i].event)), 0);
    ck_assert_uint_eq(out.len, sizeof when - 1 + strlen(cases[_i].wanted));
    ck_assert(memcmp(out.data, when, sizeof when - 1) == 0);
    ck_assert_msg(memcmp(out.data + sizeof when - 1, cases[_i].wanted, strlen(cases[_i].wanted)) ==
                      0,
                  "got %.*s", (int)out.len, out.data);
    bytes_clear(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("brief");
    TCase *tcase = tcase_create("brief");
    tcase_add_loop_test(tcase, brief_tells_what_the_payload_tells, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
