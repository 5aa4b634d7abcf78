/* What an ingest brings, and the recorded messages of the stock client. */
#include <jansson.h>

#include "dialogs.h"
#include "slurp.h"

#define STAMP "\"timestamp\":\"2024-03-15T10:23:45.123Z\""

static const char *const bodies[] = {
    "{\"type\":\"ingest\",\"events\":[]}",
    "{\"events\":[{\"id\":\"\"," STAMP ",\"n\":19.90}],\"type\":\"ingest\"}",
    "{\"type\":\"ingest\",\"events\":[{" STAMP "},{\"id\":\"\\u0061\"," STAMP "},5,{},"
    "{\"timestamp\":\"x\"},{" STAMP ",\"s\":\"\xff\"},{" STAMP ",\"s\":\"\\ud800\\u0000\"}]}",
    "{\"events\":[{" STAMP "}],\"type\":\"ingest\",\"events\":[{" STAMP ",\"a\":1},[]]}",
    "{\"type\":\"ingest\",\"events\":[{" STAMP "},{" STAMP "},{" STAMP "}]}",
};

static void check_same_batch(const struct batch *one, const struct batch *other)
{
    ck_assert_uint_eq(one->event_count, other->event_count);
    for (size_t i = 0; i < one->event_count; i++) {
        const struct batch_event *a = &one->events[i], *b = &other->events[i];
        ck_assert_int_eq(a->ts, b->ts);
        ck_assert_int_eq(a->given, b->given);
        ck_assert_uint_eq(a->position, b->position);
        ck_assert_uint_eq(a->text_len, b->text_len);
        ck_assert_mem_eq(a->text, b->text, a->text_len);
        ck_assert_uint_eq(a->id_len, b->id_len);
        ck_assert_mem_eq(a->id, b->id, a->id_len);
    }
    ck_assert_uint_eq(one->reject_count, other->reject_count);
    ck_assert_uint_eq(one->reject_kept, other->reject_kept);
    for (size_t i = 0; i < one->reject_kept; i++) {
        const struct batch_reject *a = &one->rejects[i], *b = &other->rejects[i];
        ck_assert_int_eq(a->reason, b->reason);
        ck_assert_uint_eq(a->position, b->position);
        ck_assert_uint_eq(a->text_len, b->text_len);
        ck_assert_mem_eq(a->text, b->text, a->text_len);
    }
    ck_assert_int_eq(one->received_ms, other->received_ms);
    ck_assert_uint_eq(one->memory, other->memory);
    ck_assert_uint_eq(one->marks.count, other->marks.count);
    if (one->marks.count > 0)
        ck_assert_mem_eq(one->marks.running, other->marks.running,
                         one->marks.count * sizeof *one->marks.running);
    ck_assert_uint_eq(one->marks.burst_from, other->marks.burst_from);
    ck_assert_uint_eq(one->marks.burst_to, other->marks.burst_to);
}

/* The message just taken in must have given what its text gives over HTTP, with the ids that same
 * source makes. */
static void check_as_over_http(const char *text, size_t len, struct uuid_source source)
{
    struct batch *batch;
    ck_assert_int_eq(result.effect, DIALOG_SUBMIT);
    ck_assert_int_eq(batch_read(text, len, &limits, &source, secret, NOW, &batch, NULL), BATCH_OK);
    check_same_batch(result.batch, batch);
    batch_free(batch);
}

START_TEST(batch_is_what_the_same_text_gives_over_http)
{
    become(INGESTER);
    struct uuid_source source = uuids;
    take(bodies[_i]);
    check_as_over_http(bodies[_i], strlen(bodies[_i]), source);
}
END_TEST

START_TEST(type_may_stand_behind_many_events)
{
    struct bytes text;
    bytes_init(&text);
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":[5"), 0);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_eq(bytes_append_text(&text, ",{" STAMP ",\"type\":\"auth\"}"), 0);
    ck_assert_int_eq(bytes_append_text(&text, "],\"type\":\"ingest\"}"), 0);
    become(INGESTER);
    struct uuid_source source = uuids;
    take_bytes(text.data, text.len);
    check_as_over_http(text.data, text.len, source);
    ck_assert_uint_eq(result.batch->event_count, 20000);
    bytes_clear(&text);
}
END_TEST

/* ---- the stock client ---- */

/* What the recorded server answered, made from the effect. */
static void check_recorded(const char *recorded)
{
    struct bytes ack;
    bytes_init(&ack);
    switch (result.effect) {
    case DIALOG_SUBMIT:
        ck_assert_uint_eq(result.batch->reject_count, 0);
        ck_assert_int_eq(message_ack(&ack, result.batch->event_count), 0);
        ck_assert_uint_eq(ack.len, strlen(recorded));
        ck_assert_mem_eq(ack.data, recorded, ack.len);
        break;
    case DIALOG_ASK:
        ck_assert_uint_lt(result.reply.len, strlen(recorded));
        ck_assert_mem_eq(result.reply.data, recorded, result.reply.len);
        ck_assert_int_eq(recorded[result.reply.len], '{');
        ck_assert_int_lt(result.range.since, result.range.until);
        break;
    default:
        check_said(recorded);
    }
    bytes_clear(&ack);
}

START_TEST(stock_client_gets_what_was_recorded)
{
    struct bytes file;
    bytes_init(&file);
    slurp(&file, "stock-client/websocket.json");
    json_t *records = json_loadb(file.data, file.len, JSON_ALLOW_NUL, NULL);
    bytes_clear(&file);
    ck_assert_ptr_nonnull(records);
    size_t i, answered = 0;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        const json_t *message = json_object_get(record, "message");
        const char *to = json_string_value(json_object_get(record, "to"));
        if (json_object_get(record, "handshake") != NULL) {
            become(STRANGER);
        } else if (to != NULL && strcmp(to, "server") == 0) {
            take_bytes(json_string_value(message), json_string_length(message));
        } else if (to != NULL) {
            check_recorded(json_string_value(message));
            answered++;
        }
    }
    ck_assert_uint_eq(answered, 10);
    json_decref(records);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialog_batch");
    TCase *tests = tcase_create("dialog_batch");
    tcase_add_checked_fixture(tests, dialogs_setup, dialogs_teardown);
    tcase_add_loop_test(tests, batch_is_what_the_same_text_gives_over_http, 0,
                        sizeof bodies / sizeof *bodies);
    tcase_add_test(tests, type_may_stand_behind_many_events);
    tcase_add_test(tests, stock_client_gets_what_was_recorded);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
