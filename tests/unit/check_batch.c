#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "contract/batch.h"
#include "dice.h"
#include "slurp.h"
#include "unit.h"

#define NOW INT64_C(1710498225123)
#define STAMP "\"timestamp\":\"2024-03-15T10:23:45.123Z\""

static struct batch_limits limits;
static struct uuid_source uuids;
static struct batch *batch;

static void batch_setup(void)
{
    limits = (struct batch_limits){.event_bytes = 1 << 20, .depth = 512};
    uuid_source_init(&uuids);
}

static void batch_teardown(void)
{
    batch_free(batch);
    batch = NULL;
}

static int read_bytes(const char *text, size_t len)
{
    struct error err = {""};
    /* A copy that is gone afterwards: nothing of the body may be referenced. */
    char *copy = malloc(len + 1);
    memcpy(copy + 1, text, len);
    batch_free(batch);
    int status = batch_read(copy + 1, len, &limits, &uuids, NULL, NOW, &batch, &err);
    memset(copy, 0x55, len + 1);
    free(copy);
    ck_assert_int_eq(status == BATCH_OK, batch != NULL);
    ck_assert_int_eq(status == BATCH_OK, err.text[0] == '\0');
    return status;
}

static int read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

/* The text of event i must be this, where # stands for its id. */
static void check_text(size_t i, const char *pattern)
{
    const struct batch_event *event = &batch->events[i];
    char wanted[500];
    size_t len = 0;
    for (; *pattern != '\0'; pattern++)
        len +=
            (size_t)(*pattern == '#' ? sprintf(wanted + len, "%.*s", (int)event->id_len, event->id)
                                     : sprintf(wanted + len, "%c", *pattern));
    ck_assert_msg(event->text_len == len && memcmp(event->text, wanted, len) == 0, "%.*s",
                  (int)event->text_len, event->text);
    /* JSON.parse reads the same id. */
    json_t *json = json_loadb(event->text, event->text_len, JSON_ALLOW_NUL, NULL);
    const json_t *id = json_object_get(json, "id");
    ck_assert(json_is_string(id));
    ck_assert_uint_eq(json_string_length(id), event->id_len);
    ck_assert_mem_eq(json_string_value(id), event->id, event->id_len);
    json_decref(json);
}

static const struct {
    const char *event;
    const char *stored; /* # for the new id */
} splices[] = {
    {"{\"id\":\"\"," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{" STAMP ",\"id\" : \"\" }", "{" STAMP ",\"id\" : \"#\" }"},
    {"{" STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{ \n" STAMP "}", "{\"id\":\"#\", \n" STAMP "}"},
    {"{\"id\":null," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{\"id\":17," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{\"id\": -1.5e3 ," STAMP "}", "{\"id\": \"#\" ," STAMP "}"},
    {"{\"id\":{\"a\":[\"}\"]}," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{\"id\":[1, 2]," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{\"id\":true," STAMP "}", "{\"id\":\"#\"," STAMP "}"},
    {"{\"i\\u0064\":\"\"," STAMP "}", "{\"i\\u0064\":\"#\"," STAMP "}"},
    {"{\"id\":\"\"," STAMP ",\"id\":\"\"}", "{\"id\":\"\"," STAMP ",\"id\":\"#\"}"},
    {"{\"id\":\"kept?\"," STAMP ",\"id\":\"\"}", "{\"id\":\"kept?\"," STAMP ",\"id\":\"#\"}"},
    {"{\"id\":\"kept?\"," STAMP ",\"id\":null}", "{\"id\":\"kept?\"," STAMP ",\"id\":\"#\"}"},
    {"{\"p\":{\"id\":\"in\"}," STAMP "}", "{\"id\":\"#\",\"p\":{\"id\":\"in\"}," STAMP "}"},
    {"{\"id\":\"\",\"price\":19.90,\"n\":1e21,\"z\":[ 1 ,2 ]," STAMP ",\"z\":\"\\/\\u00e9\"}",
     "{\"id\":\"#\",\"price\":19.90,\"n\":1e21,\"z\":[ 1 ,2 ]," STAMP ",\"z\":\"\\/\\u00e9\"}"},
};

START_TEST(batch_gives_an_id_and_changes_nothing_else)
{
    char body[600];
    sprintf(body, "{\"events\":[ %s ]}", splices[_i].event);
    ck_assert_int_eq(read_text(body), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_uint_eq(batch->reject_count, 0);
    ck_assert(!batch->events[0].given);
    ck_assert_uint_eq(batch->events[0].id_len, UUID_LEN);
    ck_assert_int_eq(batch->events[0].ts, NOW);
    ck_assert_int_eq(batch->events[0].seq, 0);
    ck_assert_int_eq(batch->received_ms, NOW);
    check_text(0, splices[_i].stored);
}
END_TEST

static const struct {
    const char *event;
    const char *id;
    size_t id_len;
} given[] = {
    {"{\"id\":\"x\"," STAMP "}", "x", 1},
    {"{\"id\":\" \"," STAMP "}", " ", 1},
    {"{\"id\":\"\",\"id\":\"last\"," STAMP "}", "last", 4},
    {"{\"id\":5,\"i\\u0064\":\"last\"," STAMP "}", "last", 4},
    {"{\"id\":\"a\\u0062\\n\"," STAMP "}", "ab\n", 3},
    {"{\"id\":\"\\u0000\"," STAMP "}", "\0", 1},
    {"{\"id\":\"\xe2\x82\xac\\ud83d\\ude00\"," STAMP "}", "\xe2\x82\xac\xf0\x9f\x98\x80", 7},
};

START_TEST(batch_keeps_a_given_id)
{
    char body[600];
    sprintf(body, "{\"events\":[%s]}", given[_i].event);
    ck_assert_int_eq(read_text(body), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert(batch->events[0].given);
    ck_assert_uint_eq(batch->events[0].id_len, given[_i].id_len);
    ck_assert_mem_eq(batch->events[0].id, given[_i].id, given[_i].id_len);
    check_text(0, given[_i].event);
}
END_TEST

START_TEST(batch_takes_a_lone_surrogate_as_id)
{
    ck_assert_int_eq(read_text("{\"events\":[{\"id\":\"\\udc00\"," STAMP "}]}"), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_uint_eq(batch->events[0].id_len, 3);
    ck_assert_mem_eq(batch->events[0].id, "\xed\xb0\x80", 3);
}
END_TEST

static const struct {
    const char *element;
    enum batch_reason reason;
    const char *text;
} refusals[] = {
    {"0", BATCH_NOT_OBJECT, "not an object"},
    {"\"\xff\"", BATCH_NOT_OBJECT, "not an object"},
    {"[{" STAMP "}]", BATCH_NOT_OBJECT, "not an object"},
    {"{" STAMP ",\"a\":[[[[[[[[[[1]]]]]]]]]]}", BATCH_TOO_DEEP, "nested too deep"},
    {"{" STAMP ",\"a\":\"\xff\"}", BATCH_BAD_UTF8, "not UTF-8"},
    {"{" STAMP ",\"\xc0\x80\":1}", BATCH_BAD_UTF8, "not UTF-8"},
    {"{" STAMP ",\"a\":\"12345678901234567890123456789012345678901234567890\"}", BATCH_TOO_LARGE,
     "over the event limit"},
    {"{}", BATCH_NO_TIMESTAMP, "no timestamp"},
    {"{\"timestamp\":1710498225123}", BATCH_NO_TIMESTAMP, "no timestamp"},
    {"{" STAMP ",\"timestamp\":null}", BATCH_NO_TIMESTAMP, "no timestamp"},
    {"{\"a\":{" STAMP "}}", BATCH_NO_TIMESTAMP, "no timestamp"},
    {"{\"timestamp\":\"\"}", BATCH_BAD_TIMESTAMP, "unreadable timestamp"},
    {"{\"timestamp\":\"yesterday\"}", BATCH_BAD_TIMESTAMP, "unreadable timestamp"},
    {"{" STAMP ",\"timestamp\":\"2024-13-01\"}", BATCH_BAD_TIMESTAMP, "unreadable timestamp"},
    {"{\"timestamp\":\"2024-03-15T10:23:45Z\\u0000\"}", BATCH_BAD_TIMESTAMP,
     "unreadable timestamp"},
};

START_TEST(batch_puts_one_aside_and_keeps_its_neighbours)
{
    limits = (struct batch_limits){.event_bytes = 80, .depth = 10};
    char body[600];
    sprintf(body, "{\"events\":[{\"n\":1," STAMP "},%s,{\"n\":2," STAMP "}]}",
            refusals[_i].element);
    ck_assert_int_eq(read_text(body), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 2);
    check_text(0, "{\"id\":\"#\",\"n\":1," STAMP "}");
    check_text(1, "{\"id\":\"#\",\"n\":2," STAMP "}");
    ck_assert_uint_eq(batch->reject_count, 1);
    ck_assert_uint_eq(batch->reject_kept, 1);
    ck_assert_int_eq(batch->rejects[0].reason, refusals[_i].reason);
    ck_assert_str_eq(batch_reason_text(batch->rejects[0].reason), refusals[_i].text);
    ck_assert_uint_eq(batch->rejects[0].text_len, strlen(refusals[_i].element));
    ck_assert_mem_eq(batch->rejects[0].text, refusals[_i].element, batch->rejects[0].text_len);
}
END_TEST

START_TEST(batch_takes_an_event_of_exactly_the_limit)
{
    char body[200];
    int len = sprintf(body, "{\"events\":[{" STAMP ",\"id\":\"x\"}]}") - 13;
    limits.event_bytes = (size_t)len;
    ck_assert_int_eq(read_text(body), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_uint_eq(batch->events[0].text_len, (size_t)len);
    limits.event_bytes--;
    ck_assert_int_eq(read_text(body), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 0);
    ck_assert_int_eq(batch->rejects[0].reason, BATCH_TOO_LARGE);
}
END_TEST

START_TEST(batch_reads_an_escaped_timestamp)
{
    ck_assert_int_eq(
        read_text("{\"events\":[{\"timestamp\":\"2024\\u002d03-15T10:23:45\\u002E123Z\""
                  ",\"id\":\"x\"}]}"),
        BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_int_eq(batch->events[0].ts, NOW);
}
END_TEST

START_TEST(batch_refuses_bodies_without_events)
{
    ck_assert_int_eq(read_text(""), BATCH_NO_JSON);
    ck_assert_int_eq(read_text("{\"events\":[{]}"), BATCH_NO_JSON);
    ck_assert_int_eq(read_text("{\"events\":[{" STAMP "}]"), BATCH_NO_JSON);
    ck_assert_int_eq(read_text("[]"), BATCH_NO_EVENTS);
    ck_assert_int_eq(read_text("{\"events\":{}}"), BATCH_NO_EVENTS);
    ck_assert_int_eq(read_text("{\"events\":[{" STAMP "}],\"events\":0}"), BATCH_NO_EVENTS);
    ck_assert_int_eq(read_text("{\"events\":[]}"), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 0);
}
END_TEST

START_TEST(batch_tells_a_message_s_envelope)
{
    static const struct {
        const char *text;
        int status;
        bool told;
    } messages[] = {
        {"{\"events\":[{" STAMP "}],\"type\":\"ingest\",\"reqId\":1}", BATCH_OK, true},
        {"{\"type\":\"ingest\",\"reqId\":2,\"events\":[]}", BATCH_OK, true},
        {"{\"reqId\":3,\"type\":\"ingest\"}", BATCH_NO_EVENTS, true},
        {"[{\"reqId\":3,\"type\":\"ingest\"}]", BATCH_NO_EVENTS, false},
        {"{\"reqId\":4,\"type\":\"ingest\"", BATCH_NO_JSON, false},
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        const char *text = messages[i].text;
        struct scan_envelope envelope = {.type.kind = SCAN_OTHER, .object.len = 1};
        struct error err;
        batch_free(batch);
        ck_assert_int_eq(batch_read_message(text, strlen(text), &limits, &uuids, NULL, NOW,
                                            &envelope, &batch, &err),
                         messages[i].status);
        ck_assert_int_eq(batch != NULL, messages[i].status == BATCH_OK);
        ck_assert_int_eq(scan_field_is(text, &envelope.type, "ingest"), messages[i].told);
        ck_assert_int_eq(envelope.req_id.kind, messages[i].told ? SCAN_OTHER : SCAN_ABSENT);
        ck_assert_uint_eq(envelope.object.len, messages[i].told ? strlen(text) : 0);
    }
}
END_TEST

START_TEST(batch_forgets_an_earlier_events_member)
{
    ck_assert_int_eq(read_text("{\"events\":[0,{\"id\":\"a\"," STAMP "},1],"
                               "\"events\":[{\"id\":\"b\"," STAMP "},true]}"),
                     BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 1);
    ck_assert_mem_eq(batch->events[0].id, "b", 1);
    ck_assert_uint_eq(batch->reject_count, 1);
    ck_assert_uint_eq(batch->reject_kept, 1);
    ck_assert_mem_eq(batch->rejects[0].text, "true", 4);
}
END_TEST

START_TEST(batch_holds_nothing_of_what_it_forgot)
{
    struct bytes body;
    bytes_init(&body);
    int failed = bytes_append_text(&body, "{");
    for (int i = 0; i < 100; i++) {
        failed |= bytes_append_text(&body, "\"events\":[{" STAMP ",\"a\":\"");
        failed |= bytes_append_format(&body, "%9000d", i);
        failed |= bytes_append_text(&body, "\"}],");
    }
    failed |= bytes_append_text(&body, "\"events\":[{" STAMP "}]}");
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(read_bytes(body.data, body.len), BATCH_OK);
    bytes_clear(&body);
    ck_assert_uint_eq(batch->event_count, 1);
    check_text(0, "{\"id\":\"#\"," STAMP "}");
    ck_assert_uint_lt(batch->memory, 8192);
}
END_TEST

START_TEST(batch_ids_are_distinct_and_ascending)
{
    struct bytes body;
    bytes_init(&body);
    int failed = bytes_append_text(&body, "{\"events\":[");
    for (int i = 0; i < 20000; i++)
        failed |= bytes_append_text(&body, i == 0 ? "{" STAMP "}" : ",{" STAMP "}");
    failed |= bytes_append_text(&body, "]}");
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(read_bytes(body.data, body.len), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 20000);
    /* Far more than the first arena had room for: every pointer must have moved with it. */
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        ck_assert_uint_eq(event->text_len, strlen("{" STAMP "}") + 44);
        ck_assert_mem_eq(event->text, "{\"id\":\"", 7);
        ck_assert_ptr_eq(event->id, event->text + 7);
        if (i > 0)
            ck_assert_int_lt(memcmp(event[-1].id, event->id, UUID_LEN), 0);
    }
    bytes_clear(&body);
}
END_TEST

START_TEST(batch_of_millions_of_zeros_costs_next_to_nothing)
{
    size_t zeros = 4000000;
    char *body = malloc(2 * zeros + 16);
    size_t len = (size_t)sprintf(body, "{\"events\":[0");
    for (size_t i = 1; i < zeros; i++) {
        body[len++] = ',';
        body[len++] = '0';
    }
    len += (size_t)sprintf(body + len, "]}");
    ck_assert_int_eq(read_bytes(body, len), BATCH_OK);
    free(body);
    ck_assert_uint_eq(batch->event_count, 0);
    ck_assert_uint_eq(batch->reject_count, zeros);
    ck_assert_uint_eq(batch->reject_kept, BATCH_REJECTS_KEPT);
    ck_assert_uint_lt(batch->memory, 128 * 1024);
    ck_assert_mem_eq(batch->rejects[BATCH_REJECTS_KEPT - 1].text, "0", 1);
}
END_TEST

START_TEST(batch_tells_the_memory_it_holds)
{
    ck_assert_int_eq(read_text("{\"events\":[]}"), BATCH_OK);
    size_t least = batch->memory;
    ck_assert_uint_ge(least, sizeof *batch);
    ck_assert_uint_lt(least, 1024);
    ck_assert_int_eq(read_text("{\"events\":[{" STAMP "},{" STAMP "},5]}"), BATCH_OK);
    size_t texts = batch->events[0].text_len + batch->events[1].text_len + 1;
    ck_assert_uint_ge(batch->memory, least + texts + 2 * sizeof *batch->events);
    ck_assert_uint_lt(batch->memory, 4096);
}
END_TEST

START_TEST(batch_reads_the_stock_client_s_events)
{
    struct bytes file, body;
    bytes_init(&file);
    bytes_init(&body);
    slurp(&file, "stock-client/events.ndjson");
    int failed = bytes_append_text(&body, "{\"type\":\"ingest\",\"events\":[");
    size_t lines = 0, at[300], len[300];
    for (size_t from = 0; from < file.len; lines++) {
        at[lines] = from;
        len[lines] =
            (size_t)((char *)memchr(file.data + from, '\n', file.len - from) - (file.data + from));
        failed |= bytes_append_text(&body, lines > 0 ? "," : "");
        failed |= bytes_append(&body, file.data + from, len[lines]);
        from += len[lines] + 1;
    }
    failed |= bytes_append_text(&body, "]}");
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(read_bytes(body.data, body.len), BATCH_OK);
    ck_assert_uint_eq(batch->event_count, 270);
    ck_assert_uint_eq(lines, 270);
    for (size_t i = 0; i < lines; i++) {
        const struct batch_event *event = &batch->events[i];
        const char *line = file.data + at[i];
        ck_assert_mem_eq(line, "{\"id\":\"\",", 9);
        ck_assert_uint_eq(event->text_len, len[i] + UUID_LEN);
        ck_assert_mem_eq(event->text, line, 7);
        ck_assert_mem_eq(event->text + 7 + UUID_LEN, line + 7, len[i] - 7);
    }
    bytes_clear(&file);
    bytes_clear(&body);
}
END_TEST

#define ADD_CASES(name, cases) tcase_add_loop_test(tests, name, 0, sizeof(cases) / sizeof *(cases))

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tests = tcase_create("batch");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, batch_setup, batch_teardown);
    ADD_CASES(batch_gives_an_id_and_changes_nothing_else, splices);
    ADD_CASES(batch_keeps_a_given_id, given);
    tcase_add_test(tests, batch_takes_a_lone_surrogate_as_id);
    ADD_CASES(batch_puts_one_aside_and_keeps_its_neighbours, refusals);
    tcase_add_test(tests, batch_takes_an_event_of_exactly_the_limit);
    tcase_add_test(tests, batch_reads_an_escaped_timestamp);
    tcase_add_test(tests, batch_refuses_bodies_without_events);
    tcase_add_test(tests, batch_tells_a_message_s_envelope);
    tcase_add_test(tests, batch_forgets_an_earlier_events_member);
    tcase_add_test(tests, batch_holds_nothing_of_what_it_forgot);
    tcase_add_test(tests, batch_ids_are_distinct_and_ascending);
    tcase_add_test(tests, batch_of_millions_of_zeros_costs_next_to_nothing);
    tcase_add_test(tests, batch_tells_the_memory_it_holds);
    tcase_add_test(tests, batch_reads_the_stock_client_s_events);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
