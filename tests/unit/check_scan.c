/* The grammar, the slices, the names that count, the faults: case by case. check_scan_string.c has
 * the strings, check_scan_envelope.c what a message is told by, check_scan_suite.c the JSON test
 * suite, check_scan_jansson.c random documents. */
#include <sys/resource.h>

#include "base/bytes.h"
#include "walk.h"

START_TEST(scan_hands_out_events_byte_for_byte)
{
    ck_assert_int_eq(walk(" { \"type\" : \"ingest\", \"events\" : [ {\"a\": 19.90 } ,\t{}\r\n,"
                          "{\"timestamp\":\"t\",\"id\":\"x\"}] , \"more\":[[]] } \n"),
                     SCAN_OK);
    ck_assert_uint_eq(seen.count, 3);
    ck_assert_str_eq(text_of(seen.events[0].raw), "{\"a\": 19.90 }");
    ck_assert(seen.events[0].has_members);
    ck_assert_int_eq(seen.events[0].id_kind, SCAN_ABSENT);
    ck_assert_int_eq(seen.events[0].timestamp_kind, SCAN_ABSENT);
    ck_assert_str_eq(text_of(seen.events[1].raw), "{}");
    ck_assert(!seen.events[1].has_members);
    ck_assert_str_eq(text_of(seen.events[2].timestamp), "t");
    ck_assert_str_eq(text_of(seen.events[2].id), "x");
    ck_assert_int_eq(seen.events[2].fault, SCAN_FAULT_NONE);
}
END_TEST

START_TEST(scan_takes_an_empty_array)
{
    ck_assert_int_eq(walk("{\"events\":[]}"), SCAN_OK);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(walk("{\"events\": [ \n ] }"), SCAN_OK);
}
END_TEST

START_TEST(scan_skips_a_byte_order_mark)
{
    ck_assert_int_eq(walk("\xef\xbb\xbf {\"events\":[{}]}"), SCAN_OK);
    ck_assert_str_eq(text_of(seen.events[0].raw), "{}");
    ck_assert_int_eq(walk("{\xef\xbb\xbf\"events\":[{}]}"), SCAN_NO_JSON);
    ck_assert_int_eq(walk("\xef\xbb\xbf"), SCAN_NO_JSON);
    ck_assert_int_eq(walk("\xef\xbb"), SCAN_NO_JSON);
}
END_TEST

START_TEST(scan_counts_names_after_unescaping)
{
    ck_assert_int_eq(walk("{\"\\u0065vents\":[{\"i\\u0064\":\"a\",\"\\u0074imestam\\u0070\":\"b\"},"
                          "{\"\\u0069\\u0064\":5,\"\\u0074\\u0069\\u006d\\u0065\\u0073\\u0074"
                          "\\u0061\\u006D\\u0070\":\"c\"}]}"),
                     SCAN_OK);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_str_eq(text_of(seen.events[0].id), "a");
    ck_assert_str_eq(text_of(seen.events[0].timestamp), "b");
    ck_assert_int_eq(seen.events[1].id_kind, SCAN_OTHER);
    ck_assert_str_eq(text_of(seen.events[1].id), "5");
    ck_assert_str_eq(text_of(seen.events[1].timestamp), "c");
}
END_TEST

START_TEST(scan_leaves_similar_names_alone)
{
    ck_assert_int_eq(walk("{\"Events\":[{}],\"event\":[{}],\"events \":[{}],\"events\\u0000\":[{}],"
                          "\"events\":[{\"ID\":\"1\",\"id \":\"2\",\"i\":\"3\",\"i\\u0044\":\"4\","
                          "\"timestamps\":\"5\",\"Timestamp\":\"6\",\"\\\\u0069d\":\"7\","
                          "\"id\\u0000\":\"8\"}]}"),
                     SCAN_OK);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_eq(seen.restarts, 0);
    ck_assert_int_eq(seen.events[0].id_kind, SCAN_ABSENT);
    ck_assert_int_eq(seen.events[0].timestamp_kind, SCAN_ABSENT);
}
END_TEST

START_TEST(scan_looks_at_the_event_s_own_members_only)
{
    ck_assert_int_eq(walk("{\"events\":[{\"payload\":{\"id\":\"in\",\"timestamp\":\"in\"},"
                          "\"context\":[{\"id\":\"in\"}]}],\"x\":{\"events\":[{}]}}"),
                     SCAN_OK);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_eq(seen.events[0].id_kind, SCAN_ABSENT);
    ck_assert_int_eq(seen.events[0].timestamp_kind, SCAN_ABSENT);
}
END_TEST

START_TEST(scan_counts_the_last_of_duplicates)
{
    ck_assert_int_eq(walk("{\"events\":[{\"id\":\"1\",\"timestamp\":\"a\",\"id\":{\"x\":[2]} ,"
                          "\"timestamp\":7,\"i\\u0064\":\"3\\n\", \"timestamp\": null }]}"),
                     SCAN_OK);
    ck_assert_int_eq(seen.events[0].id_kind, SCAN_STRING);
    ck_assert(seen.events[0].id_escaped);
    ck_assert_str_eq(text_of(seen.events[0].id), "3\\n");
    ck_assert_int_eq(seen.events[0].timestamp_kind, SCAN_OTHER);
    ck_assert(!seen.events[0].timestamp_escaped);
    ck_assert_str_eq(text_of(seen.events[0].timestamp), "null");
}
END_TEST

START_TEST(scan_counts_the_last_events_member)
{
    ck_assert_int_eq(walk("{\"events\":[{\"id\":\"1\"}],\"events\":[{\"id\":\"2\"}]}"), SCAN_OK);
    ck_assert_int_eq(seen.restarts, 1);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_str_eq(text_of(seen.events[0].id), "2");
    ck_assert_int_eq(walk("{\"events\":5,\"events\":[{}]}"), SCAN_OK);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_eq(walk("{\"events\":[{}],\"\\u0065vents\":5}"), SCAN_NO_EVENTS);
    ck_assert_int_eq(walk("{\"events\":[{},{}],\"events\":5,\"events\":[{}]}"), SCAN_OK);
    ck_assert_uint_eq(seen.count, 1);
}
END_TEST

START_TEST(scan_tells_json_without_events_from_no_json)
{
    static const char *const without[] = {
        "{}",
        "[]",
        "0",
        "-0.0e+0",
        "true",
        "null",
        "\"\"",
        " false ",
        "[{\"events\":[]}]",
        "{\"events\":{}}",
        "\"\xc3\xa9\"",
        "[1,2]",
        "{\"events\":null}",
    };
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        ck_assert_msg(walk(without[i]) == SCAN_NO_EVENTS, "%s", without[i]);
}
END_TEST

/* Each stands for a value: as a body, as a body's member, as an element and in an event. */
static const char *const no_values[] = {
    "",
    "tru",
    "nul",
    "fals",
    "True",
    "nan",
    "Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "1.e1",
    "0x1",
    "1,",
    "- 1",
    "1 2",
    "1a",
    "\"",
    "\"a",
    "'a'",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u-123\"",
    "\"\t\"",
    "\"\n\"",
    "\"\x01\"",
    "\"a\"b",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "]",
    "{",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1]",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "}",
    "/**/1",
    "1//",
    "\xa0",
    "\xff",
    "\v1",
    "\f1",
    "\x7f",
    "[1]]",
    "{}}",
    "{\"a\":1 \"b\":2}",
    "\"\\ud800\\u1\"",
    "[[[[",
    "1\xc2\xa0",
};

START_TEST(scan_refuses_what_is_no_json)
{
    static const char *const frames[] = {
        "%s",
        "{\"x\":%s}",
        "{\"x\":%s,\"events\":[]}",
        "{\"events\":[%s]}",
        "{\"events\":[{\"id\":%s}]}",
        "{\"events\":[{\"payload\":[{\"x\":%s}]}]}",
    };
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
        char text[200];
        if (strcmp(frames[f], "{\"events\":[%s]}") == 0 &&
            (*no_values[_i] == '\0' || strcmp(no_values[_i], "[1]]") == 0))
            continue; /* an empty array is fine */
        char *percent = strstr(frames[f], "%s");
        int len = snprintf(text, sizeof text, "%.*s%s%s", (int)(percent - frames[f]), frames[f],
                           no_values[_i], percent + 2);
        struct error err = {""};
        ck_assert_msg(walk_bytes(text, (size_t)len, 512, &err) == SCAN_NO_JSON, "%s", text);
        ck_assert_str_ne(err.text, "");
    }
}
END_TEST

START_TEST(scan_refuses_every_cut_of_a_legal_body)
{
    const char text[] =
        "{\"type\":\"ingest\",\"n\":-12.5e+3,\"events\":[{\"id\":\"\\u0041\xe2\x82\xac\""
        ",\"timestamp\":\"t\",\"p\":[true,false,null,{\"a\":[[],{}]},0]},5]}";
    struct error err;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *exact = malloc(len + 1);
        memcpy(exact + 1, text, len); /* ends where the block ends: no byte behind it is read */
        ck_assert_msg(walk_bytes(exact + 1, len, 512, &err) == SCAN_NO_JSON, "%.*s", (int)len,
                      text);
        free(exact);
    }
    ck_assert_int_eq(walk(text), SCAN_OK);
}
END_TEST

/* A body that is cut in a larger buffer is refused as if nothing stood behind it. */
START_TEST(scan_does_not_see_what_stands_behind_the_end)
{
    static const char *const texts[] = {
        "{\"type\":\"ingest\",\"n\":-0.5e+3,\"events\":[{\"id\":\"\\u0041\xe2\x82\xac\""
        ",\"timestamp\":\"t\",\"p\":[true,false,null,{\"a\":[[],{}]},0]},5],\"key\":\"\"}",
        "{\"events\":[-0,1e-0,{\"\\ud83d\\ude00\":\"\\ud83d\\ude00\"}]}",
    };
    static const char behind[] = "\"\\/{}[]:,01-+.eEbtfnu \t\x82\xe2";
    struct error alone, err;
    char room[256];
    for (size_t n = 0; n < sizeof texts / sizeof *texts; n++)
        for (size_t len = 0; len < strlen(texts[n]); len++) {
            memset(room, 0, sizeof room);
            memcpy(room, texts[n], len);
            ck_assert_int_eq(walk_bytes(room, len, 512, &alone), SCAN_NO_JSON);
            for (size_t i = 0; i < sizeof behind - 1; i++) {
                memset(room + len, behind[i], sizeof room - len);
                ck_assert_int_eq(walk_bytes(room, len, 512, &err), SCAN_NO_JSON);
                ck_assert_str_eq(err.text, alone.text);
            }
        }
}
END_TEST

START_TEST(scan_refuses_a_nul_wherever_it_stands)
{
    const char text[] = "{\"events\":[{\"a\" : [1, true]}]}";
    struct error err;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        ck_assert_int_eq(walk_bytes(copy, sizeof text - 1, 512, &err), SCAN_NO_JSON);
    }
    ck_assert_int_eq(walk_bytes(text, sizeof text, 512, &err), SCAN_NO_JSON);
}
END_TEST

START_TEST(scan_says_where_the_trouble_is)
{
    struct error err;
    ck_assert_int_eq(walk_bytes("{\"events\":[{},x]}", 17, 512, &err), SCAN_NO_JSON);
    ck_assert_str_eq(err.text, "no JSON: expected a value at byte 14");
    ck_assert_int_eq(walk_bytes("{\"events\":[", 11, 512, &err), SCAN_NO_JSON);
    ck_assert_str_eq(err.text, "no JSON: the text ends too early at byte 11");
}
END_TEST

START_TEST(scan_hands_out_what_is_no_object_with_its_fault)
{
    ck_assert_int_eq(walk("{\"events\":[0,\"a\xff\",[{\"id\":\"x\"}],null,{},true]}"), SCAN_OK);
    ck_assert_uint_eq(seen.count, 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(seen.events[i].fault, i == 4 ? SCAN_FAULT_NONE : SCAN_FAULT_NOT_OBJECT);
    ck_assert_str_eq(text_of(seen.events[2].raw), "[{\"id\":\"x\"}]");
    ck_assert_int_eq(seen.events[2].id_kind, SCAN_ABSENT);
}
END_TEST

/* {"events":[ an event of that many levels, {} ]}, alternating objects and arrays. */
static void deep_body(struct bytes *body, size_t levels, const char *core)
{
    body->len = 0;
    int failed = bytes_append_text(body, "{\"events\":[");
    for (size_t i = 0; i < levels; i++)
        failed |= bytes_append_text(body, i % 2 == 0 ? "{\"a\":" : "[");
    failed |= bytes_append_text(body, core);
    for (size_t i = levels; i-- > 0;)
        failed |= bytes_append_text(body, i % 2 == 0 ? "}" : "]");
    failed |= bytes_append_text(body, ",{}]}");
    ck_assert_int_eq(failed, 0);
}

START_TEST(scan_takes_512_levels_and_faults_513)
{
    struct bytes body;
    struct error err;
    bytes_init(&body);
    static const size_t depths[] = {1, 2, 511, 512, 513, 514, 1023, 1024, 1025, 1026, 5000, 100000};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        deep_body(&body, depths[i], "1");
        ck_assert_int_eq(walk_bytes(body.data, body.len, 512, &err), SCAN_OK);
        ck_assert_uint_eq(seen.count, 2);
        ck_assert_int_eq(seen.events[0].fault,
                         depths[i] <= 512 ? SCAN_FAULT_NONE : SCAN_FAULT_DEPTH);
        ck_assert_int_eq(seen.events[1].fault, SCAN_FAULT_NONE);
    }
    /* Depth comes before UTF-8. */
    deep_body(&body, 600, "\"\xff\"");
    ck_assert_int_eq(walk_bytes(body.data, body.len, 512, &err), SCAN_OK);
    ck_assert_int_eq(seen.events[0].fault, SCAN_FAULT_DEPTH);
    deep_body(&body, 600, "\"\xff\"");
    ck_assert_int_eq(walk_bytes(body.data, body.len, 600, &err), SCAN_OK);
    ck_assert_int_eq(seen.events[0].fault, SCAN_FAULT_UTF8);
    bytes_clear(&body);
}
END_TEST

START_TEST(scan_knows_what_encloses_at_any_depth)
{
    struct bytes body;
    struct error err;
    bytes_init(&body);
    deep_body(&body, 3000, "1");
    /* Exchange one closing bracket for the other kind, each in its turn. */
    for (size_t i = body.len - 5 - 3000; i < body.len - 5; i++) {
        char was = body.data[i];
        body.data[i] = was == '}' ? ']' : '}';
        ck_assert_int_eq(walk_bytes(body.data, body.len, 512, &err), SCAN_NO_JSON);
        body.data[i] = was;
    }
    bytes_clear(&body);
}
END_TEST

/* As long as nothing is nested millions deep the heap is not asked. */
START_TEST(scan_says_when_memory_runs_out)
{
#ifndef UNIT_SANITIZED
    enum { LEN = 32 << 20 };
    struct scan_event event;
    struct error err, err_event;
    struct rlimit was;
    if (unit_slow()) /* valgrind itself does not live with so little */
        return;
    char *text = malloc(LEN);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', LEN);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &was), 0);
    struct rlimit no_more = {.rlim_cur = 1 << 20, .rlim_max = was.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &no_more), 0);
    int status = walk_bytes(text, LEN, 512, &err);
    int status_event = scan_event(text, LEN, 512, &event, &err_event);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &was), 0);
    free(text);
    ck_assert_int_eq(status, SCAN_NO_MEMORY);
    ck_assert_int_eq(status_event, SCAN_NO_MEMORY);
    ck_assert_str_eq(err.text, "out of memory");
    ck_assert_str_eq(err_event.text, "out of memory");
#endif
}
END_TEST

START_TEST(scan_stops_when_the_sink_says_so)
{
    seen.stop_at = 2;
    ck_assert_int_eq(walk("{\"events\":[{},{},{}]}"), SCAN_STOPPED);
    ck_assert_uint_eq(seen.count, 2);
    seen.stop_at = 0;
}
END_TEST

START_TEST(scan_event_reads_one_event_and_nothing_else)
{
    struct scan_event event;
    struct error err;
    const char text[] = " {\"id\":\"\",\"timestamp\":\"t\\u0031\",\"x\":[1]} \n";
    ck_assert_int_eq(scan_event(text, sizeof text - 1, 512, &event, &err), SCAN_OK);
    ck_assert_uint_eq(event.raw.at, 1);
    ck_assert_uint_eq(event.raw.len, sizeof text - 4);
    ck_assert_int_eq(event.id_kind, SCAN_STRING);
    ck_assert_uint_eq(event.id.len, 0);
    ck_assert(event.timestamp_escaped);
    ck_assert_int_eq(scan_event("{} {}", 5, 512, &event, &err), SCAN_NO_JSON);
    ck_assert_int_eq(scan_event("{},", 3, 512, &event, &err), SCAN_NO_JSON);
    ck_assert_int_eq(scan_event("", 0, 512, &event, &err), SCAN_NO_JSON);
    ck_assert_int_eq(scan_event("[1]", 3, 512, &event, &err), SCAN_OK);
    ck_assert_int_eq(event.fault, SCAN_FAULT_NOT_OBJECT);
    ck_assert_int_eq(scan_event("{\"a\":[]}", 8, 1, &event, &err), SCAN_OK);
    ck_assert_int_eq(event.fault, SCAN_FAULT_DEPTH);
    ck_assert_int_eq(scan_event("{\"a\":\"\xff\"}", 9, 1, &event, &err), SCAN_OK);
    ck_assert_int_eq(event.fault, SCAN_FAULT_UTF8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *tests = tcase_create("scan");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, scan_hands_out_events_byte_for_byte);
    tcase_add_test(tests, scan_takes_an_empty_array);
    tcase_add_test(tests, scan_skips_a_byte_order_mark);
    tcase_add_test(tests, scan_counts_names_after_unescaping);
    tcase_add_test(tests, scan_leaves_similar_names_alone);
    tcase_add_test(tests, scan_looks_at_the_event_s_own_members_only);
    tcase_add_test(tests, scan_counts_the_last_of_duplicates);
    tcase_add_test(tests, scan_counts_the_last_events_member);
    tcase_add_test(tests, scan_tells_json_without_events_from_no_json);
    tcase_add_loop_test(tests, scan_refuses_what_is_no_json, 0,
                        sizeof no_values / sizeof *no_values);
    tcase_add_test(tests, scan_refuses_every_cut_of_a_legal_body);
    tcase_add_test(tests, scan_does_not_see_what_stands_behind_the_end);
    tcase_add_test(tests, scan_refuses_a_nul_wherever_it_stands);
    tcase_add_test(tests, scan_says_where_the_trouble_is);
    tcase_add_test(tests, scan_hands_out_what_is_no_object_with_its_fault);
    tcase_add_test(tests, scan_takes_512_levels_and_faults_513);
    tcase_add_test(tests, scan_knows_what_encloses_at_any_depth);
    tcase_add_test(tests, scan_says_when_memory_runs_out);
    tcase_add_test(tests, scan_stops_when_the_sink_says_so);
    tcase_add_test(tests, scan_event_reads_one_event_and_nothing_else);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
