/* What stands in a body beside the events. */
#include "walk.h"

static const struct {
    const char *text;
    enum scan_kind type_kind;
    const char *type;
    enum scan_kind req_id_kind;
    const char *req_id;
    int status;
} envelopes[] = {
    {"{\"type\":\"a\",\"events\":[{}]}", SCAN_STRING, "a", SCAN_ABSENT, "", SCAN_OK},
    {"{\"events\":[{\"type\":5},{\"reqId\":6}],\"reqId\":\"r\",\"type\":\"\"}", SCAN_STRING, "",
     SCAN_STRING, "r", SCAN_OK},
    {"{\"reqId\": -1.50 ,\"type\":\n{\"a\": [\"}\"]} }", SCAN_OTHER, "{\"a\": [\"}\"]}", SCAN_OTHER,
     "-1.50", SCAN_NO_EVENTS},
    {"{\"t\\u0079pe\":\"\\u0061\",\"\\u0072eqId\":null}", SCAN_STRING, "\\u0061", SCAN_OTHER,
     "null", SCAN_NO_EVENTS},
    {"{\"type\":\"a\",\"reqId\":1,\"type\":2,\"reqId\":\"b\"}", SCAN_OTHER, "2", SCAN_STRING, "b",
     SCAN_NO_EVENTS},
    {"{\"Type\":1,\"types\":2,\"reqid\":3,\"x\":{\"type\":4,\"reqId\":5}}", SCAN_ABSENT, "",
     SCAN_ABSENT, "", SCAN_NO_EVENTS},
    {"{}", SCAN_ABSENT, "", SCAN_ABSENT, "", SCAN_NO_EVENTS},
};

START_TEST(scan_notes_the_envelope_wherever_it_stands)
{
    const struct scan_envelope *envelope = &seen.envelope;
    ck_assert_int_eq(walk(envelopes[_i].text), envelopes[_i].status);
    ck_assert_int_eq(envelope->type.kind, envelopes[_i].type_kind);
    ck_assert_str_eq(text_of(envelope->type.value), envelopes[_i].type);
    ck_assert_int_eq(envelope->req_id.kind, envelopes[_i].req_id_kind);
    ck_assert_str_eq(text_of(envelope->req_id.value), envelopes[_i].req_id);
    ck_assert_str_eq(text_of(envelope->object), envelopes[_i].text);
}
END_TEST

START_TEST(scan_finds_the_object_between_mark_and_white_space)
{
    ck_assert_int_eq(walk("\xef\xbb\xbf {\"events\":[ ] }\n"), SCAN_OK);
    ck_assert_str_eq(text_of(seen.envelope.object), "{\"events\":[ ] }");
}
END_TEST

START_TEST(scan_leaves_the_envelope_empty_without_an_object)
{
    static const struct scan_envelope empty;
    static const struct {
        const char *text;
        int status;
    } texts[] = {
        {"[{\"type\":\"a\"}]", SCAN_NO_EVENTS},
        {"\"type\"", SCAN_NO_EVENTS},
        {"{\"type\":\"a\",\"reqId\":1,}", SCAN_NO_JSON},
        {"{\"type\":\"a\"} x", SCAN_NO_JSON},
        {"{\"reqId\":\"\xff\"}", SCAN_NO_JSON},
        {"{\"type\":[\"\xff\"],\"events\":[]}", SCAN_NO_JSON},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(&seen.envelope, 0x55, sizeof seen.envelope);
        ck_assert_int_eq(walk(texts[i].text), texts[i].status);
        ck_assert_uint_eq(seen.envelope.object.len, empty.object.len);
        ck_assert_int_eq(seen.envelope.type.kind, SCAN_ABSENT);
        ck_assert_int_eq(seen.envelope.req_id.kind, SCAN_ABSENT);
    }
    seen.stop_at = 1;
    ck_assert_int_eq(walk("{\"type\":\"a\",\"events\":[{}]}"), SCAN_STOPPED);
    seen.stop_at = 0;
    ck_assert_int_eq(seen.envelope.type.kind, SCAN_ABSENT);
}
END_TEST

static const struct {
    const char *type; /* as JSON */
    bool same;        /* as "events:query" */
} types[] = {
    {"\"events:query\"", true},
    {"\"events\\u003aquery\"", true},
    {"\"\\u0065\\u0076\\u0065\\u006e\\u0074\\u0073\\u003a\\u0071\\u0075\\u0065\\u0072\\u0079\"",
     true},
    {"\"events:quer\"", false},
    {"\"events:query \"", false},
    {"\"events:query\\u0000\"", false},
    {"\"Events:query\"", false},
    {"\"\"", false},
    {"[\"events:query\"]", false},
    {"5", false},
};

START_TEST(scan_compares_a_field_after_unescaping)
{
    char text[200];
    sprintf(text, "{\"type\":%s}", types[_i].type);
    ck_assert_int_eq(walk(text), SCAN_NO_EVENTS);
    ck_assert_int_eq(scan_field_is(text, &seen.envelope.type, "events:query"), types[_i].same);
    ck_assert(!scan_field_is(text, &seen.envelope.req_id, "events:query"));
    ck_assert(!scan_field_is(text, &seen.envelope.req_id, ""));
}
END_TEST

START_TEST(scan_notes_the_key)
{
    ck_assert_int_eq(walk("{\"key\":5,\"events\":[{\"key\":\"a\"}],\"k\\u0065y\":\"b\"}"), SCAN_OK);
    ck_assert_int_eq(seen.envelope.key.kind, SCAN_STRING);
    ck_assert_str_eq(text_of(seen.envelope.key.value), "b");
    ck_assert_int_eq(walk("{\"Key\":5,\"type\":{\"key\":1}}"), SCAN_NO_EVENTS);
    ck_assert_int_eq(seen.envelope.key.kind, SCAN_ABSENT);
}
END_TEST

START_TEST(scan_takes_a_string_alone_for_one)
{
    const char *text = "{\"type\":null,\"reqId\":\"null\"}";
    ck_assert_int_eq(walk(text), SCAN_NO_EVENTS);
    ck_assert(!scan_field_is(text, &seen.envelope.type, "null"));
    ck_assert(scan_field_is(text, &seen.envelope.req_id, "null"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan_envelope");
    TCase *tests = tcase_create("scan_envelope");
    tcase_add_loop_test(tests, scan_notes_the_envelope_wherever_it_stands, 0,
                        sizeof envelopes / sizeof *envelopes);
    tcase_add_test(tests, scan_finds_the_object_between_mark_and_white_space);
    tcase_add_test(tests, scan_leaves_the_envelope_empty_without_an_object);
    tcase_add_loop_test(tests, scan_compares_a_field_after_unescaping, 0,
                        sizeof types / sizeof *types);
    tcase_add_test(tests, scan_notes_the_key);
    tcase_add_test(tests, scan_takes_a_string_alone_for_one);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
