#include <jansson.h>
#include <string.h>

#include "contract/reply.h"
#include "unit.h"

static json_t *reply_parse(struct bytes *body)
{
    json_t *document = json_loadb(body->data, body->len, 0, NULL);
    ck_assert_ptr_nonnull(document);
    bytes_clear(body);
    return document;
}

START_TEST(reply_error_escapes_its_text)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(reply_error(&body, "a \"b\" \\ \n"), 0);
    json_t *document = reply_parse(&body);
    ck_assert_str_eq(json_string_value(json_object_get(document, "error")), "a \"b\" \\ \n");
    ck_assert_uint_eq(json_object_size(document), 1);
    json_decref(document);
}
END_TEST

START_TEST(reply_saved_tells_three_numbers)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(reply_saved(&body, 25, 1, 3), 0);
    const char expected[] = "{\"ok\":true,\"saved\":25,\"rejected\":1,\"duplicate\":3}";
    ck_assert_uint_eq(body.len, strlen(expected));
    ck_assert_mem_eq(body.data, expected, body.len);
    bytes_clear(&body);
}
END_TEST

START_TEST(reply_ping_tells_app_mode_and_version)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(reply_ping(&body, "sh\"op", "1.2.3"), 0);
    json_t *document = reply_parse(&body);
    ck_assert(json_is_true(json_object_get(document, "ok")));
    ck_assert_str_eq(json_string_value(json_object_get(document, "appId")), "sh\"op");
    ck_assert_str_eq(json_string_value(json_object_get(document, "mode")), "http");
    ck_assert_str_eq(json_string_value(json_object_get(document, "version")), "1.2.3");
    json_decref(document);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_test(tcase, reply_error_escapes_its_text);
    tcase_add_test(tcase, reply_saved_tells_three_numbers);
    tcase_add_test(tcase, reply_ping_tells_app_mode_and_version);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
