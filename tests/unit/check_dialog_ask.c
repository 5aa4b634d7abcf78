/* What an events:query asks for: the same as the URL with these parameters. */
#include <stdio.h>

#include "dialogs.h"

static const struct {
    const char *members; /* of the query; %s for the cursor */
    const char *url;
} queries[] = {
    {"", ""},
    {"\"since\":\"2024-03-15T10:23:45.123Z\"", "since=2024-03-15T10:23:45.123Z"},
    {"\"until\":\"2024-03-15T10:23:45.123Z\"", "until=2024-03-15T10:23:45.123Z"},
    {"\"until\":\"2024-03-15T10:23:45.123Z\",\"since\":\"2024-03-14T10:23:45.123Z\"",
     "since=2024-03-14T10:23:45.123Z&until=2024-03-15T10:23:45.123Z"},
    {"\"since\":\"2024-03-15T12:23:45.123+02:00\"", "since=2024-03-15T12:23:45.123%2B02:00"},
    {"\"since\":\"2024-03-15T12:23:45.123 02:00\"", "since=2024-03-15T12:23:45.123+02:00"},
    {"\"s\\u0069nce\":\"2024-03-15T10:23:45\\u002e123Z\"", "since=2024-03-15T10:23:45.123Z"},
    {"\"since\":\"never\",\"since\":\"2024-03-15T10:23:45.123Z\"",
     "since=2024-03-15T10:23:45.123Z"},
    {"\"after\":\"2024-03-15T10:23:45.123Z\"", "after=2024-03-15T10:23:45.123Z"},
    {"\"after\":\"2024-03-15T10:23:45.123Z\",\"since\":\"2024-03-15T11:23:45.123Z\"",
     "after=2024-03-15T10:23:45.123Z&since=2024-03-15T11:23:45.123Z"},
    {"\"limit\":0", "limit=0"},
    {"\"limit\":50", "limit=50"},
    {"\"limit\":\"50\"", "limit=50"},
    {"\"limit\":\"050\"", "limit=050"},
    {"\"limit\":500001", "limit=500001"},
    {"\"limit\":9223372036854775807", "limit=9223372036854775807"},
    {"\"limit\":\"99999999999999999999\"", "limit=99999999999999999999"},
    {"\"limit\":10,\"page\":3", "limit=10&page=3"},
    {"\"page\":\"3\",\"limit\":\"10\"", "limit=10&page=3"},
    {"\"limit\":10,\"page\":9223372036854775807", "limit=10&page=9223372036854775807"},
    {"\"cursor\":\"%s\"", "cursor=%s"},
    {"\"cursor\":\"%s\",\"limit\":7", "cursor=%s&limit=7"},
    /* beside a cursor these are not looked at */
    {"\"cursor\":\"%s\",\"since\":\"never\",\"until\":5,\"after\":true,\"page\":-1",
     "cursor=%s&since=never&until=5&after=true&page=-1"},
    /* null is absent, what is unknown is ignored */
    {"\"since\":null,\"until\":null,\"after\":null,\"limit\":null,\"page\":null,\"cursor\":null",
     ""},
    {"\"level\":\"error\",\"Since\":5,\"query\":{\"since\":5}", "level=error&Since=5"},

    {"\"since\":\"\"", "since="},
    {"\"since\":\"yesterday\"", "since=yesterday"},
    {"\"since\":1710498225123", "since=1710498225123"},
    {"\"until\":\"2024-02-30T00:00:00Z\"", "until=2024-02-30T00:00:00Z"},
    {"\"until\":true", "until=true"},
    {"\"until\":{}", "until={}"},
    {"\"until\":[\"2024-03-15T10:23:45.123Z\"]", "until=[2024-03-15T10:23:45.123Z]"},
    {"\"after\":1.5", "after=1.5"},
    {"\"after\":\"x\"", "after=x"},
    {"\"limit\":-1", "limit=-1"},
    {"\"limit\":-9223372036854775808", "limit=-9223372036854775808"},
    {"\"limit\":1.0", "limit=1.0"},
    {"\"limit\":1e2", "limit=1e2"},
    {"\"limit\":true", "limit=true"},
    {"\"limit\":false", "limit=false"},
    {"\"limit\":[50]", "limit=[50]"},
    {"\"limit\":\"\"", "limit="},
    {"\"limit\":\" 5\"", "limit=+5"},
    {"\"limit\":\"-1\"", "limit=-1"},
    {"\"page\":0", "page=0"},
    {"\"page\":\"0\"", "page=0"},
    {"\"page\":{}", "page={}"},
    {"\"cursor\":\"\"", "cursor="},
    {"\"cursor\":\"%s_\"", "cursor=%s_"},
    {"\"cursor\":5", "cursor=5"},
    {"\"cursor\":\"%s\",\"limit\":-1", "cursor=%s&limit=-1"},
    /* the first in the order of the URL's reading */
    {"\"page\":0,\"since\":\"x\",\"limit\":\"y\"", "limit=y&since=x&page=0"},
};

/* format with a cursor of this server. */
static const char *with_cursor(const char *format, char *out, size_t size)
{
    struct range range;
    ck_assert_int_eq(range_parse(&range, "since=2024-03-15T10:23:45.123Z&limit=10&page=2",
                                 MAX_EVENTS, secret, NULL),
                     0);
    char cursor[RANGE_CURSOR_SIZE];
    range_cursor_write(cursor, &range, 1000, 77, (struct range_place){NOW + 5, 42}, secret);
    const char *place = strstr(format, "%s");
    if (place == NULL)
        snprintf(out, size, "%s", format);
    else
        snprintf(out, size, "%.*s%s%s", (int)(place - format), format, cursor, place + 2);
    return out;
}

static void check_same_range(const struct range *one, const struct range *other)
{
    ck_assert_int_eq(one->since, other->since);
    ck_assert_int_eq(one->until, other->until);
    ck_assert_int_eq(one->limit, other->limit);
    ck_assert_int_eq(one->page, other->page);
    ck_assert_int_eq(one->resumed, other->resumed);
    ck_assert_int_eq(one->total, other->total);
    ck_assert_int_eq(one->max_seq, other->max_seq);
    ck_assert_int_eq(one->after.ts, other->after.ts);
    ck_assert_int_eq(one->after.seq, other->after.seq);
}

START_TEST(query_asks_for_what_the_url_asks_for)
{
    char members[500], text[600], url[500];
    with_cursor(queries[_i].members, members, sizeof members);
    snprintf(text, sizeof text, "{\"query\":{%s},\"reqId\":\"q\",\"type\":\"events:query\"}",
             members);
    become(READER);
    take(text);

    struct range range;
    struct error err;
    struct bytes refusal;
    bytes_init(&refusal);
    if (range_parse(&range, with_cursor(queries[_i].url, url, sizeof url), MAX_EVENTS, secret,
                    &err) == 0) {
        ck_assert_msg(result.effect == DIALOG_ASK, "%s: %.*s", text, (int)result.reply.len,
                      result.reply.data);
        check_said("{\"type\":\"events:response\",\"reqId\":\"q\",\"response\":");
        ck_assert_str_eq(result.req_id, "\"q\"");
        check_same_range(&result.range, &range);
    } else {
        ck_assert_msg(result.effect == DIALOG_REPLY, "%s", text);
        ck_assert_int_eq(message_error(&refusal, err.text, "\"q\""), 0);
        ck_assert_int_eq(bytes_append(&refusal, "", 1), 0);
        check_said(refusal.data);
    }
    bytes_clear(&refusal);
}
END_TEST

static const char *const wholes[] = {
    "{\"type\":\"events:query\"}",
    "{\"type\":\"events:query\",\"query\":null}",
    "{\"type\":\"events:query\",\"query\":{}}",
    "{\"type\":\"events:query\",\"query\":5,\"query\":{}}",
    "{\"type\":\"events:query\",\"since\":\"never\",\"limit\":0}",
    "{\"type\":\"events:query\",\"events\":[{\"since\":5}]}",
};

START_TEST(query_without_parameters_asks_for_everything)
{
    struct range range;
    ck_assert_int_eq(range_parse(&range, NULL, MAX_EVENTS, secret, NULL), 0);
    become(KEYLESS);
    take(wholes[_i]);
    ck_assert_int_eq(result.effect, DIALOG_ASK);
    ck_assert_ptr_null(result.req_id);
    check_same_range(&result.range, &range);
}
END_TEST

#define TIME_WORDS ": expected an ISO 8601 time such as 2024-03-15T10:23:45.123Z"

static const struct {
    const char *query;
    const char *words;
} refused[] = {
    {"5", "query: not an object"},
    {"[]", "query: not an object"},
    {"\"since=x\"", "query: not an object"},
    {"false", "query: not an object"},
    {"{},\"query\":[]", "query: not an object"},
    /* cut at its NUL each of these would be right */
    {"{\"since\":\"2024-03-15T10:23:45.123Z\\u0000\"}", "since" TIME_WORDS},
    {"{\"until\":\"2024-03-15T10:23:45.123Z\\u0000x\"}", "until" TIME_WORDS},
    {"{\"after\":\"2024-03-15T10:23:45.123Z\\u0000\"}", "after" TIME_WORDS},
    {"{\"limit\":\"5\\u0000\"}", "limit: expected a whole number from 0"},
    {"{\"page\":\"5\\u0000\"}", "page: expected a whole number from 1"},
    {"{\"cursor\":\"\\u0000\"}", "cursor: not one that this server has given out"},
};

START_TEST(query_that_can_t_be_read_is_told_why)
{
    char text[300], wanted[300];
    snprintf(text, sizeof text, "{\"type\":\"events:query\",\"query\":%s}", refused[_i].query);
    snprintf(wanted, sizeof wanted, "{\"type\":\"error\",\"error\":\"%s\"}", refused[_i].words);
    become(BOTH);
    take(text);
    ck_assert_int_eq(result.effect, DIALOG_REPLY);
    check_said(wanted);
}
END_TEST

START_TEST(query_has_the_cap_of_its_means)
{
    means.max_events = 3;
    become(BOTH);
    take("{\"type\":\"events:query\"}");
    ck_assert_int_eq(result.range.limit, 3);
    take("{\"type\":\"events:query\",\"query\":{\"limit\":4}}");
    ck_assert_int_eq(result.range.limit, 3);
}
END_TEST

START_TEST(cursor_of_another_secret_is_refused)
{
    static const unsigned char other[SIPHASH_KEY_BYTES] = "fedcba9876543210";
    char text[300];
    means.secret = other;
    become(BOTH);
    take(with_cursor("{\"type\":\"events:query\",\"query\":{\"cursor\":\"%s\"}}", text,
                     sizeof text));
    check_said("{\"type\":\"error\",\"error\":\"cursor: not one that this server has given out\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialog_ask");
    TCase *tests = tcase_create("dialog_ask");
    tcase_add_checked_fixture(tests, dialogs_setup, dialogs_teardown);
    tcase_add_loop_test(tests, query_asks_for_what_the_url_asks_for, 0,
                        sizeof queries / sizeof *queries);
    tcase_add_loop_test(tests, query_without_parameters_asks_for_everything, 0,
                        sizeof wholes / sizeof *wholes);
    tcase_add_loop_test(tests, query_that_can_t_be_read_is_told_why, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tests, query_has_the_cap_of_its_means);
    tcase_add_test(tests, cursor_of_another_secret_is_refused);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
