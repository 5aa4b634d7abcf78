/* The PostgreSQL store's writing side on a real server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include <pthread.h>
#include <sys/socket.h>

#include "postgres_stores.h"

#include "base/bytes.h"
#include "contract/receipt_rows.h"
#include "store/postgres/postgres_store_parts.h"
#include "store/shared.h"
#include "store/store.h"

enum { RECEIVED = 12345 };

static void setup(void)
{
    stores_setup(10, 1000);
}

static struct batch *batch_of(const char *text)
{
    return read_body(text, store_secret(store), RECEIVED);
}

static int append(struct store_item *items, size_t count, const struct store_receipts *receipts)
{
    struct error err = {""};
    int status = store_append(store, items, count, receipts, &err);
    ck_assert_msg(status == STORE_OK || status == STORE_REFUSED || err.text[0] != '\0', "%s",
                  err.text);
    return status;
}

static int append_one(struct store_item *item, const char *text)
{
    *item = (struct store_item){.batch = batch_of(text)};
    return append(item, 1, &no_receipts);
}

/* Appends it, which works, and returns the number of its first event. */
static int64_t append_text(const char *text)
{
    struct store_item item;
    ck_assert_int_eq(append_one(&item, text), STORE_OK);
    int64_t seq = item.batch->events[0].seq;
    batch_free(item.batch);
    return seq;
}

START_TEST(events_are_stored_with_numbers_that_ascend)
{
    struct store_item items[] = {
        {.batch = batch_of("{\"events\":[{\"timestamp\":\"2026-11-22T10:00:00Z\",\"a\":1},"
                           "{\"timestamp\":\"2026-11-22T10:00:01Z\",\"id\":\"x\"},"
                           "{\"timestamp\":\"1969-12-31T23:59:59.999Z\"},{\"b\":2}]}")},
        {.batch = batch_of("{\"events\":[{\"timestamp\":\"2026-11-22T10:00:00Z\"}]}")}};
    ck_assert_int_eq(append(items, 2, &no_receipts), STORE_OK);
    int64_t before = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < items[i].batch->event_count; n++) {
            ck_assert_int_gt(items[i].batch->events[n].seq, before);
            before = items[i].batch->events[n].seq;
        }
    ck_assert_uint_eq(items[0].saved, 3);
    ck_assert_uint_eq(items[0].duplicate, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 4);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 1);
    ck_assert_int_eq(shell("SELECT max(seq) FROM beacond.events"), before);
    ck_assert_int_eq(shell("SELECT last_seq FROM beacond.commits"), before);
    ck_assert_int_eq(shell("SELECT events FROM beacond.tally_second WHERE at = -1000"), 1);
    ck_assert_int_eq(shell("SELECT events FROM beacond.tally_day WHERE at = -86400000"), 1);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.tally_hour"), 4);
    batch_free(items[0].batch);
    batch_free(items[1].batch);
}
END_TEST

#define TS "\"timestamp\":\"2026-11-22T10:00:00Z\""

START_TEST(a_given_id_is_stored_once)
{
    struct store_item item;
    ck_assert_int_eq(append_one(&item, "{\"events\":[{" TS ",\"id\":\"b\"},{" TS "},{" TS
                                       ",\"id\":\"a\"},{" TS ",\"id\":\"b\"}]}"),
                     STORE_OK);
    const struct batch_event *events = item.batch->events;
    ck_assert_uint_eq(item.saved, 4);
    ck_assert_uint_eq(item.duplicate, 1);
    ck_assert_int_gt(events[0].seq, 0);
    ck_assert_int_eq(events[1].seq, events[0].seq + 1);
    ck_assert_int_eq(events[2].seq, events[0].seq + 2);
    ck_assert_int_eq(events[3].seq, 0);
    batch_free(item.batch);
    ck_assert_int_eq(append_one(&item, "{\"events\":[{" TS ",\"id\":\"a\"},{" TS "}]}"), STORE_OK);
    ck_assert_uint_eq(item.duplicate, 1);
    ck_assert_int_eq(item.batch->events[0].seq, 0);
    ck_assert_int_gt(item.batch->events[1].seq, 0);
    batch_free(item.batch);
    ck_assert_int_eq(append_one(&item, "{\"events\":[{" TS ",\"id\":\"a\"}]}"), STORE_OK);
    batch_free(item.batch);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 4);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.tally_second"), 4);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.commits"), 4);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 2);
}
END_TEST

START_TEST(ids_that_are_no_text_are_told_apart)
{
    static const char *const ids[] = {"\\u0000",    "\\u0001",        "\\u0000\\u0000", "\\ud800",
                                      "\\u0001x00", "\\ud800\\ud801", "\\ud83d\\ude00"};
    char text[256];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            struct store_item item;
            snprintf(text, sizeof text, "{\"events\":[{" TS ",\"id\":\"%s\"}]}", ids[i]);
            ck_assert_int_eq(append_one(&item, text), STORE_OK);
            ck_assert_uint_eq(item.duplicate, round);
            batch_free(item.batch);
        }
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), sizeof ids / sizeof *ids);
}
END_TEST

START_TEST(ids_may_be_long)
{
    struct bytes text = {NULL, 0, 0};
    for (int i = 0; i < 3; i++) {
        struct store_item item;
        text.len = 0;
        ck_assert_int_eq(bytes_append_text(&text, "{\"events\":[{" TS ",\"id\":\""), 0);
        for (unsigned n = 0; n < 5000; n++)
            ck_assert_int_eq(bytes_append_format(&text, "%x", n * 2654435761u), 0);
        ck_assert_int_eq(bytes_append_text(&text, i == 2 ? "y\"}]}" : "x\"}]}"), 0);
        ck_assert_int_eq(bytes_append(&text, "", 1), 0);
        ck_assert_int_eq(append_one(&item, text.data), STORE_OK);
        ck_assert_uint_eq(item.duplicate, i == 1);
        batch_free(item.batch);
    }
    bytes_clear(&text);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
}
END_TEST

START_TEST(a_commit_may_take_several_blocks)
{
    enum { EVENTS = 9000 };
    struct bytes text = {NULL, 0, 0};
    struct store_item item;
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
    for (int i = 0; i < EVENTS; i++)
        ck_assert_int_eq(bytes_append_format(
                             &text, i % 3 == 0 ? "%s{" TS ",\"id\":\"%d\"}" : "%s{" TS ",\"n\":%d}",
                             i == 0 ? "" : ",", EVENTS - i),
                         0);
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    ck_assert_int_eq(append_one(&item, text.data), STORE_OK);
    for (int i = 1; i < EVENTS; i++)
        ck_assert_int_eq(item.batch->events[i].seq, item.batch->events[0].seq + i);
    ck_assert_int_eq(shell("SELECT last_seq - first_seq + 1 FROM beacond.commits"), EVENTS);
    ck_assert_int_eq(shell("SELECT events FROM beacond.tally_minute"), EVENTS);
    batch_free(item.batch);
    bytes_clear(&text);
}
END_TEST

/* 70 events of half a megabyte are more than one statement takes. */
START_TEST(a_commit_may_be_large)
{
    enum { EVENTS = 70, BYTES = 500000 };
    struct bytes text = {NULL, 0, 0};
    struct store_item item;
    char *pad = malloc(BYTES);
    ck_assert_ptr_nonnull(pad);
    memset(pad, 'x', BYTES);
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
    for (int i = 0; i < EVENTS; i++) {
        ck_assert_int_eq(
            bytes_append_format(&text, "%s{" TS ",\"id\":\"%d\",\"x\":\"", i == 0 ? "" : ",", i),
            0);
        ck_assert_int_eq(bytes_append(&text, pad, BYTES), 0);
        ck_assert_int_eq(bytes_append_text(&text, "\"}"), 0);
    }
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    ck_assert_int_eq(append_one(&item, text.data), STORE_OK);
    for (int i = 1; i < EVENTS; i++)
        ck_assert_int_gt(item.batch->events[i].seq, item.batch->events[i - 1].seq);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 2);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.commits"), EVENTS);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events, beacond.commits WHERE seq BETWEEN "
                           "first_seq AND last_seq"),
                     EVENTS);
    batch_free(item.batch);
    bytes_clear(&text);
    free(pad);
}
END_TEST

START_TEST(known_elements_are_left_alone)
{
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "},{\"no\":\"time\"},{" TS
                                                "},{\"none\":1},{" TS "}]}"),
                              .known = 3};
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_OK);
    ck_assert_uint_eq(item.saved, 3);
    ck_assert_uint_eq(item.duplicate, 2);
    ck_assert_int_eq(item.batch->events[1].seq, 0);
    ck_assert_int_gt(item.batch->events[2].seq, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 1);
    batch_free(item.batch);
}
END_TEST

START_TEST(nothing_to_store_is_no_commit)
{
    ck_assert_int_eq(append(NULL, 0, &no_receipts), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 0);
}
END_TEST

START_TEST(the_oldest_rejects_go_first)
{
    for (int i = 0; i < 4; i++) {
        struct store_item item;
        ck_assert_int_eq(append_one(&item, "{\"events\":[1,2,3,4]}"), STORE_OK);
        batch_free(item.batch);
    }
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 10);
    ck_assert_int_eq(shell("SELECT min(n) FROM beacond.rejects"), 7);
    struct store_item item;
    ck_assert_int_eq(append_one(&item, "{\"events\":[10,11,12,1,2,3,4,5,6,7,8,9,0]}"), STORE_OK);
    batch_free(item.batch);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 10);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects WHERE event = '1'"), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects WHERE event = '12'"), 0);
    store_limit_rejects(store, 10, 3);
    ck_assert_int_eq(append_one(&item, "{\"events\":[12,1234]}"), STORE_OK);
    batch_free(item.batch);
    ck_assert_int_eq(shell("SELECT sum(octet_length(event)) FROM beacond.rejects"), 3);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 2);
}
END_TEST

/* --- receipts --------------------------------------------------------------------------------- */

/* A row of receipts with one mark each; odd keys are bursts, for whose answers somebody waits. */
static struct store_receipts receipts_of(struct bytes *row, const uint64_t *keys, size_t count)
{
    static uint64_t serial, awaited[8];
    size_t bursts = 0;
    if (serial == 0)
        serial = store_first_serial(store);
    row->len = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(receipt_row_put(row, &keys[i], 1, keys[i] % 2 != 0), 0);
        if (keys[i] % 2 != 0 && bursts < 8)
            awaited[bursts++] = serial + i;
    }
    struct store_receipts receipts = {.at_ms = 77,
                                      .data = row->data,
                                      .len = row->len,
                                      .first_serial = serial,
                                      .awaited = awaited,
                                      .awaited_count = bursts};
    serial += count;
    return receipts;
}

struct heard {
    size_t count;
    uint64_t serial;
    uint64_t key;
    unsigned lost;
};

static int hear(void *arg, const struct store_claimed *receipt)
{
    struct heard *heard = arg;
    struct receipt_row row = receipt_row_begin(receipt->data, receipt->len);
    struct receipt_entry entry;
    ck_assert(receipt_row_next(&row, &entry));
    ck_assert_uint_eq(entry.count, 1);
    receipt_entry_marks(&entry, &heard->key);
    heard->serial = receipt->serial;
    heard->lost = receipt->lost;
    heard->count++;
    return 0;
}

static int claim(struct store *who, uint64_t key, struct heard *heard)
{
    struct error err = {""};
    *heard = (struct heard){0};
    return store_claim(who, &key, 1, hear, heard, &err);
}

/* Claims a key and stores an event and a receipt under it. */
static int store_under(uint64_t key)
{
    struct bytes row = {NULL, 0, 0};
    struct heard heard;
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    struct store_receipts receipts = receipts_of(&row, &key, 1);
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    int status = append(&item, 1, &receipts);
    ck_assert_int_eq(item.batch->events[0].seq != 0, status == STORE_OK);
    batch_free(item.batch);
    bytes_clear(&row);
    return status;
}

/* The one receipt under that key has lost so many answers. Returns its serial; the key is free. */
static uint64_t lost_under(uint64_t key, unsigned lost)
{
    struct heard heard;
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.lost, lost);
    store_release(store);
    return heard.serial;
}

/* Stores a receipt under a key, and returns its serial. */
static uint64_t receipt_under(uint64_t key)
{
    ck_assert_int_eq(store_under(key), STORE_OK);
    return lost_under(key, 0);
}

START_TEST(receipts_are_found_by_their_keys)
{
    static const uint64_t keys[] = {UINT64_MAX, 4, 7, 4};
    struct bytes row = {NULL, 0, 0};
    struct store_receipts receipts = receipts_of(&row, keys, 4);
    struct error err = {""};
    struct heard heard = {0};
    ck_assert_int_eq(store_claim(store, keys, 4, hear, &heard, &err), STORE_OK);
    ck_assert_uint_eq(heard.count, 0);
    ck_assert_int_eq(append(NULL, 0, &receipts), STORE_OK);
    ck_assert_int_eq(claim(store, 4, &heard), STORE_OK);
    ck_assert_uint_eq(heard.count, 2);
    ck_assert_uint_eq(heard.serial, receipts.first_serial + 3);
    store_release(store);
    ck_assert_int_eq(claim(store, UINT64_MAX, &heard), STORE_OK);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.key, UINT64_MAX);
    ck_assert_uint_eq(heard.serial, receipts.first_serial);
    store_release(store);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts WHERE burst AND at = 77"), 2);
    bytes_clear(&row);
}
END_TEST

/* As many as one look-up goes through in memory. */
START_TEST(of_receipts_under_one_key_the_newest_are_found)
{
    struct heard heard;
    (void)shell("INSERT INTO beacond.receipts SELECT n, 42, 1, n, false, 0, "
                "'\\x02010000002a00000000000000' FROM generate_series(1, 100) AS n");
    ck_assert_int_eq(claim(store, 42, &heard), STORE_OK);
    ck_assert_uint_eq(heard.count, 64);
    ck_assert_uint_eq(heard.serial, 100);
    store_release(store);
}
END_TEST

START_TEST(losses_are_kept)
{
    struct heard heard;
    uint64_t serial = receipt_under(9);
    const uint64_t both[] = {serial, serial};
    ck_assert_int_eq(store_lose(store, both, 1, NULL), STORE_OK);
    ck_assert_int_eq(store_lose(store, both, 2, NULL), STORE_OK);
    ck_assert_int_eq(claim(store, 9, &heard), STORE_OK);
    ck_assert_uint_eq(heard.lost, 3);
    const struct store_loss less = {serial, -1};
    const struct store_receipts receipts = {.losses = &less, .loss_count = 1};
    ck_assert_int_eq(append(NULL, 0, &receipts), STORE_OK);
    (void)lost_under(9, 2);
}
END_TEST

/* Waits until the database says so. */
static void until(const char *sql)
{
    while (shell(sql) == 0)
        (void)poll(NULL, 0, 5);
}

static void *claim_beside(void *arg)
{
    ck_assert_int_eq(claim(other, 42, arg), STORE_OK);
    return NULL;
}

#define WAITS                                                                                   \
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = " \
    "(SELECT oid FROM pg_database WHERE datname = current_database())"

START_TEST(a_key_is_held_until_its_holder_is_through)
{
    static const uint64_t key = 42;
    struct bytes row = {NULL, 0, 0};
    struct heard heard, beside;
    pthread_t thread;
    other = open_node("two");
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    ck_assert_int_eq(claim(other, 43, &beside), STORE_OK); /* another key is free */
    store_release(other);
    ck_assert_int_eq(pthread_create(&thread, NULL, claim_beside, &beside), 0);
    until(WAITS);
    struct store_receipts receipts = receipts_of(&row, &key, 1);
    ck_assert_int_eq(append(NULL, 0, &receipts), STORE_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(beside.count, 1);
    ck_assert_uint_eq(beside.serial, receipts.first_serial);
    store_release(other);
    bytes_clear(&row);
}
END_TEST

enum { CROSSING_IDS = 50 };

/* Appends the same ids in every round as whoever else does, upwards or downwards. */
static void *append_crossing(void *arg)
{
    struct store *who = arg;
    struct bytes text = {NULL, 0, 0};
    for (unsigned round = 0; round < unit_rounds(100); round++) {
        struct error err = {""};
        text.len = 0;
        for (int i = 0; i < CROSSING_IDS; i++)
            ck_assert_int_eq(bytes_append_format(&text, "%s{" TS ",\"id\":\"%u.%d\"}",
                                                 i == 0 ? "{\"events\":[" : ",", round,
                                                 who == store ? i : CROSSING_IDS - i - 1),
                             0);
        ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
        struct store_item item = {.batch = batch_of(text.data)};
        int status = store_append(who, &item, 1, &no_receipts, &err);
        ck_assert_msg(status == STORE_OK, "%s", err.text);
        batch_free(item.batch);
    }
    bytes_clear(&text);
    return NULL;
}

START_TEST(nodes_do_not_wait_for_each_other_in_a_circle)
{
    pthread_t thread;
    other = open_node("two");
    ck_assert_int_eq(pthread_create(&thread, NULL, append_crossing, other), 0);
    (void)append_crossing(store);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), CROSSING_IDS * unit_rounds(100));
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.tally_day"),
                     CROSSING_IDS * unit_rounds(100));
}
END_TEST

START_TEST(released_keys_are_free)
{
    struct heard heard;
    other = open_node("two");
    ck_assert_int_eq(claim(store, 42, &heard), STORE_OK);
    store_release(store);
    ck_assert_int_eq(claim(other, 42, &heard), STORE_OK);
    ck_assert_int_eq(claim(other, 42, &heard), STORE_OK); /* instead of the first */
    store_release(other);
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

static void refuse_bad_ones(const char *what)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "CREATE FUNCTION public.judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
             "IF new.event LIKE '%%\"bad\"%%' THEN %s END IF; RETURN new; END $$; "
             "CREATE TRIGGER judge BEFORE INSERT ON beacond.events FOR EACH ROW "
             "EXECUTE FUNCTION public.judge()",
             what);
    (void)shell(sql);
}

static void refused_apart(const char *reason)
{
    char sql[256];
    struct error err = {""};
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS ",\"id\":\"a\"},{" TS "},{" TS
                                                ",\"x\":\"bad\"},{" TS "},{},{" TS "},{" TS
                                                ",\"id\":\"a\"}]}")};
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_REFUSED);
    for (size_t i = 0; i < item.batch->event_count; i++)
        ck_assert_int_eq(item.batch->events[i].seq, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 0);
    ck_assert_int_eq(store_append_apart(store, &item, &no_receipts, &err), STORE_OK);
    ck_assert_uint_eq(item.refused, 1);
    ck_assert_uint_eq(item.saved, 5);
    ck_assert_uint_eq(item.duplicate, 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 4);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.tally_day"), 4);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 2);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM beacond.rejects WHERE reason = 'refused by the database: %s'",
             reason);
    ck_assert_int_eq(shell(sql), 1);
    int64_t before = 0;
    for (size_t i = 0; i < item.batch->event_count; i++) {
        int64_t seq = item.batch->events[i].seq;
        ck_assert_int_eq(seq == 0, i == 2 || i == 5);
        ck_assert(seq == 0 || seq > before);
        before = seq == 0 ? before : seq;
    }
    batch_free(item.batch);
}

START_TEST(what_the_database_refuses_becomes_a_reject)
{
    refuse_bad_ones("RAISE EXCEPTION 'no';");
    refused_apart("no");
}
END_TEST

START_TEST(what_a_trigger_ignores_becomes_a_reject)
{
    refuse_bad_ones("RETURN NULL;");
    refused_apart("a trigger of this database ignores it");
}
END_TEST

/* It is no repetition, though nothing is stored. */
START_TEST(a_given_id_that_a_trigger_ignores_becomes_a_reject)
{
    struct error err = {""};
    refuse_bad_ones("RETURN NULL;");
    struct store_item item = {.batch =
                                  batch_of("{\"events\":[{" TS ",\"id\":\"z\",\"x\":\"bad\"},{" TS
                                           ",\"id\":\"y\"},{" TS ",\"id\":\"y\"}]}")};
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_REFUSED);
    ck_assert_int_eq(store_append_apart(store, &item, &no_receipts, &err), STORE_OK);
    ck_assert_uint_eq(item.refused, 1);
    ck_assert_uint_eq(item.duplicate, 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects WHERE reason LIKE '%ignores it'"),
                     1);
    batch_free(item.batch);
}
END_TEST

/* They are cut where there is no room, but not within a character. */
START_TEST(what_the_database_says_may_be_long)
{
    struct error err = {""};
    refuse_bad_ones("RAISE EXCEPTION '%', repeat(chr(8364), 400);");
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS ",\"x\":\"bad\"},{" TS "}]}")};
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_REFUSED);
    int status = store_append_apart(store, &item, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(
        shell("SELECT count(*) FROM beacond.rejects WHERE reason LIKE '%' || chr(8364)"), 1);
    batch_free(item.batch);
}
END_TEST

/* Ends the first node's session, and waits until it is gone. */
#define SESSION "application_name = 'beacond' AND datname = current_database()"

static void end_session(const char *which)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE " SESSION
             " AND %s",
             which);
    (void)shell(sql);
}

START_TEST(an_append_does_not_outlive_its_claim)
{
    static const uint64_t key = 42;
    struct bytes row = {NULL, 0, 0};
    struct heard heard;
    struct error err = {""};
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    end_session("true");
    struct store_receipts receipts = receipts_of(&row, &key, 1);
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    ck_assert_int_eq(store_append(store, &item, 1, &receipts, &err), STORE_BUSY);
    ck_assert_int_eq(item.batch->events[0].seq, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 0);
    ck_assert_int_eq(store_under(42), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    batch_free(item.batch);
    bytes_clear(&row);
}
END_TEST

START_TEST(a_session_that_has_ended_is_made_anew)
{
    ck_assert_int_eq(store_under(1), STORE_OK);
    end_session("true");
    ck_assert_int_eq(store_under(2), STORE_OK);
    end_session("true");
    ck_assert_int_eq(append(NULL, 0, &no_receipts), STORE_BUSY);
    ck_assert_int_eq(append(NULL, 0, &no_receipts), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
}
END_TEST

/* As behind a pooler that is not known for one. */
START_TEST(a_session_that_forgets_what_it_was_to_keep_is_given_nothing_more)
{
    struct pg *pg = &((struct postgres_store *)store)->pg;
    struct heard heard;
    ck_assert_int_eq(store_under(1), STORE_OK);
    ck_assert(pg->kept[SQL_APPEND]);
    PQclear(PQexec(pg->connection, "DEALLOCATE ALL"));
    ck_assert_int_eq(claim(store, 2, &heard), STORE_BUSY);
    ck_assert_int_eq(store_under(2), STORE_OK);
    end_session("true");
    ck_assert_int_eq(store_under(3), STORE_OK);
    ck_assert(!pg->kept[SQL_APPEND]);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 3);
}
END_TEST

/* It would hold the writer up for as long, with nothing to commit. */
START_TEST(a_new_session_waits_for_no_table_that_somebody_holds)
{
    struct postgres_store *node = (struct postgres_store *)store;
    struct pg *pg = &node->pg;
    struct error err = {""};
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "LOCK TABLE beacond.events"));
    pg_close(pg);
    pg->settings = NULL; /* a session of its own accord would wait for ever */
    ck_assert_int_eq(pg_connect(pg, &err), STORE_OK);
    ck_assert_int_eq(postgres_keep(node, &err), STORE_OK);
    ck_assert_msg(strstr(err.text, "lock timeout") != NULL, "%s", err.text);
    ck_assert(!pg->kept[SQL_APPEND]);
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
    ck_assert_int_eq(store_under(1), STORE_OK);
    node->keep_ms = 0;
    ck_assert_int_eq(store_under(2), STORE_OK);
    ck_assert(pg->kept[SQL_APPEND]);
}
END_TEST

/* As of a morning: a plan that was made for an empty table goes through all of it when it is full.
 */
START_TEST(a_plan_that_is_kept_fits_a_table_that_fills_up)
{
    enum { ENOUGH = 8, KEYS = 100 }; /* behind some executions there is a plan for all parameters */
    char explain[128];
    uint64_t keys[KEYS];
    struct heard heard = {0};
    struct error err = {""};
    struct pg *pg = &((struct postgres_store *)store)->pg;
    for (uint64_t i = 0; i < KEYS; i++)
        keys[i] = i;
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "ANALYZE beacond.receipts"));
    PQfinish(person);
    for (int i = 0; i < ENOUGH; i++) {
        ck_assert_int_eq(store_claim(store, keys, KEYS, hear, &heard, &err), STORE_OK);
        store_release(store);
    }
    PGresult *kept = PQexec(pg->connection, "SELECT name FROM pg_prepared_statements"
                                            " WHERE statement LIKE '%CROSS JOIN LATERAL%'"
                                            "   AND statement LIKE '%beacond.receipts%'"
                                            "   AND generic_plans > 0");
    ck_assert_int_eq(PQntuples(kept), 1);
    snprintf(explain, sizeof explain, "EXPLAIN EXECUTE %s('{1,2}')", PQgetvalue(kept, 0, 0));
    PGresult *plan = PQexec(pg->connection, explain);
    ck_assert_int_gt(PQntuples(plan), 0);
    bool indexed = false;
    for (int i = 0; i < PQntuples(plan); i++) {
        const char *line = PQgetvalue(plan, i, 0);
        ck_assert_msg(strstr(line, "Seq Scan") == NULL, "%s", line);
        indexed = indexed || strstr(line, "Index Scan Backward using receipts_by_key") != NULL;
    }
    ck_assert(indexed);
    PQclear(plan);
    PQclear(kept);
}
END_TEST

/* Ends the session that waits within its COMMIT for a standby that is not there: it is made, and
 * nobody is told. */
static void *end_committing(void *arg)
{
    (void)arg;
    until("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    end_session("wait_event = 'SyncRep'");
    (void)shell("ALTER SYSTEM RESET synchronous_standby_names");
    (void)shell("SELECT pg_reload_conf()");
    return NULL;
}

static void wait_for_standby(void)
{
    (void)shell("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    (void)shell("SELECT pg_reload_conf()");
    until("SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting "
          "= 'nobody'");
}

START_TEST(a_commit_whose_answer_was_lost_is_remembered)
{
    pthread_t thread;
    wait_for_standby();
    ck_assert_int_eq(pthread_create(&thread, NULL, end_committing, NULL), 0);
    ck_assert_int_eq(store_under(9), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    (void)lost_under(9, 1);
    (void)lost_under(9, 1);
}
END_TEST

START_TEST(a_commit_that_was_not_made_loses_nothing)
{
    struct heard heard;
    uint64_t serial = receipt_under(9);
    ck_assert_int_eq(store_lose(store, &serial, 1, NULL), STORE_OK);
    (void)shell("CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
                "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON beacond.commits DEFERRABLE "
                "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.die()");
    const struct store_loss less = {serial, -1};
    const struct store_receipts receipts = {.losses = &less, .loss_count = 1};
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    ck_assert_int_eq(claim(store, 9, &heard), STORE_OK);
    ck_assert_int_eq(append(&item, 1, &receipts), STORE_BUSY);
    (void)shell("DROP TRIGGER die ON beacond.commits");
    (void)lost_under(9, 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    batch_free(item.batch);
}
END_TEST

/* Commits an event with these, of key 9, and its answer is lost. */
static void append_in_doubt(const struct store_receipts *receipts)
{
    struct heard heard;
    pthread_t thread;
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    wait_for_standby();
    ck_assert_int_eq(claim(store, 9, &heard), STORE_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, end_committing, NULL), 0);
    ck_assert_int_eq(append(&item, 1, receipts), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    batch_free(item.batch);
}

START_TEST(a_loss_that_was_taken_in_doubt_is_given_back)
{
    uint64_t serial = receipt_under(9);
    ck_assert_int_eq(store_lose(store, &serial, 1, NULL), STORE_OK);
    (void)lost_under(9, 1);
    const struct store_loss less = {serial, -1};
    append_in_doubt(&(struct store_receipts){
        .losses = &less, .loss_count = 1, .awaited = &serial, .awaited_count = 1});
    (void)lost_under(9, 1);
}
END_TEST

/* Bursts that are equal to one that was stored before have no receipts of their own. */
START_TEST(each_burst_of_a_commit_in_doubt_has_lost_an_answer)
{
    const uint64_t serial = receipt_under(9), both[] = {serial, serial};
    append_in_doubt(&(struct store_receipts){.awaited = both, .awaited_count = 2});
    (void)lost_under(9, 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
}
END_TEST

/* Its client was gone before: that was counted with the commit. */
START_TEST(a_burst_that_nobody_waits_for_loses_no_answer_in_doubt)
{
    const uint64_t serial = receipt_under(9);
    const struct store_loss gone = {serial, 1};
    const uint64_t key = 8;
    struct bytes row = {NULL, 0, 0};
    struct store_receipts receipts = receipts_of(&row, &key, 1);
    receipts.losses = &gone;
    receipts.loss_count = 1;
    append_in_doubt(&receipts);
    (void)lost_under(9, 1);
    bytes_clear(&row);
}
END_TEST

/* Counts their losses; the answer of the COMMIT is lost. */
static void lose_in_doubt(const uint64_t *serials, size_t count)
{
    pthread_t thread;
    wait_for_standby();
    ck_assert_int_eq(pthread_create(&thread, NULL, end_committing, NULL), 0);
    ck_assert_int_eq(store_lose(store, serials, count, NULL), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(losses_whose_answer_was_lost_are_counted_once)
{
    uint64_t serial = receipt_under(9);
    const uint64_t three[] = {serial, serial, serial};
    lose_in_doubt(three, 2);
    /* It is asked for again, with another that has come. */
    ck_assert_int_eq(store_lose(store, three, 3, NULL), STORE_OK);
    (void)lost_under(9, 3);
    ck_assert_int_eq(store_lose(store, three, 1, NULL), STORE_OK);
    (void)lost_under(9, 4);
}
END_TEST

/* Cuts the store off from its server while that waits within a COMMIT for a standby. */
static void *cut_off_committing(void *arg)
{
    const int *socket = arg;
    until("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    shutdown(*socket, SHUT_RDWR);
    return NULL;
}

/* The caller asks for all again until it hears that all were counted. */
START_TEST(losses_that_were_counted_are_known_until_all_are)
{
    const uint64_t serials[] = {receipt_under(9), receipt_under(7)};
    lose_in_doubt(serials, 1);
    (void)shell(
        "CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE lock_not_available; END $$; "
        "CREATE TRIGGER hold BEFORE UPDATE ON beacond.receipts EXECUTE FUNCTION public.hold()");
    ck_assert_int_eq(store_lose(store, serials, 2, NULL), STORE_BUSY);
    ck_assert_int_eq(store_lose(store, serials, 2, NULL), STORE_BUSY);
    (void)shell("DROP TRIGGER hold ON beacond.receipts");
    lose_in_doubt(serials, 2);
    ck_assert_int_eq(store_lose(store, serials, 2, NULL), STORE_OK);
    (void)lost_under(9, 1);
    (void)lost_under(7, 1);
    /* From then on they are others. */
    ck_assert_int_eq(store_lose(store, serials, 2, NULL), STORE_OK);
    (void)lost_under(9, 2);
    (void)lost_under(7, 2);
}
END_TEST

START_TEST(losses_whose_commit_is_under_way_are_waited_for)
{
    pthread_t thread;
    const uint64_t serial = receipt_under(9), both[] = {serial, serial};
    int socket = PQsocket(((struct postgres_store *)store)->pg.connection);
    wait_for_standby();
    ck_assert_int_eq(pthread_create(&thread, NULL, cut_off_committing, &socket), 0);
    ck_assert_int_eq(store_lose(store, both, 2, NULL), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(store_lose(store, both, 2, NULL), STORE_BUSY);
    (void)shell("ALTER SYSTEM RESET synchronous_standby_names");
    (void)shell("SELECT pg_reload_conf()");
    while (store_lose(store, both, 2, NULL) != STORE_OK)
        (void)poll(NULL, 0, 5);
    (void)lost_under(9, 2);
}
END_TEST

START_TEST(a_node_that_ends_has_lost_one_answer_at_most)
{
    const uint64_t told = receipt_under(9);
    ck_assert_int_eq(store_lose(store, &told, 1, NULL), STORE_OK);
    (void)receipt_under(7);
    store_close(store);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts WHERE lost = 1"), 2);
    store = open_node("two");
}
END_TEST

/* Of batches without marks, as an import has them, no receipt tells. */
START_TEST(what_is_stored_without_marks_is_not_stored_twice)
{
    static const char text[] = "{\"events\":[{" TS "},{" TS "}]}";
    struct store_item item = {.batch = read_body(text, NULL, RECEIVED)};
    struct store_item other_item = {.batch = read_body(text, NULL, RECEIVED)};
    pthread_t thread;
    wait_for_standby();
    ck_assert_int_eq(pthread_create(&thread, NULL, end_committing, NULL), 0);
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
    ck_assert_int_eq(append(&item, 1, &no_receipts), STORE_OK);
    ck_assert_uint_eq(item.duplicate, 2);
    ck_assert_int_eq(append(&other_item, 1, &no_receipts), STORE_OK);
    ck_assert_uint_eq(other_item.duplicate, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 4);
    batch_free(item.batch);
    batch_free(other_item.batch);
}
END_TEST

/* --- upkeep ----------------------------------------------------------------------------------- */

#define NOW "(extract(epoch FROM now()) * 1000)::bigint"

START_TEST(rows_of_the_logs_go_once_one_behind_them_is_old)
{
    (void)append_text("{\"events\":[{" TS "}]}");
    (void)shell("SET beacond.own = 'on'; INSERT INTO beacond.commits SELECT n, n, 1, " NOW
                " - 3700000, 1, 1, 1 FROM generate_series(1, 1500) AS n; INSERT INTO "
                "beacond.erasures(n, at, events) SELECT n, 1, 0 FROM generate_series(1, 3) AS n");
    ck_assert(store_tend(store, true));
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 501);
    ck_assert_int_eq(shell("SELECT min(last_seq) FROM beacond.commits"), 1001);
    ck_assert_int_eq(shell("SELECT sum(n) FROM beacond.erasures"), 3);
    /* Whose next one is new stays: a node may not have followed any further yet. */
    while (shell("SELECT count(*) FROM beacond.commits") > 2)
        (void)store_tend(store, true);
    ck_assert(!store_tend(store, true));
}
END_TEST

/* A tend that is due at once is a new store's first. */
static void tend_anew(int64_t max_receipts_bytes)
{
    store_close(store);
    options.max_receipts_bytes = max_receipts_bytes;
    store = open_node("one");
    ck_assert(!store_tend(store, true));
}

/* The second was stored by a node whose clock is ahead. */
START_TEST(rows_of_the_logs_go_in_their_order)
{
    (void)shell(
        "INSERT INTO beacond.commits SELECT n, n, 1, " NOW
        " - CASE n WHEN 2 THEN 0 ELSE 3700000 END, 1, 1, 1 FROM generate_series(1, 4) AS n");
    (void)store_tend(store, true);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 4);
    (void)shell("UPDATE beacond.commits SET at = at + 864000000 WHERE last_seq = 2");
    tend_anew(0);
    ck_assert_int_eq(shell("SELECT min(last_seq) FROM beacond.commits"), 4);
}
END_TEST

START_TEST(old_receipts_go)
{
    (void)shell("INSERT INTO beacond.receipts SELECT n, n, 1, " NOW
                " - n * 86400000, false, 0, '\\x00' FROM generate_series(0, 9) AS n");
    tend_anew(1 << 20);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 7);
    ck_assert_int_eq(shell("SELECT max(serial) FROM beacond.receipts"), 6);
}
END_TEST

START_TEST(receipts_beyond_their_bound_go)
{
    (void)shell(
        "INSERT INTO beacond.receipts SELECT n, n, 1, " NOW
        " - n, false, 0, decode(repeat('00', 880), 'hex') FROM generate_series(1, 100) AS n");
    tend_anew(0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 100);
    tend_anew(50000);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 50);
    ck_assert_int_eq(shell("SELECT max(serial) FROM beacond.receipts"), 50);
}
END_TEST

START_TEST(rejects_of_other_nodes_are_seen)
{
    struct store_item item;
    (void)shell("INSERT INTO beacond.rejects(received, reason, event) SELECT 1, 'x', 'y' FROM "
                "generate_series(1, 30)");
    ck_assert(!store_tend(store, true));
    ck_assert_int_eq(append_one(&item, "{\"events\":[1]}"), STORE_OK);
    batch_free(item.batch);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 10);
}
END_TEST

START_TEST(a_probe_tells_whether_commits_work)
{
    struct error err = {""};
    ck_assert_int_eq(store_probe(store, &err), STORE_OK);
    (void)shell("ALTER TABLE beacond.events RENAME TO away");
    ck_assert_int_eq(store_probe(store, &err), STORE_BUSY);
    (void)shell("ALTER TABLE beacond.away RENAME TO events");
    ck_assert_int_eq(store_probe(store, &err), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 0);
    refuse_bad_ones("RAISE EXCEPTION 'no';");
    (void)shell("CREATE OR REPLACE FUNCTION public.judge() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN RAISE EXCEPTION 'no'; END $$");
    ck_assert_int_eq(store_probe(store, &err), STORE_OK);
}
END_TEST

/* --- nodes ------------------------------------------------------------------------------------ */

START_TEST(nodes_count_apart_under_small_numbers)
{
    (void)append_text("{\"events\":[{" TS "}]}");
    other = open_node("two");
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.nodes WHERE ended IS NULL"), 2);
    ck_assert_int_eq(shell("SELECT slot FROM beacond.nodes WHERE name = 'two'"), 1);
    ck_assert_uint_gt(store_first_serial(other), store_first_serial(store));
    store_close(store);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.nodes WHERE ended IS NULL"), 1);
    store = open_node("three");
    ck_assert_int_eq(shell("SELECT slot FROM beacond.nodes WHERE name = 'three'"), 0);
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    ck_assert_int_eq(store_append(other, &item, 1, &no_receipts, NULL), STORE_OK);
    batch_free(item.batch);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.tally_day"), 2);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.tally_day"), 2);
}
END_TEST

/* Its bursts would count as not answered for by nobody: those of the dead one have been. */
START_TEST(a_node_that_was_taken_for_dead_stores_as_another)
{
    struct heard heard;
    /* While it can't enter itself anew. */
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "SELECT pg_advisory_lock((67::bigint << 56) | 1)"));
    (void)shell("UPDATE beacond.nodes SET ended = 1 WHERE ended IS NULL");
    ck_assert_int_eq(claim(store, 7, &heard), STORE_BUSY);
    PQclear(PQexec(person, "SELECT pg_advisory_unlock_all()"));
    PQfinish(person);
    until("SELECT count(*) FROM beacond.nodes WHERE ended IS NULL");
    ck_assert_int_eq(store_under(7), STORE_OK);
    ck_assert_int_eq(
        shell("SELECT count(*) FROM beacond.receipts JOIN beacond.nodes USING (instance)"
              " WHERE ended IS NULL"),
        1);
}
END_TEST

START_TEST(a_database_of_another_encoding_is_refused)
{
    struct store *opened = NULL;
    struct error err = {""};
    char sql[128], ascii[sizeof name + 8];
    snprintf(ascii, sizeof ascii, "%s_ascii", name);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0 ENCODING 'SQL_ASCII'", ascii);
    postgres_shell("postgres", sql);
    postgres_uri(uri, sizeof uri, ascii);
    ck_assert_int_eq(store_open(&opened, &options, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "SQL_ASCII"));
}
END_TEST

START_TEST(a_node_begins_at_the_moment_of_its_start)
{
    int64_t seq = append_text("{\"events\":[{" TS "},{" TS "}]}");
    struct store_state state;
    other = open_node("two");
    store_look(other, &state);
    ck_assert_int_eq(state.last_seq, seq + 1);
    ck_assert_int_eq(state.total, 2);
    ck_assert_int_eq(state.erasures, 0);
    ck_assert_mem_eq(store_secret(other), store_secret(store), SIPHASH_KEY_BYTES);
}
END_TEST

/* What a session is told of a setting. */
static void assert_setting(struct pg *pg, const char *show, const char *expected)
{
    PGresult *result = PQexec(pg->connection, show);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), expected);
    PQclear(result);
}

START_TEST(options_of_a_connection_string_stand_beside_beaconds_own)
{
    char with[512];
    struct error err = {""};
    struct pg pg;
    snprintf(
        with, sizeof with,
        "%s&options=-c%%20work_mem%%3D7MB%%20-c%%20default_transaction_isolation%%3Dserializable",
        uri);
    pg_init(&pg, with, false);
    ck_assert_msg(pg_connect(&pg, &err) == STORE_OK, "%s", err.text);
    assert_setting(&pg, "SHOW work_mem", "7MB");
    assert_setting(&pg, "SHOW default_transaction_isolation", "read committed");
    assert_setting(&pg, "SHOW idle_in_transaction_session_timeout", "10s");
    pg_close(&pg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_store");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, stores_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, events_are_stored_with_numbers_that_ascend);
    tcase_add_test(tests, a_given_id_is_stored_once);
    tcase_add_test(tests, ids_that_are_no_text_are_told_apart);
    tcase_add_test(tests, ids_may_be_long);
    tcase_add_test(tests, a_commit_may_take_several_blocks);
    tcase_add_test(tests, a_commit_may_be_large);
    tcase_add_test(tests, known_elements_are_left_alone);
    tcase_add_test(tests, nothing_to_store_is_no_commit);
    tcase_add_test(tests, the_oldest_rejects_go_first);
    tcase_add_test(tests, receipts_are_found_by_their_keys);
    tcase_add_test(tests, of_receipts_under_one_key_the_newest_are_found);
    tcase_add_test(tests, losses_are_kept);
    tcase_add_test(tests, a_key_is_held_until_its_holder_is_through);
    tcase_add_test(tests, nodes_do_not_wait_for_each_other_in_a_circle);
    tcase_add_test(tests, released_keys_are_free);
    tcase_add_test(tests, what_the_database_refuses_becomes_a_reject);
    tcase_add_test(tests, what_a_trigger_ignores_becomes_a_reject);
    tcase_add_test(tests, a_given_id_that_a_trigger_ignores_becomes_a_reject);
    tcase_add_test(tests, what_the_database_says_may_be_long);
    tcase_add_test(tests, an_append_does_not_outlive_its_claim);
    tcase_add_test(tests, a_session_that_has_ended_is_made_anew);
    tcase_add_test(tests, a_new_session_waits_for_no_table_that_somebody_holds);
    tcase_add_test(tests, a_plan_that_is_kept_fits_a_table_that_fills_up);
    tcase_add_test(tests, a_session_that_forgets_what_it_was_to_keep_is_given_nothing_more);
    tcase_add_test(tests, a_commit_whose_answer_was_lost_is_remembered);
    tcase_add_test(tests, a_commit_that_was_not_made_loses_nothing);
    tcase_add_test(tests, a_loss_that_was_taken_in_doubt_is_given_back);
    tcase_add_test(tests, each_burst_of_a_commit_in_doubt_has_lost_an_answer);
    tcase_add_test(tests, a_burst_that_nobody_waits_for_loses_no_answer_in_doubt);
    tcase_add_test(tests, losses_whose_answer_was_lost_are_counted_once);
    tcase_add_test(tests, losses_that_were_counted_are_known_until_all_are);
    tcase_add_test(tests, losses_whose_commit_is_under_way_are_waited_for);
    tcase_add_test(tests, a_node_that_ends_has_lost_one_answer_at_most);
    tcase_add_test(tests, what_is_stored_without_marks_is_not_stored_twice);
    tcase_add_test(tests, rows_of_the_logs_go_once_one_behind_them_is_old);
    tcase_add_test(tests, rows_of_the_logs_go_in_their_order);
    tcase_add_test(tests, old_receipts_go);
    tcase_add_test(tests, receipts_beyond_their_bound_go);
    tcase_add_test(tests, rejects_of_other_nodes_are_seen);
    tcase_add_test(tests, a_probe_tells_whether_commits_work);
    tcase_add_test(tests, nodes_count_apart_under_small_numbers);
    tcase_add_test(tests, a_node_that_was_taken_for_dead_stores_as_another);
    tcase_add_test(tests, a_database_of_another_encoding_is_refused);
    tcase_add_test(tests, a_node_begins_at_the_moment_of_its_start);
    tcase_add_test(tests, options_of_a_connection_string_stand_beside_beaconds_own);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
