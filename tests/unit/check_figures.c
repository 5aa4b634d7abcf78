/* What stats and rejects are asked with, and the document of the figures. */

#include <string.h>

#include <jansson.h>

#include "contract/document.h"
#include "engine/figures.h"
#include "engine/figures_json.h"
#include "engine/rejects_page.h"
#include "unit.h"

static const struct {
    const char *query;
    int64_t since, until;
    int step; /* -1: none named */
    int64_t values;
} good[] = {
    {NULL, INT64_MIN, INT64_MAX, -1, 0},
    {"", INT64_MIN, INT64_MAX, -1, 0},
    {"since=1970-01-01T00:00:01Z", 1000, INT64_MAX, -1, 0},
    {"until=1969-12-31T23:59:59.999Z&since=1960-01-01", -315619200000, -1, -1, 0},
    {"since=1970-01-01T01:00:00+01:00", 0, INT64_MAX, -1, 0}, /* the + may come as a space */
    {"step=second", INT64_MIN, INT64_MAX, STEP_SECOND, 0},
    {"step=minute&step=nonsense", INT64_MIN, INT64_MAX, STEP_MINUTE, 0},
    {"step=hour&other=x", INT64_MIN, INT64_MAX, STEP_HOUR, 0},
    {"step=%64ay", INT64_MIN, INT64_MAX, STEP_DAY, 0},
    {"values=1", INT64_MIN, INT64_MAX, -1, 1},
    {"values=100&limit=x&page=x&cursor=x&after=x", INT64_MIN, INT64_MAX, -1, 100},
};

START_TEST(figures_are_asked_for)
{
    struct figures_ask ask;
    struct error err = {""};
    ck_assert_msg(figures_read(&ask, good[_i].query, &err) == 0, "%s", err.text);
    ck_assert_int_eq(ask.steps.since, good[_i].since);
    ck_assert_int_eq(ask.steps.until, good[_i].until);
    ck_assert_int_eq(ask.steps.named, good[_i].step >= 0);
    if (good[_i].step >= 0)
        ck_assert_int_eq((int)ask.steps.step, good[_i].step);
    ck_assert_int_eq(ask.values, good[_i].values);
}
END_TEST

static const struct {
    const char *query, *parameter;
} bad[] = {
    {"since=", "since: "},
    {"since=now", "since: "},
    {"until=2026-13-01", "until: "},
    {"since=%00", "since: "},
    {"step=", "step: "},
    {"step=week", "step: "},
    {"step=Second", "step: "},
    {"step=%", "step: "},
    {"values=", "values: "},
    {"values=0", "values: "},
    {"values=101", "values: "},
    {"values=-1", "values: "},
    {"values=1.5", "values: "},
    {"values=ten", "values: "},
    {"values=1%00", "values: "},
    {"values=99999999999999999999", "values: "},
};

START_TEST(what_figures_can_not_be_asked_with_is_named)
{
    struct figures_ask ask;
    struct error err = {""};
    ck_assert_int_eq(figures_read(&ask, bad[_i].query, &err), -1);
    ck_assert_msg(strncmp(err.text, bad[_i].parameter, strlen(bad[_i].parameter)) == 0, "%s",
                  err.text);
}
END_TEST

static const struct {
    const char *query;
    int64_t before;
    size_t most;
    const char *parameter; /* NULL: it is fine */
} pages[] = {
    {NULL, INT64_MAX, 50, NULL},
    {"limit=0", INT64_MAX, 0, NULL},
    {"limit=7&before=12", 12, 7, NULL},
    {"limit=500", INT64_MAX, 500, NULL},
    {"limit=501", INT64_MAX, 500, NULL},
    {"limit=99999999999999999999&before=99999999999999999999", INT64_MAX, 500, NULL},
    {"limit=", 0, 0, "limit: "},
    {"limit=-1", 0, 0, "limit: "},
    {"limit=x", 0, 0, "limit: "},
    {"limit=%", 0, 0, "limit: "},
    {"before=", 0, 0, "before: "},
    {"before=0", 0, 0, "before: "},
    {"before=-1", 0, 0, "before: "},
    {"before=1e3", 0, 0, "before: "},
};

START_TEST(rejects_are_asked_for)
{
    struct store_rejects_ask ask;
    struct error err = {""};
    int status = rejects_page_read(&ask, pages[_i].query, &err);
    if (pages[_i].parameter != NULL) {
        ck_assert_int_eq(status, -1);
        ck_assert_int_eq(strncmp(err.text, pages[_i].parameter, strlen(pages[_i].parameter)), 0);
        return;
    }
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(ask.before, pages[_i].before);
    ck_assert_uint_eq(ask.most, pages[_i].most);
}
END_TEST

static void check_document(const struct figures_told *told, const char *expected)
{
    struct bytes got;
    bytes_init(&got);
    ck_assert_int_eq(figures_json(&got, told), 0);
    ck_assert_int_eq(bytes_append(&got, "", 1), 0);
    ck_assert_str_eq(got.data, expected);
    bytes_clear(&got);
}

START_TEST(an_empty_database_has_a_document_too)
{
    const struct store_steps steps = {.facts = {.page_bytes = 4096}, .step = STEP_HOUR};
    const struct figures_told told = {.state = "failing", .version = "1.2", .steps = &steps};
    check_document(&told,
                   "{\"state\":\"failing\",\"version\":\"1.2\",\"uptime\":0,\"events\":0,"
                   "\"oldest\":null,\"newest\":null,\"rejects\":0,"
                   "\"database\":{\"bytes\":0,\"free\":0,\"wal\":0},\"cache\":null,"
                   "\"since\":null,\"until\":null,\"step\":\"hour\",\"total\":0,\"steps\":[]}");
}
END_TEST

START_TEST(steps_cache_and_values_stand_in_the_document)
{
    struct tally_step rows[] = {{-1000, 3}, {0, 4}};
    struct store_steps steps = {.any = true,
                                .since = -1,
                                .until = 999,
                                .step = STEP_SECOND,
                                .total = 7,
                                .steps = rows,
                                .count = 2};
    struct ring_survey cache = {.floor = {INT64_MIN, INT64_MIN}, .events = 5, .bytes = 600};
    struct figures_values values = {.counted = 6, .since_ms = -1, .most = 2};
    struct figures_told told = {.state = "ready",
                                .version = "1.2",
                                .up_s = 61,
                                .steps = &steps,
                                .cache = &cache,
                                .values = &values};
    steps.facts = (struct store_facts){.events = 9,
                                       .oldest_ms = INT64_C(-62167219200001),
                                       .newest_ms = 999,
                                       .rejects = 2,
                                       .file_bytes = 8192,
                                       .free_pages = 3,
                                       .page_bytes = 1000,
                                       .wal_bytes = 4};
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        ck_assert_int_eq(census_init(&values.members[i]), 0);
    static const char *const texts[] = {"{\"type\":\"b\"}",
                                        "{\"type\":\"a\",\"appId\":\"\\ud800\\u0000<\"}",
                                        "{\"type\":\"a\"}",
                                        "{\"type\":\"c\"}",
                                        "{\"type\":\"b\",\"level\":4}",
                                        "{\"type\":\"a\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_int_eq(census_add_event(values.members, texts[i], strlen(texts[i])), 0);
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_sort(&values.members[i]);
    check_document(
        &told, "{\"state\":\"ready\",\"version\":\"1.2\",\"uptime\":61,\"events\":9,"
               "\"oldest\":\"-000001-12-31T23:59:59.999Z\",\"newest\":\"1970-01-01T00:00:00.999Z\","
               "\"rejects\":2,\"database\":{\"bytes\":8192,\"free\":3000,\"wal\":4},"
               "\"cache\":{\"events\":5,\"bytes\":600,\"floor\":null},"
               "\"since\":\"1969-12-31T23:59:59.999Z\",\"until\":\"1970-01-01T00:00:00.999Z\","
               "\"step\":\"second\",\"total\":7,\"steps\":[[\"1969-12-31T23:59:59.000Z\",3],"
               "[\"1970-01-01T00:00:00.000Z\",4]],"
               "\"values\":{\"counted\":6,\"since\":\"1969-12-31T23:59:59.999Z\","
               "\"appId\":[[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0000<\",1],[null,5]],"
               "\"type\":[[\"a\",3],[\"b\",2],[null,1]],\"level\":[[null,6]]}}");
    cache.floor.ts = 5;
    struct bytes got;
    bytes_init(&got);
    ck_assert_int_eq(figures_json(&got, &told), 0);
    ck_assert_int_eq(bytes_append(&got, "", 1), 0);
    ck_assert_ptr_nonnull(strstr(got.data, "\"floor\":\"1970-01-01T00:00:00.005Z\""));
    bytes_clear(&got);
    /* One that is no file has no pages of ours and no log. */
    steps.facts.page_bytes = steps.facts.free_pages = steps.facts.wal_bytes = 0;
    bytes_init(&got);
    ck_assert_int_eq(figures_json(&got, &told), 0);
    ck_assert_int_eq(bytes_append(&got, "", 1), 0);
    ck_assert_ptr_nonnull(strstr(got.data, "\"database\":{\"bytes\":8192},"));
    bytes_clear(&got);
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_clear(&values.members[i]);
}
END_TEST

START_TEST(any_bytes_become_a_json_string)
{
    struct bytes got;
    bytes_init(&got);
    json_t *array = json_array();
    ck_assert_int_eq(document_add_pair(array, document_text("\0\x1f\"\\/\xff\x7f", 7, false), -7),
                     0);
    ck_assert_int_eq(document_add_pair(array, document_text("", 0, true), 0), 0);
    ck_assert_int_eq(document_add_pair(array, document_text("x\xe2\x82", 3, true), 1), 0);
    ck_assert_int_eq(document_add_pair(array, document_time(false, 5), INT64_MAX), 0);
    ck_assert_int_eq(document_dump(&got, array), 0);
    static const char expected[] = "[[\"\\u0000\\u001F\\\"\\\\/\xef\xbf\xbd\x7f\",-7],[\"\",0],"
                                   "[\"x\",1],[null,9223372036854775807]]";
    ck_assert_uint_eq(got.len, strlen(expected));
    ck_assert_mem_eq(got.data, expected, got.len);
    ck_assert_int_eq(document_dump(&got, NULL), -1);
    ck_assert_int_eq(document_add_pair(NULL, json_null(), 1), -1);
    bytes_clear(&got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("figures");
    TCase *tests = tcase_create("figures");
    tcase_add_loop_test(tests, figures_are_asked_for, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, what_figures_can_not_be_asked_with_is_named, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_loop_test(tests, rejects_are_asked_for, 0, sizeof pages / sizeof *pages);
    tcase_add_test(tests, an_empty_database_has_a_document_too);
    tcase_add_test(tests, steps_cache_and_values_stand_in_the_document);
    tcase_add_test(tests, any_bytes_become_a_json_string);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
