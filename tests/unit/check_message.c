#include "contract/message.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct bytes out;

static void message_setup(void)
{
    bytes_init(&out);
}

static void message_teardown(void)
{
    bytes_clear(&out);
}

static void check_out(const char *expected)
{
    ck_assert_msg(out.len == strlen(expected) && memcmp(out.data, expected, out.len) == 0, "%.*s",
                  (int)out.len, out.data);
}

START_TEST(ack_tells_how_many_were_saved)
{
    ck_assert_int_eq(message_ack(&out, 25), 0);
    check_out("{\"type\":\"ack\",\"saved\":25}");
}
END_TEST

START_TEST(ack_tells_the_largest_number)
{
    char expected[80];
    snprintf(expected, sizeof expected, "{\"type\":\"ack\",\"saved\":%zu}", SIZE_MAX);
    ck_assert_int_eq(message_ack(&out, SIZE_MAX), 0);
    check_out(expected);
}
END_TEST

static const struct {
    const char *text;
    const char *req_id;
    const char *message;
} errors[] = {
    {"no type", NULL, "{\"type\":\"error\",\"error\":\"no type\"}"},
    {"no type", "\"r1\"", "{\"type\":\"error\",\"reqId\":\"r1\",\"error\":\"no type\"}"},
    {"", "null", "{\"type\":\"error\",\"reqId\":null,\"error\":\"\"}"},
    {"x", "1.10", "{\"type\":\"error\",\"reqId\":1.10,\"error\":\"x\"}"},
    {"x", "{\"a\": [ ]}", "{\"type\":\"error\",\"reqId\":{\"a\": [ ]},\"error\":\"x\"}"},
    /* an id is no format */
    {"%s", "\"%s%n\"", "{\"type\":\"error\",\"reqId\":\"%s%n\",\"error\":\"%s\"}"},
    {"a \"b\" \\ \n", NULL, "{\"type\":\"error\",\"error\":\"a \\\"b\\\" \\\\ \\n\"}"},
    {"\xe2\x82\xac", NULL, "{\"type\":\"error\",\"error\":\"\xe2\x82\xac\"}"},
};

START_TEST(error_tells_its_text_and_the_req_id)
{
    ck_assert_int_eq(message_error(&out, errors[_i].text, errors[_i].req_id), 0);
    check_out(errors[_i].message);
    json_t *document = json_loadb(out.data, out.len, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(document, "error")), errors[_i].text);
    json_decref(document);
}
END_TEST

START_TEST(error_that_is_no_utf8_leaves_nothing_behind)
{
    ck_assert_int_eq(message_ack(&out, 1), 0);
    ck_assert_int_eq(message_error(&out, "\xff", "\"r1\""), -1);
    check_out("{\"type\":\"ack\",\"saved\":1}");
}
END_TEST

static const struct {
    const char *req_id;
    const char *head;
} heads[] = {
    {NULL, "{\"type\":\"events:response\",\"response\":"},
    {"\"r1\"", "{\"type\":\"events:response\",\"reqId\":\"r1\",\"response\":"},
    {"null", "{\"type\":\"events:response\",\"reqId\":null,\"response\":"},
    {"[1,\"%d\"]", "{\"type\":\"events:response\",\"reqId\":[1,\"%d\"],\"response\":"},
};

START_TEST(response_head_waits_for_the_document_and_the_tail)
{
    ck_assert_int_eq(message_response_head(&out, heads[_i].req_id), 0);
    check_out(heads[_i].head);
    ck_assert_int_eq(bytes_append_text(&out, "{\"total\":7}" MESSAGE_RESPONSE_TAIL), 0);
    json_t *document = json_loadb(out.data, out.len, 0, NULL);
    ck_assert_ptr_nonnull(document);
    const json_t *response = json_object_get(document, "response");
    ck_assert_int_eq(json_integer_value(json_object_get(response, "total")), 7);
    json_decref(document);
}
END_TEST

START_TEST(messages_are_appended)
{
    ck_assert_int_eq(message_ack(&out, 1), 0);
    ck_assert_int_eq(message_error(&out, "x", NULL), 0);
    ck_assert_int_eq(message_response_head(&out, NULL), 0);
    check_out("{\"type\":\"ack\",\"saved\":1}{\"type\":\"error\",\"error\":\"x\"}"
              "{\"type\":\"events:response\",\"response\":");
}
END_TEST

START_TEST(fixed_messages_are_json_of_their_type)
{
    static const char *const texts[][2] = {
        {MESSAGE_AUTH_OK, "auth_ok"},
        {MESSAGE_PUSH_LOST, "push:lost"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *document = json_loads(texts[i][0], 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(document, "type")), texts[i][1]);
        ck_assert_uint_eq(json_object_size(document), 1);
        json_decref(document);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_checked_fixture(tests, message_setup, message_teardown);
    tcase_add_test(tests, ack_tells_how_many_were_saved);
    tcase_add_test(tests, ack_tells_the_largest_number);
    tcase_add_loop_test(tests, error_tells_its_text_and_the_req_id, 0,
                        sizeof errors / sizeof *errors);
    tcase_add_test(tests, error_that_is_no_utf8_leaves_nothing_behind);
    tcase_add_loop_test(tests, response_head_waits_for_the_document_and_the_tail, 0,
                        sizeof heads / sizeof *heads);
    tcase_add_test(tests, messages_are_appended);
    tcase_add_test(tests, fixed_messages_are_json_of_their_type);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
