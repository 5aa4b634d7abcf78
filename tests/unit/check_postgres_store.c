/* The PostgreSQL store's writing side on a real server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_claims.h"

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

static void setup(void)
{
    stores_setup(10, 1000);
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
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 5);
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

/* Of days that have no partition a client can name thousands. */
START_TEST(a_repetition_among_thousands_of_days_is_found)
{
    enum { DAYS = 20000, REPEATED = 7 };
    struct bytes text = {NULL, 0, 0};
    char event[128], day[32];
    for (int i = 0; i <= DAYS; i++) {
        time_t at = (time_t)(i < DAYS ? i : REPEATED) * 86400 - (time_t)900 * 31557600;
        struct tm tm;
        (void)strftime(day, sizeof day, "%Y-%m-%dT00:00:00Z", gmtime_r(&at, &tm));
        snprintf(event, sizeof event, "%s{\"id\":\"a\",\"timestamp\":\"%s\"}",
                 i == 0 ? "{\"events\":[" : ",", day);
        ck_assert_int_eq(bytes_append_text(&text, event), 0);
    }
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    struct store_item item;
    ck_assert_int_eq(append_one(&item, text.data), STORE_OK);
    ck_assert_uint_eq(item.saved, DAYS + 1);
    ck_assert_uint_eq(item.duplicate, 1);
    batch_free(item.batch);
    bytes_clear(&text);
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

/* --- upkeep ----------------------------------------------------------------------------------- */

#define NOW "(extract(epoch FROM now()) * 1000)::bigint"

START_TEST(rows_of_the_logs_go_once_one_behind_them_is_old)
{
    (void)append_text("{\"events\":[{" TS "}]}");
    (void)shell("SET beacond.own = 'on'; INSERT INTO beacond.commits SELECT n, n, 1, " NOW
                " - 3700000, 1, 1, 1 FROM generate_series(1, 1500) AS n; INSERT INTO "
                "beacond.erasures(n, at, events) SELECT n, 1, 0 FROM generate_series(1, 3) AS n");
    ck_assert(store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.commits"), 501);
    ck_assert_int_eq(shell("SELECT min(last_seq) FROM beacond.commits"), 1001);
    ck_assert_int_eq(shell("SELECT sum(n) FROM beacond.erasures"), 3);
    /* Whose next one is new stays: a node may not have followed any further yet. */
    while (shell("SELECT count(*) FROM beacond.commits") > 2)
        (void)store_tend(store, true, clock_wall_ms());
    ck_assert(!store_tend(store, true, clock_wall_ms()));
}
END_TEST

/* A tend that is due at once is a new store's first. */
static void tend_anew(int64_t max_receipts_bytes)
{
    store_close(store);
    options.max_receipts_bytes = max_receipts_bytes;
    store = open_node("one");
    ck_assert(!store_tend(store, true, clock_wall_ms()));
}

/* The second was stored by a node whose clock is ahead. */
START_TEST(rows_of_the_logs_go_in_their_order)
{
    (void)shell(
        "INSERT INTO beacond.commits SELECT n, n, 1, " NOW
        " - CASE n WHEN 2 THEN 0 ELSE 3700000 END, 1, 1, 1 FROM generate_series(1, 4) AS n");
    (void)store_tend(store, true, clock_wall_ms());
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

/* Its clock says otherwise, but who stores does not believe that yet. */
START_TEST(a_receipt_is_as_old_as_who_stored_it_holds_it_to_be)
{
    ck_assert_int_eq(store_under(9), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts WHERE at = 77"), 1);
    ck_assert(!store_tend(store, true, 78));
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 1);
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
    ck_assert(!store_tend(store, true, clock_wall_ms()));
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
    tcase_add_test(tests, what_the_database_refuses_becomes_a_reject);
    tcase_add_test(tests, what_a_trigger_ignores_becomes_a_reject);
    tcase_add_test(tests, a_given_id_that_a_trigger_ignores_becomes_a_reject);
    tcase_add_test(tests, a_repetition_among_thousands_of_days_is_found);
    tcase_add_test(tests, what_the_database_says_may_be_long);
    tcase_add_test(tests, rows_of_the_logs_go_once_one_behind_them_is_old);
    tcase_add_test(tests, rows_of_the_logs_go_in_their_order);
    tcase_add_test(tests, old_receipts_go);
    tcase_add_test(tests, a_receipt_is_as_old_as_who_stored_it_holds_it_to_be);
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
