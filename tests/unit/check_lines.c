#include <string.h>

#include "contract/lines.h"
#include "slurp.h"
#include "unit.h"

#define NOW INT64_C(1710498225123)
#define STAMP "\"timestamp\":\"2024-03-15T10:23:45.123Z\""
#define EVENT "{\"id\":\"a\"," STAMP "}"

static const struct batch_limits limits = {.event_bytes = 200, .depth = 4};
static struct line_ids ids;
static struct lines_report report;
static struct batch *batch;

static void lines_setup(void)
{
    line_ids_init(&ids);
}

static void lines_teardown(void)
{
    line_ids_clear(&ids);
    batch_free(batch);
    batch = NULL;
}

static void take_at(const char *text, size_t len, int64_t first, int64_t step)
{
    struct error err = {""};
    /* A copy that is gone afterwards: nothing of the text may be referenced. */
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    struct lines_chunk chunk = {.text = copy, .len = len, .first = first, .step = step};
    batch_free(batch);
    ck_assert_int_eq(lines_import(&chunk, &limits, &ids, NOW, &report, &batch, &err), BATCH_OK);
    memset(copy, 0x55, len + 1);
    free(copy);
}

static void take(const char *text)
{
    take_at(text, strlen(text), 1, 1);
}

/* A line, and what becomes of it: NULL stored, "" skipped, else why it can't be. */
static const struct {
    const char *line;
    const char *why;
} verdicts[] = {
    {EVENT "\n", NULL},
    {EVENT, NULL}, /* the last one, whole without a line feed */
    {"  \t" EVENT " \r\n", NULL},
    {"\xef\xbb\xbf" EVENT "\n", NULL},
    {"{" STAMP "}\n", NULL},
    {"{" STAMP ",\"a\":\"\\u0000\\ud800\",\"b\":1e999,\"b\":123456789012345678901234567890}\n",
     NULL},
    {"\n", ""},
    {"\r\n", ""},
    {" \t \n", ""},
    {" ", ""},
    {"[10:23:45] info click\n", ""},
    {"  [1]\n", ""},
    {"{\"timestamp\":\"2024-03\n", "no JSON: the text ends too early at byte 21"},
    {"{\"timestamp\":\"2024-03", "half a line, at the end of the file"},
    {"x\n", "no JSON: expected a value at byte 0"},
    {EVENT EVENT "\n", "no JSON: something stands behind the end at byte 49"},
    {"5\n", "not an object"},
    {"\"text\"\n", "not an object"},
    {"{}\n", "no timestamp"},
    {"{\"timestamp\":5}\n", "no timestamp"},
    {"{\"timestamp\":\"yesterday\"}\n", "unreadable timestamp"},
    {"{" STAMP ",\"a\":[[[[]]]]}\n", "nested too deep"},
    {"{" STAMP ",\"a\":\"\xff\"}\n", "not UTF-8"},
    {"{" STAMP ",\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789\"}\n",
     "over the event limit"},
};

START_TEST(a_line_is_stored_skipped_or_malformed)
{
    const char *why = verdicts[_i].why;
    take(verdicts[_i].line);
    ck_assert_int_eq(report.lines, 1);
    ck_assert_uint_eq(batch->event_count, why == NULL);
    ck_assert_int_eq(report.skipped, why != NULL && *why == '\0');
    ck_assert_int_eq(report.malformed, why != NULL && *why != '\0');
    ck_assert_uint_eq(batch->reject_count, 0);
    if (report.malformed > 0)
        ck_assert_str_eq(report.faults[0].why, why);
}
END_TEST

START_TEST(a_nul_is_a_malformed_line_and_nothing_else)
{
    static const char text[] = EVENT "\n{\0}\n" EVENT "\n\0\0\0";
    take_at(text, sizeof text - 1, 1, 1);
    ck_assert_int_eq(report.lines, 4);
    ck_assert_uint_eq(batch->event_count, 2);
    ck_assert_int_eq(report.malformed, 2);
    ck_assert_int_eq(report.faults[0].line, 2);
    ck_assert_int_eq(report.faults[1].line, 4);
}
END_TEST

START_TEST(faults_tell_their_line_in_either_direction)
{
    take_at("x\n" EVENT "\n\ny\n", strlen(EVENT) + 6, 100, 1);
    ck_assert_uint_eq(report.fault_count, 2);
    ck_assert_int_eq(report.faults[0].line, 100);
    ck_assert_int_eq(report.faults[1].line, 103);
    take_at("x\n" EVENT "\n\ny\n", strlen(EVENT) + 6, 100, -1);
    ck_assert_int_eq(report.faults[1].line, 97);
}
END_TEST

START_TEST(all_malformed_lines_are_counted_and_the_first_kept)
{
    char text[200];
    for (int i = 0; i < 100; i++)
        memcpy(text + 2 * i, "?\n", 2);
    take_at(text, sizeof text, 1, 1);
    ck_assert_int_eq(report.malformed, 100);
    ck_assert_uint_eq(report.fault_count, LINES_FAULTS_KEPT);
    ck_assert_int_eq(report.faults[LINES_FAULTS_KEPT - 1].line, LINES_FAULTS_KEPT);
}
END_TEST

/* The id that event i got, as text. */
static const char *id_of(size_t i)
{
    static char text[4][UUID_LEN + 1];
    static unsigned turn;
    char *out = text[turn++ % 4];
    ck_assert_uint_lt(i, batch->event_count);
    ck_assert_uint_eq(batch->events[i].id_len, UUID_LEN);
    memcpy(out, batch->events[i].id, UUID_LEN);
    out[UUID_LEN] = '\0';
    return out;
}

START_TEST(an_event_without_id_gets_the_same_one_again)
{
    static const char *const lines[] = {"{" STAMP "}\n", "{\"id\":\"\"," STAMP "}\n",
                                        "{\"id\":null," STAMP "}\n", "{" STAMP ",\"id\":7}\n"};
    char first[UUID_LEN + 1];
    take(lines[_i]);
    strcpy(first, id_of(0));
    ck_assert(batch->events[0].given);
    ck_assert_int_eq(first[14], '8');
    ck_assert_ptr_nonnull(strchr("89ab", first[19]));
    ck_assert_int_eq(strncmp(first, "018e41a3-9be3", 13), 0); /* 1710498225123 */
    ck_assert_ptr_nonnull(memmem(batch->events[0].text, batch->events[0].text_len, first, 36));
    /* The same file again, differently spaced; then a second one in the same file. */
    line_ids_clear(&ids);
    char spaced[200];
    snprintf(spaced, sizeof spaced, "  %.*s \r\n%s", (int)strlen(lines[_i]) - 1, lines[_i],
             lines[_i]);
    take(spaced);
    ck_assert_str_eq(id_of(0), first);
    ck_assert_str_ne(id_of(1), first);
}
END_TEST

START_TEST(equal_events_are_told_apart_by_their_number_however_they_come)
{
    /* 3,000 equal ones and 3,000 others, in two orders and in other chunks: the same ids. */
    enum { EACH = 3000 };
    static char text[EACH * 2][64];
    static char seen[2][EACH * 2][UUID_LEN + 1];
    for (int round = 0; round < 2; round++) {
        line_ids_clear(&ids);
        for (int i = 0; i < EACH * 2; i++) {
            int n = round == 0 ? i : EACH * 2 - 1 - i;
            snprintf(text[0], sizeof text[0], "{" STAMP ",\"n\":%d}\n", n % 2 == 0 ? 0 : n);
            take(text[0]);
            strcpy(seen[round][i], id_of(0));
        }
        qsort(seen[round], EACH * 2, UUID_LEN + 1, (int (*)(const void *, const void *))strcmp);
        for (int i = 1; i < EACH * 2; i++)
            ck_assert_str_ne(seen[round][i - 1], seen[round][i]);
    }
    ck_assert_int_eq(memcmp(seen[0], seen[1], sizeof seen[0]), 0);
}
END_TEST

START_TEST(given_ids_stay_and_cost_nothing)
{
    take(EVENT "\n{\"id\":\"\\u0062\"," STAMP "}\n");
    ck_assert_uint_eq(batch->event_count, 2);
    ck_assert(batch->events[0].given && batch->events[1].given);
    ck_assert_uint_eq(batch->events[1].id_len, 1);
    ck_assert_int_eq(batch->events[1].id[0], 'b');
    ck_assert_uint_eq(ids.seen_size, 0);
}
END_TEST

START_TEST(what_is_dropped_leaves_the_others_in_order)
{
    const bool drop[] = {true, false, true, false};
    take("{\"id\":\"a\"," STAMP "}\n{\"id\":\"b\"," STAMP "}\n{\"id\":\"c\"," STAMP
         "}\n{\"id\":\"d\"," STAMP "}\n");
    batch_drop(batch, drop);
    ck_assert_uint_eq(batch->event_count, 2);
    ck_assert_int_eq(batch->events[0].id[0], 'b');
    ck_assert_int_eq(batch->events[1].id[0], 'd');
}
END_TEST

START_TEST(the_recorded_log_of_the_plugin_is_taken_whole)
{
    struct bytes text;
    const struct batch_limits usual = {1 << 20, 512};
    struct lines_chunk chunk = {.first = 1, .step = 1};
    bytes_init(&text);
    slurp(&text, "stock-client/shop-2026_11_20.log");
    chunk.text = text.data;
    chunk.len = text.len;
    ck_assert_int_eq(lines_import(&chunk, &usual, &ids, NOW, &report, &batch, NULL), BATCH_OK);
    ck_assert_int_eq(report.lines, 120);
    ck_assert_uint_eq(batch->event_count, 120);
    ck_assert_uint_eq(ids.seen_size, 0);
    const char *at = text.data;
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        ck_assert_int_eq(memcmp(event->text, at, event->text_len), 0);
        at += event->text_len + 1;
    }
    bytes_clear(&text);
}
END_TEST

/* A body, its events, its rejects' reasons, and how many lines are objects. */
static const struct {
    const char *body;
    size_t events;
    const char *reasons;
    size_t objects;
} bodies[] = {
    {"", 0, "", 0},
    {"\n \r\n", 0, "", 0},
    {EVENT, 1, "", 1},
    {EVENT "\r\n" EVENT "\n", 2, "", 2},
    {"[1]\n" EVENT "\nx\n{}\n5", 1, "not an object,not JSON,no timestamp,not an object,", 2},
    {"{\n", 0, "not JSON,", 0},
    {"{" STAMP ",\"a\":\"\xff\"}\n{" STAMP ",\"a\":[[[[]]]]}", 0, "not UTF-8,nested too deep,", 2},
    {"{0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789\n" EVENT,
     1, "over the event limit,", 2},
};

START_TEST(a_body_of_lines_is_a_batch_with_rejects)
{
    struct uuid_source uuids;
    struct error err = {""};
    struct bytes reasons;
    size_t objects = 99;
    char *copy = strdup(bodies[_i].body);
    bytes_init(&reasons);
    uuid_source_init(&uuids);
    ck_assert_int_eq(lines_body(copy, strlen(copy), &limits, &uuids,
                                (const unsigned char *)"0123456789abcdef", NOW, &objects, &batch,
                                &err),
                     BATCH_OK);
    free(copy);
    ck_assert_uint_eq(objects, bodies[_i].objects);
    ck_assert_uint_eq(batch->event_count, bodies[_i].events);
    for (size_t i = 0; i < batch->reject_kept; i++)
        ck_assert_int_eq(
            bytes_append_format(&reasons, "%s,", batch_reason_text(batch->rejects[i].reason)), 0);
    ck_assert_uint_eq(reasons.len, strlen(bodies[_i].reasons));
    ck_assert(reasons.len == 0 || memcmp(reasons.data, bodies[_i].reasons, reasons.len) == 0);
    /* Each line has its mark, as each element of a JSON body. */
    ck_assert_uint_eq(batch->marks.count, batch->event_count + batch->reject_count);
    bytes_clear(&reasons);
}
END_TEST

START_TEST(a_body_of_lines_has_the_marks_of_one_that_is_json)
{
    static const unsigned char secret[] = "0123456789abcdef";
    static const char json[] = "{\"events\":[" EVENT ",5,{" STAMP "}]}";
    static const char text[] = EVENT " \n\n5\r\n{" STAMP "}";
    struct uuid_source uuids;
    struct batch *other;
    size_t objects;
    uuid_source_init(&uuids);
    ck_assert_int_eq(
        lines_body(text, sizeof text - 1, &limits, &uuids, secret, NOW, &objects, &batch, NULL),
        BATCH_OK);
    ck_assert_int_eq(batch_read(json, sizeof json - 1, &limits, &uuids, secret, NOW, &other, NULL),
                     BATCH_OK);
    ck_assert_uint_eq(batch->marks.count, 3);
    ck_assert_uint_eq(other->marks.count, 3);
    ck_assert_mem_eq(batch->marks.running, other->marks.running, 3 * sizeof(uint64_t));
    batch_free(other);
}
END_TEST

START_TEST(a_timestamp_is_found_in_an_event_alone)
{
    int64_t ts = 0;
    ck_assert(lines_timestamp(EVENT "\n", strlen(EVENT) + 1, &ts));
    ck_assert_int_eq(ts, NOW);
    ck_assert(!lines_timestamp("[1]\n", 4, &ts));
    ck_assert(!lines_timestamp("{}", 2, &ts));
    ck_assert(!lines_timestamp("", 0, &ts));
    ck_assert(!lines_timestamp(EVENT, strlen(EVENT) - 1, &ts));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, lines_setup, lines_teardown);
    tcase_add_loop_test(tcase, a_line_is_stored_skipped_or_malformed, 0,
                        (int)(sizeof verdicts / sizeof *verdicts));
    tcase_add_test(tcase, a_nul_is_a_malformed_line_and_nothing_else);
    tcase_add_test(tcase, faults_tell_their_line_in_either_direction);
    tcase_add_test(tcase, all_malformed_lines_are_counted_and_the_first_kept);
    tcase_add_loop_test(tcase, an_event_without_id_gets_the_same_one_again, 0, 4);
    tcase_add_test(tcase, equal_events_are_told_apart_by_their_number_however_they_come);
    tcase_add_test(tcase, given_ids_stay_and_cost_nothing);
    tcase_add_test(tcase, what_is_dropped_leaves_the_others_in_order);
    tcase_add_test(tcase, the_recorded_log_of_the_plugin_is_taken_whole);
    tcase_add_loop_test(tcase, a_body_of_lines_is_a_batch_with_rejects, 0,
                        (int)(sizeof bodies / sizeof *bodies));
    tcase_add_test(tcase, a_body_of_lines_has_the_marks_of_one_that_is_json);
    tcase_add_test(tcase, a_timestamp_is_found_in_an_event_alone);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
