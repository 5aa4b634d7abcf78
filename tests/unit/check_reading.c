/* Readings of an engine without a socket: chunks, forms, cursors, what needs no thread at all. */

#include <jansson.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "cache/cut.h"
#include "contract/inflate.h"
#include "engine/internal.h"
#include "engine/keeper.h"
#include "engine/reading.h"
#include "engine_run.h"
#include "rope_text.h"

static const struct reading_form as_plain = {.coding = READING_PLAIN};
static const struct reading_form as_gzip = {.coding = READING_GZIP};

/* One answer, read to its end. */
struct listener {
    struct reading *reading;
    int64_t max_seq; /* as told with each chunk */
    struct bytes text;
    unsigned chunks;
    unsigned most; /* chunks after which it is given up; 0 for never */
    enum reading_source source;
    bool done;
    bool failed;
};

static void listener_hear(void *arg, enum reading_state state, struct rope *chunk)
{
    struct listener *listener = arg;
    int64_t max_seq = reading_max_seq(listener->reading);
    ck_assert(listener->chunks == 0 || max_seq == listener->max_seq);
    listener->max_seq = max_seq;
    listener->chunks++;
    listener->failed = state == READING_FAILED;
    if (!listener->failed)
        rope_read(chunk, &listener->text);
    if (state == READING_MORE)
        reading_next(listener->reading);
    listener->done = state != READING_MORE || listener->chunks == listener->most;
    if (state != READING_MORE)
        listener->source = reading_source(listener->reading);
    if (listener->done)
        reading_free(listener->reading);
}

static void listener_read(struct listener *listener, const char *query,
                          const struct reading_form *form)
{
    struct range range;
    struct error err = {""};
    ck_assert_msg(range_parse(&range, query, 500000, engine_secret(engine), &err) == 0, "%s",
                  err.text);
    bytes_init(&listener->text);
    listener->reading = reading_new(engine, &range, form, mailbox, listener_hear, listener);
    ck_assert_ptr_nonnull(listener->reading);
    while (!listener->done)
        wait_for_mail(mailbox);
    ck_assert(!listener->failed);
}

static void fill(unsigned batches)
{
    for (unsigned i = 0; i < batches; i++) {
        struct order order;
        order_submit(&order, mailbox, batch_of(i, 100, "0123456789 0123456789 0123456789"));
        order_wait(&order, mailbox);
        batch_free(order.submission.batch);
    }
}

START_TEST(reading_gives_one_document_in_many_chunks)
{
    struct listener plain = {0}, packed = {0};
    struct bytes inflated;
    fill(50);
    listener_read(&plain, NULL, &as_plain);
    ck_assert_uint_gt(plain.chunks, 1);
    ck_assert_int_ne(plain.source, READING_FROM_CACHE); /* which has no room for so many */
    json_t *document = json_loadb(plain.text.data, plain.text.len, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "total")), 5000);
    ck_assert_uint_eq(json_array_size(json_object_get(document, "events")), 5000);
    ck_assert_ptr_null(json_object_get(document, "nextCursor"));
    json_decref(document);

    listener_read(&packed, NULL, &as_gzip);
    bytes_init(&inflated);
    ck_assert_int_eq(inflate_gzip(packed.text.data, packed.text.len, 1 << 30, &inflated),
                     INFLATE_OK);
    ck_assert_uint_eq(inflated.len, plain.text.len);
    ck_assert_mem_eq(inflated.data, plain.text.data, inflated.len);
    bytes_clear(&inflated);
    bytes_clear(&plain.text);
    bytes_clear(&packed.text);
}
END_TEST

/* Gives the form texts that are gone when the first chunk is made. */
static void listener_read_wrapped(struct listener *listener, enum reading_coding coding)
{
    char head[] = "{\"response\":not read", tail[] = "}";
    struct reading_form form = {coding, head, strlen("{\"response\":"), tail, NULL};
    struct range range;
    ck_assert_int_eq(range_parse(&range, NULL, 500000, engine_secret(engine), NULL), 0);
    bytes_init(&listener->text);
    listener->reading = reading_new(engine, &range, &form, mailbox, listener_hear, listener);
    ck_assert_ptr_nonnull(listener->reading);
    memset(head, '?', sizeof head);
    memset(tail, '?', sizeof tail);
    while (!listener->done)
        wait_for_mail(mailbox);
    ck_assert(!listener->failed);
}

START_TEST(reading_wraps_the_document_plain_and_as_a_deflated_message)
{
    /* Nothing, one chunk, many chunks. */
    static const unsigned batches[] = {0, 1, 50};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct listener bare = {0}, plain = {0}, packed = {0};
        struct bytes expected, inflated;
        fill(batches[i]);
        bytes_init(&expected);
        listener_read(&bare, NULL, &as_plain);
        ck_assert_int_eq(bytes_append_format(&expected, "{\"response\":%.*s}", (int)bare.text.len,
                                             bare.text.data),
                         0);
        listener_read_wrapped(&plain, READING_PLAIN);
        ck_assert_uint_eq(plain.text.len, expected.len);
        ck_assert_mem_eq(plain.text.data, expected.data, expected.len);
        listener_read_wrapped(&packed, READING_DEFLATE);
        ck_assert_mem_ne(packed.text.data + packed.text.len - 4, "\0\0\xff\xff", 4);
        inflate_message(&packed.text, &inflated);
        ck_assert_uint_eq(inflated.len, expected.len);
        ck_assert_mem_eq(inflated.data, expected.data, expected.len);
        ck_assert(batches[i] < 50 || (packed.chunks > 1 && packed.text.len < expected.len / 2));
        bytes_clear(&inflated);
        bytes_clear(&expected);
        bytes_clear(&bare.text);
        bytes_clear(&plain.text);
        bytes_clear(&packed.text);
    }
}
END_TEST

START_TEST(reading_tells_the_newest_seq_of_its_snapshot)
{
    struct listener none = {0}, page = {0}, next = {0};
    char query[512];
    listener_read(&none, NULL, &as_plain);
    ck_assert_int_eq(none.max_seq, 0);
    fill(2);
    listener_read(&page, "limit=7", &as_plain);
    ck_assert_int_gt(page.max_seq, 0);
    ck_assert(RUN_SHARED || page.max_seq == 100 * 2);
    json_t *document = json_loadb(page.text.data, page.text.len, 0, NULL);
    snprintf(query, sizeof query, "limit=7&cursor=%s",
             json_string_value(json_object_get(document, "nextCursor")));
    json_decref(document);
    fill(1);
    listener_read(&next, query, &as_plain);
    ck_assert_int_eq(next.max_seq, page.max_seq);
    bytes_clear(&none.text);
    bytes_clear(&page.text);
    bytes_clear(&next.text);
}
END_TEST

START_TEST(reading_goes_on_where_the_cursor_says_whatever_arrives)
{
    char query[512] = "limit=7";
    size_t seen = 0;
    char last[64] = "z";
    fill(3);
    for (;;) {
        struct listener page = {0};
        listener_read(&page, query, &as_plain);
        json_t *document = json_loadb(page.text.data, page.text.len, 0, NULL);
        json_t *events = json_object_get(document, "events"), *event;
        size_t i;
        ck_assert_int_eq(json_integer_value(json_object_get(document, "total")), 300);
        json_array_foreach(events, i, event)
        {
            const char *stamp = json_string_value(json_object_get(event, "timestamp"));
            ck_assert_int_le(strcmp(stamp, last), 0);
            snprintf(last, sizeof last, "%s", stamp);
        }
        seen += json_array_size(events);
        json_t *cursor = json_object_get(document, "nextCursor");
        if (cursor != NULL)
            snprintf(query, sizeof query, "limit=7&cursor=%s", json_string_value(cursor));
        bool end = cursor == NULL;
        json_decref(document);
        bytes_clear(&page.text);
        if (end)
            break;
        if (seen % 5 == 0)
            fill(1);
    }
    ck_assert_uint_eq(seen, 300);
}
END_TEST

START_TEST(reading_may_be_given_up_while_a_chunk_is_under_way)
{
    fill(50);
    for (unsigned most = 1; most < 4; most++) {
        struct listener listener = {.most = most};
        listener_read(&listener, NULL, most % 2 == 0 ? &as_gzip : &as_plain);
        ck_assert_uint_eq(listener.chunks, most);
        bytes_clear(&listener.text);
    }
}
END_TEST

/* Until the ring knows how many events there are, and holds so many of the newest. */
static void wait_until_known(size_t events)
{
    const struct cut_ask ask = {
        .since = INT64_MIN, .until = INT64_MAX, .start = PLACE_HIGHEST, .max_seq = INT64_MAX};
    int64_t until = clock_mono_ms() + LONG_MS;
    for (;;) {
        struct ring_survey survey;
        struct cut cut;
        ck_assert_int_eq(ring_cut(keeper_ring(engine->keeper), &ask, &cut), 0);
        bool known = cut.all && !cut.above;
        cut_clear(&cut);
        ring_bounds(keeper_ring(engine->keeper), &survey);
        if (known && survey.events >= events)
            return;
        ck_assert_int_lt(clock_mono_ms(), until);
        (void)poll(NULL, 0, 1);
    }
}

/* Queries of a store of 5000 events, the newest thousand or so in the cache. */
static const struct {
    const char *query;
    bool at_once; /* made without another thread, when plain */
} asked[] = {
    {"limit=7", true},
    {"limit=0", true},
    {"limit=10&page=30", true},
    {"limit=10&page=500", false}, /* the last page, which has no cursor */
    {"limit=10&page=501", false},
    {"limit=0&page=7", true},
    {"limit=101", false},
    {"limit=4000", false},
    {"limit=5000", false},
    {"limit=5001", false},
    {"", false},
    {"limit=7&until=2024-01-27T00:00:00Z", false}, /* there are newer ones */
    {"limit=7&until=2024-01-28T00:00:59Z", true},
    {"limit=7&until=2024-01-28T00:00:58.999Z", false},
    {"limit=7&since=2024-01-01T00:00:00Z", false}, /* the cache does not reach down to it */
    {"limit=7&since=2024-01-28T00:00:00Z&until=2024-01-29T00:00:00Z", true},
    {"limit=7&since=2024-01-28T00:00:00Z&until=2024-01-28T00:00:59Z", true},
    {"limit=100&since=2024-01-28T00:00:58Z&until=2024-01-28T00:00:59Z", true}, /* less than that */
    {"limit=10&page=9&since=2024-01-28T00:00:00Z&until=2024-01-29T00:00:00Z", true},
    {"limit=10&page=10&since=2024-01-28T00:00:00Z&until=2024-01-29T00:00:00Z",
     true}, /* the last page */
    {"limit=10&page=11&since=2024-01-28T00:00:00Z&until=2024-01-29T00:00:00Z",
     true}, /* behind it */
    {"limit=7&since=2025-01-01T00:00:00Z", true},
};

/* 90 events of 8 KiB that can't be compressed to much less. */
static void fill_large(void)
{
    struct bytes body;
    struct order order;
    uint32_t noise = 1;
    bytes_init(&body);
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < 90; i++) {
        ck_assert_int_eq(bytes_append_format(&body,
                                             "%s{\"timestamp\":\"2024-02-01T00:00:00Z\",\"x\":\"",
                                             i > 0 ? "," : ""),
                         0);
        for (unsigned k = 0; k < 1024; k++) {
            noise = noise * 1664525 + 1013904223;
            for (unsigned shift = 0; shift < 32; shift += 4)
                ck_assert_int_eq(bytes_append(&body, &"0123456789abcdef"[noise >> shift & 15], 1),
                                 0);
        }
        ck_assert_int_eq(bytes_append_text(&body, "\"}"), 0);
    }
    ck_assert_int_eq(bytes_append(&body, "]}", sizeof "]}"), 0);
    order_submit(&order, mailbox, body_of(body.data));
    order_wait(&order, mailbox);
    batch_free(order.submission.batch);
    bytes_clear(&body);
}

/* What a question got from memory. */
struct hot {
    struct listener plain, packed;
};

static void hot_ask(struct hot *hot, const char *query)
{
    *hot = (struct hot){0};
    listener_read(&hot->plain, query, &as_plain);
    listener_read(&hot->packed, query, &as_gzip);
}

static void reopen_without_cache(void)
{
    engine_close(engine);
    options.cache_events = 0;
    engine_up();
}

/* The database must answer the same. */
static void hot_check(struct hot *hot, const char *query)
{
    struct listener cold = {0};
    struct bytes inflated;
    const struct bytes *packed = &hot->packed.text, *plain = &hot->plain.text;
    bytes_init(&inflated);
    ck_assert_int_eq(inflate_gzip(packed->data, packed->len, 1 << 30, &inflated), INFLATE_OK);
    listener_read(&cold, query, &as_plain);
    const struct bytes *text = &cold.text;
    ck_assert_msg(text->len == plain->len && memcmp(text->data, plain->data, text->len) == 0, "%s",
                  query);
    ck_assert_msg(text->len == inflated.len && memcmp(text->data, inflated.data, text->len) == 0,
                  "%s, gzip", query);
    bytes_clear(&inflated);
    bytes_clear(&cold.text);
    bytes_clear(&hot->plain.text);
    bytes_clear(&hot->packed.text);
}

/* Whether the answer is there before any other thread can have been at it, nearly always: one of
 * them may just have the ring. */
static bool is_mostly_made_at_once(const char *query)
{
    struct range range;
    struct pollfd poll_fd = {.fd = mailbox_fd(mailbox), .events = POLLIN};
    unsigned times = 0;
    ck_assert_int_eq(range_parse(&range, query, 500000, engine_secret(engine), NULL), 0);
    for (unsigned i = 0; i < 100; i++) {
        struct reading *reading =
            reading_new(engine, &range, &as_plain, mailbox, listener_hear, NULL);
        times += poll(&poll_fd, 1, 0) == 1;
        /* Its mail has come before the next one looks. */
        ck_assert_int_eq(poll(&poll_fd, 1, LONG_MS), 1);
        reading_free(reading);
        (void)mailbox_open_all(mailbox);
    }
    return times > 90;
}

/* The same once what is compressed behind the ingest leaves the ring alone. */
static bool is_made_at_once(const char *query)
{
    int64_t until = clock_mono_ms() + LONG_MS;
    while (!is_mostly_made_at_once(query))
        if (clock_mono_ms() > until)
            return false;
    return true;
}

START_TEST(reading_from_memory_is_what_the_database_answers)
{
    enum { COUNT = sizeof asked / sizeof *asked };
    struct hot hot[COUNT];
    fill(50);
    wait_until_known(options.cache_events / 2);
    for (size_t i = 0; i < COUNT; i++) {
        if (asked[i].at_once && !RUN_SHARED)
            ck_assert_msg(is_made_at_once(asked[i].query), "%s: not at once", asked[i].query);
        hot_ask(&hot[i], asked[i].query);
        if (asked[i].query[0] == '\0') /* all there is */
            ck_assert_int_eq(hot[i].plain.source, READING_FROM_BOTH);
    }
    reopen_without_cache();
    for (size_t i = 0; i < COUNT; i++)
        hot_check(&hot[i], asked[i].query);
}
END_TEST

/* Few events, and too large to be answered at once. */
START_TEST(reading_of_large_events_is_what_the_database_answers)
{
    static const char *const queries[] = {"limit=90", "limit=89", "limit=3", ""};
    enum { COUNT = sizeof queries / sizeof *queries };
    struct hot hot[COUNT];
    fill_large();
    wait_until_known(90);
    for (size_t i = 0; i < COUNT; i++)
        hot_ask(&hot[i], queries[i]);
    reopen_without_cache();
    for (size_t i = 0; i < COUNT; i++)
        hot_check(&hot[i], queries[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reading");
    TCase *tcase = tcase_create("reading");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, run_setup, run_teardown);
    tcase_add_test(tcase, reading_gives_one_document_in_many_chunks);
    tcase_add_test(tcase, reading_wraps_the_document_plain_and_as_a_deflated_message);
    tcase_add_test(tcase, reading_tells_the_newest_seq_of_its_snapshot);
    tcase_add_test(tcase, reading_goes_on_where_the_cursor_says_whatever_arrives);
    tcase_add_test(tcase, reading_may_be_given_up_while_a_chunk_is_under_way);
    tcase_add_test(tcase, reading_from_memory_is_what_the_database_answers);
    tcase_add_test(tcase, reading_of_large_events_is_what_the_database_answers);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
