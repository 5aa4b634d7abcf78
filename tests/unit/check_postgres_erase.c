/* What is erased in a PostgreSQL database, and how the days of events come and go, on a real
 * server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_stores.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/bytes.h"
#include "contract/timestamp.h"
#include "store/shared.h"
#include "store/step.h"
#include "store/store.h"

#define DAY_MS INT64_C(86400000)

static int64_t today; /* its first millisecond */

static void setup(void)
{
    today = step_floor(STEP_DAY, clock_wall_ms());
    stores_setup(100, 10000);
    other = open_node("two");
}

static struct batch *batch_of(const char *text)
{
    return read_body(text, NULL, clock_wall_ms());
}

/* Events at these times; more: further members, behind a comma. */
static struct batch *batch_at(const int64_t *times, size_t count, const char *more)
{
    struct bytes text;
    bytes_init(&text);
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
    for (size_t i = 0; i < count; i++) {
        char at[TIMESTAMP_SIZE], event[256];
        timestamp_format(at, times[i]);
        snprintf(event, sizeof event, "%s{\"timestamp\":\"%s\"%s}", i == 0 ? "" : ",", at, more);
        ck_assert_int_eq(bytes_append_text(&text, event), 0);
    }
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    struct batch *batch = batch_of(text.data);
    bytes_clear(&text);
    return batch;
}

/* Stores them; places, unless NULL, gets where. */
static void put(struct store *node, const int64_t *times, size_t count, struct range_place *places)
{
    struct error err = {""};
    struct store_item item = {.batch = batch_at(times, count, "")};
    int status = store_append(node, &item, 1, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    for (size_t i = 0; i < count && places != NULL; i++)
        places[i] = (struct range_place){item.batch->events[i].ts, item.batch->events[i].seq};
    batch_free(item.batch);
}

/* Whether each sum over the slots is what there is, and nothing but that. */
static void assert_tally_is_exact(void)
{
    static const struct {
        const char *table;
        long long ms;
    } steps[] = {{"second", 1000}, {"minute", 60000}, {"hour", 3600000}, {"day", 86400000}};
    for (size_t i = 0; i < 4; i++) {
        char sql[512];
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM (SELECT at, sum(events) AS told FROM beacond.tally_%s"
                 " GROUP BY 1 HAVING sum(events) <> 0) AS a FULL JOIN"
                 " (SELECT floor(ts / %lld.0)::bigint * %lld AS at, count(*) AS there"
                 " FROM beacond.events GROUP BY 1) AS b USING (at)"
                 " WHERE told IS DISTINCT FROM there",
                 steps[i].table, steps[i].ms, steps[i].ms);
        ck_assert_msg(shell(sql) == 0, "tally_%s is not exact", steps[i].table);
    }
    ck_assert_int_eq(shell("SELECT count(*) - coalesce(max(n), 0) FROM beacond.erasures"), 0);
}

struct told {
    int commits, erased, ranges, all;
    size_t places;
    struct store_state state;
};

static void tell(void *arg, const struct store_news *news)
{
    struct told *told = arg;
    told->commits += news->kind == STORE_NEWS_COMMIT && news->last;
    told->erased += news->kind == STORE_NEWS_ERASED && news->last;
    told->places += news->kind == STORE_NEWS_ERASED ? news->place_count : 0;
    told->ranges += news->kind == STORE_NEWS_RANGE;
    told->all += news->kind == STORE_NEWS_ALL;
}

static struct told follow(struct store *node)
{
    struct told told = {0};
    struct error err = {""};
    const struct store_follow_ask ask = {.held_seq = INT64_MAX, .fn = tell, .arg = &told};
    int64_t newest;
    int status = store_follow(node, &ask, &newest, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    store_look(node, &told.state);
    return told;
}

static int64_t day_tables(int64_t ms)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM beacond.days() AS day WHERE day = %lld",
             (long long)(ms / DAY_MS));
    return shell(sql);
}

/* --- days ------------------------------------------------------------------------------------- */

START_TEST(a_partition_stands_ready_for_today_and_a_week)
{
    for (int i = 0; i <= 7; i++)
        ck_assert_int_eq(day_tables(today + i * DAY_MS), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.days()"), 8);
}
END_TEST

START_TEST(the_partition_of_an_older_day_is_made_for_its_first_event)
{
    const int64_t times[] = {today - 400 * DAY_MS, today - DAY_MS, today - DAY_MS + 5, today};
    put(store, times, 4, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.days()"), 10);
    ck_assert_int_eq(day_tables(times[0]), 1);
    ck_assert_int_eq(day_tables(times[1]), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 0);
    put(other, times, 4, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 8);
    assert_tally_is_exact();
}
END_TEST

START_TEST(what_lies_far_from_today_stays_together)
{
    const int64_t times[] = {-1, today - 402 * DAY_MS, today + 9 * DAY_MS};
    put(store, times, 3, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.days()"), 8);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_old"), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 2);
    assert_tally_is_exact();
}
END_TEST

START_TEST(events_move_to_their_day_when_its_partition_is_made)
{
    const int64_t times[] = {today - 3 * DAY_MS, today - 3 * DAY_MS + 86399999, today + 9 * DAY_MS};
    char sql[400];
    /* Where a node could not make it just then. */
    snprintf(sql, sizeof sql,
             "SET beacond.own = 'on'; INSERT INTO beacond.events_other VALUES (1, %lld, 0, false, "
             "'a', '{}'), (2, %lld, 0, false, 'b', '{}'), (3, %lld, 0, false, 'c', '{}')",
             (long long)times[0], (long long)times[1], (long long)times[0] - 1);
    shell(sql);
    put(store, times, 3, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 6);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 2);
    ck_assert_int_eq(day_tables(times[0]), 1);
}
END_TEST

/* An append of repetitions opens no partition but theirs. */
START_TEST(repetitions_wait_for_no_day_but_their_own)
{
    const int64_t times[] = {today - 9 * DAY_MS, today}, between[] = {today - 3 * DAY_MS};
    char sql[160];
    put(store, between, 1, NULL);
    struct store_item item = {.batch = batch_at(times, 2, ",\"id\":\"a\"")};
    struct error err = {""};
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_OK);
    batch_free(item.batch);
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    snprintf(sql, sizeof sql,
             "DO 'BEGIN EXECUTE ''LOCK TABLE beacond.'' || beacond.day_name(%lld); END'",
             (long long)(between[0] / DAY_MS));
    PQclear(PQexec(person, sql));
    item = (struct store_item){.batch = batch_at(times, 2, ",\"id\":\"a\"")};
    int status = store_append(store, &item, 1, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_uint_eq(item.duplicate, 2);
    batch_free(item.batch);
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
}
END_TEST

/* Which tables are gone through for a partition that is made. */
static void hear_gone_through(void *arg, const PGresult *notice)
{
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (text != NULL && strncmp(text, "verifying table ", 16) == 0)
        ck_assert_int_eq(bytes_append_text(arg, text + 16), 0);
}

/* All the others wait while a partition is made. */
START_TEST(what_is_long_past_is_not_gone_through_for_a_new_day)
{
    const int64_t times[] = {-1, today - 501 * DAY_MS, today - 450 * DAY_MS};
    struct bytes tables = {NULL, 0, 0};
    char sql[120];
    put(store, times, 3, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_old"), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 1);
    PGconn *person = postgres_connection(name);
    PQsetNoticeReceiver(person, hear_gone_through, &tables);
    PQclear(PQexec(person, "SET client_min_messages = debug1"));
    snprintf(sql, sizeof sql, "SELECT beacond.make_day(%lld), beacond.make_day(%lld)",
             (long long)(today / DAY_MS - 400), (long long)(today / DAY_MS - 501));
    PGresult *result = PQexec(person, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(person));
    PQclear(result);
    PQfinish(person);
    ck_assert_int_eq(day_tables(today - 400 * DAY_MS), 1);
    ck_assert_int_eq(day_tables(today - 501 * DAY_MS), 0);
    /* Of the new one itself, which is empty, and of the default one. */
    ck_assert_int_eq(bytes_append(&tables, "", 1), 0);
    ck_assert_ptr_nonnull(strstr((char *)tables.data, "\"events_other\""));
    ck_assert_ptr_null(strstr((char *)tables.data, "events_old"));
    bytes_clear(&tables);
}
END_TEST

START_TEST(a_day_that_is_held_goes_elsewhere_rather_than_wait)
{
    const int64_t times[] = {today - 3 * DAY_MS};
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "LOCK TABLE beacond.events_other IN ACCESS SHARE MODE"));
    put(store, times, 1, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 1);
    ck_assert_int_eq(day_tables(times[0]), 0);
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
    /* The other node makes it for its own, and the first one's comes along. */
    put(other, times, 1, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
    assert_tally_is_exact();
}
END_TEST

/* Drops days until there is none left; returns how many events that were. */
static int64_t drop_all(struct store *node, int64_t before_ms, int *days)
{
    struct store_dropped dropped;
    struct error err = {""};
    int64_t events = 0;
    *days = 0;
    do {
        int status = store_drop_days(node, before_ms, 0, &dropped, &err);
        ck_assert_msg(status == STORE_OK, "%s", err.text);
        events += dropped.events;
        *days += dropped.events > 0;
    } while (dropped.more);
    return events;
}

START_TEST(whole_days_are_dropped_and_no_more)
{
    const int64_t times[] = {-1,
                             today - 9 * DAY_MS,
                             today - 9 * DAY_MS + 86399999,
                             today - 3 * DAY_MS,
                             today - DAY_MS,
                             today - 1,
                             today};
    int days;
    put(store, times, 7, NULL);
    put(other, times, 7, NULL);
    (void)follow(other);
    ck_assert_int_eq(drop_all(store, today - 1, &days), 8);
    ck_assert_int_eq(days, 3);
    ck_assert_int_eq(day_tables(times[1]) + day_tables(times[3]), 0);
    ck_assert_int_eq(day_tables(times[4]), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 6);
    assert_tally_is_exact();
    struct told told = follow(other);
    ck_assert_int_eq(told.ranges, 4); /* a day's events go, and then its partition */
    ck_assert_uint_eq(told.places, 2);
    ck_assert_int_eq(told.state.total, 6);
    ck_assert_int_eq(told.state.erasures, 5);
}
END_TEST

/* Another node may have made room since it was judged by size. */
START_TEST(no_day_goes_once_there_is_room)
{
    const int64_t times[] = {today - 2 * DAY_MS, today - DAY_MS};
    struct store_dropped dropped;
    struct store_size size;
    struct error err = {""};
    put(store, times, 2, NULL);
    ck_assert_int_eq(store_size(store, &size, &err), STORE_OK);
    int64_t used = (size.pages - size.free_pages) * size.page_bytes;
    ck_assert_int_eq(store_drop_days(store, today, 2 * used, &dropped, &err), STORE_OK);
    ck_assert_int_eq(dropped.events, 0);
    ck_assert(!dropped.more);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
    ck_assert_int_eq(store_drop_days(store, today, used / 2, &dropped, &err), STORE_OK);
    ck_assert_int_eq(dropped.events, 1);
    ck_assert(dropped.more);
}
END_TEST

/* In the order of their times: what is far goes with neither more nor less than that. */
START_TEST(what_is_far_goes_before_newer_days)
{
    const int64_t times[] = {-2 * DAY_MS,          -1,
                             today - 450 * DAY_MS, today - 430 * DAY_MS,
                             today - 9 * DAY_MS,   today + 9 * DAY_MS};
    struct store_dropped dropped;
    struct error err = {""};
    int days;
    put(store, times, 6, NULL);
    put(other, times, 6, NULL);
    (void)follow(other);
    /* One portion: all that stands before the next day that is another's. */
    do
        ck_assert_int_eq(store_drop_days(store, today, 0, &dropped, &err), STORE_OK);
    while (dropped.events == 0);
    ck_assert_int_eq(dropped.events, 4);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_old"), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 8);
    ck_assert_int_eq(drop_all(store, today, &days), 6);
    ck_assert_int_eq(days, 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 2);
    ck_assert_int_eq(follow(other).state.total, 2);
    /* Nothing is left of it but what comes again. */
    ck_assert_int_eq(shell("SELECT pg_relation_size('beacond.events_old')"), 0);
    ck_assert_int_eq(shell("SELECT count(DISTINCT at) FROM beacond.tally_second"), 1);
    assert_tally_is_exact();
    put(other, times, 6, NULL);
    assert_tally_is_exact();
    ck_assert_int_eq(follow(store).state.total, 8);
}
END_TEST

START_TEST(what_is_far_and_does_not_go_takes_nothing_newer_along)
{
    const int64_t times[] = {-1, today - 9 * DAY_MS};
    struct store_dropped dropped;
    struct error err = {""};
    int days;
    put(store, times, 2, NULL);
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "LOCK TABLE beacond.events_old IN SHARE MODE"));
    ck_assert_int_eq(store_drop_days(store, today, 0, &dropped, &err), STORE_BUSY);
    PQclear(PQexec(person, "COMMIT"));
    /* Somebody reads what is to give its room back. */
    ck_assert_int_eq(store_drop_days(store, today, 0, &dropped, &err), STORE_OK);
    ck_assert_int_eq(dropped.events, 1);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "SELECT count(*) FROM beacond.events_old"));
    ck_assert_int_eq(store_drop_days(store, today, 1, &dropped, &err), STORE_BUSY);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    /* Of old age it goes all the same. */
    ck_assert_int_eq(drop_all(store, today, &days), 1);
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
    ck_assert_int_eq(drop_all(store, today, &days), 0);
    ck_assert_int_eq(shell("SELECT pg_relation_size('beacond.events_old')"), 0);
    assert_tally_is_exact();
}
END_TEST

START_TEST(todays_partition_is_emptied_and_stays)
{
    const int64_t times[] = {today, today + DAY_MS};
    int days;
    put(store, times, 2, NULL);
    ck_assert_int_eq(drop_all(other, INT64_MAX, &days), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.days()"), 8);
    put(store, times, 2, NULL);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 0);
    assert_tally_is_exact();
}
END_TEST

START_TEST(a_dropped_day_comes_again_with_its_next_event)
{
    const int64_t times[] = {today - 9 * DAY_MS};
    int days;
    put(store, times, 1, NULL);
    put(other, times, 1, NULL);
    ck_assert_int_eq(drop_all(store, today, &days), 2);
    put(store, times, 1, NULL);
    (void)follow(other);
    put(other, times, 1, NULL);
    ck_assert_int_eq(day_tables(times[0]), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events_other"), 0);
    assert_tally_is_exact();
}
END_TEST

START_TEST(a_day_that_is_dropped_before_its_first_event_comes_again)
{
    const int64_t times[] = {today - 9 * DAY_MS};
    char sql[80];
    int days;
    put(other, times, 1, NULL);
    snprintf(sql, sizeof sql, "DELETE FROM beacond.events WHERE ts = %lld", (long long)times[0]);
    shell(sql);
    (void)follow(other);
    /* As if it had just been made: nothing is in it. */
    ck_assert_int_eq(drop_all(store, today, &days), 0);
    ck_assert_int_eq(day_tables(times[0]), 0);
    (void)follow(other);
    put(other, times, 1, NULL);
    ck_assert_int_eq(day_tables(times[0]), 1);
    assert_tally_is_exact();
}
END_TEST

START_TEST(a_day_that_somebody_reads_is_dropped_later)
{
    const int64_t times[] = {today - 9 * DAY_MS};
    struct store_dropped dropped;
    struct error err = {""};
    int days;
    put(store, times, 1, NULL);
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "SELECT count(*) FROM beacond.events"));
    ck_assert_int_eq(store_drop_days(store, today, 0, &dropped, &err), STORE_BUSY);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 1);
    assert_tally_is_exact();
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
    ck_assert_int_eq(drop_all(store, today, &days), 1);
    ck_assert_int_eq(day_tables(times[0]), 0);
    assert_tally_is_exact();
}
END_TEST

static void *keep_dropping(void *arg)
{
    struct store_dropped dropped;
    struct error err;
    while (store_drop_days(arg, today, 0, &dropped, &err) != STORE_OK)
        continue;
    return NULL;
}

START_TEST(a_day_is_counted_with_what_was_under_way)
{
    const int64_t times[] = {today - 9 * DAY_MS};
    char sql[400];
    pthread_t thread;
    put(store, times, 1, NULL);
    PGconn *person = postgres_connection(name);
    snprintf(sql, sizeof sql,
             "BEGIN; SET LOCAL beacond.own = 'on'; INSERT INTO beacond.events VALUES (1, %lld, 0, "
             "false, 'a', '{}'); INSERT INTO beacond.tally_day VALUES (%lld, 99, 1)",
             (long long)times[0], (long long)times[0]);
    PQclear(PQexec(person, sql));
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_dropping, store), 0);
    while (shell("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        continue;
    PQclear(PQexec(person, "COMMIT"));
    pthread_join(thread, NULL);
    PQfinish(person);
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.erasures"), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 0);
    assert_tally_is_exact();
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

START_TEST(the_oldest_go_first_and_the_tally_follows)
{
    const int64_t times[] = {today + 5, today - DAY_MS, -1, today + 6, today - DAY_MS + 1};
    struct range_place places[10];
    struct error err = {""};
    size_t erased;
    put(store, times, 5, NULL);
    put(other, times, 5, NULL);
    (void)follow(store);
    ck_assert_int_eq(store_erase_oldest(store, today + 6, 5, places, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 5);
    ck_assert_int_eq(places[0].ts, -1);
    ck_assert_int_eq(places[1].ts, -1);
    ck_assert_int_lt(places[0].seq, places[1].seq);
    ck_assert_int_eq(places[4].ts, today - DAY_MS + 1);
    assert_tally_is_exact();
    ck_assert_int_eq(store_erase_oldest(other, today + 6, 9, places, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 3);
    ck_assert_int_eq(store_erase_oldest(store, today + 6, 9, places, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 0);
    assert_tally_is_exact();
    struct told told = follow(store);
    ck_assert_int_eq(told.erased, 2);
    ck_assert_uint_eq(told.places, 8);
    ck_assert_int_eq(told.state.total, 2);
    ck_assert_int_eq(told.state.erasures, 2);
}
END_TEST

START_TEST(places_are_erased_once_whoever_asks)
{
    const int64_t times[] = {today, today + 1, today + 1, -1};
    struct range_place places[5];
    struct error err = {""};
    size_t erased;
    put(store, times, 4, places);
    places[4] = (struct range_place){today, 1}; /* there is none */
    ck_assert_int_eq(store_erase(other, places + 1, 4, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 3);
    ck_assert_int_eq(store_erase(store, places, 5, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 1);
    ck_assert_int_eq(store_erase(store, places, 5, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.erasures"), 2);
    assert_tally_is_exact();
}
END_TEST

static atomic_bool stop;

static void *keep_putting(void *arg)
{
    const int64_t times[] = {today - 2 * DAY_MS, today - DAY_MS, today, -1};
    while (!atomic_load(&stop)) {
        put(arg, times, 4, NULL);
        (void)follow(arg);
    }
    return NULL;
}

START_TEST(storing_and_erasing_at_the_same_time_lose_no_count)
{
    struct range_place places[2];
    struct error err = {""};
    struct store_dropped dropped;
    pthread_t thread;
    size_t erased, all = 0;
    int64_t days = 0;
    atomic_store(&stop, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_putting, other), 0);
    for (int round = 0; round < 40 || days == 0; round++) {
        int status = store_erase_oldest(store, today, 2, places, &erased, &err);
        ck_assert_msg(status == STORE_OK, "%s", err.text);
        all += erased;
        if (store_drop_days(store, today, 0, &dropped, &err) == STORE_OK)
            days += dropped.events;
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(all, 0);
    ck_assert_int_gt(days, 0);
    assert_tally_is_exact();
    ck_assert_int_eq(follow(store).state.total, shell("SELECT count(*) FROM beacond.events"));
    ck_assert_int_eq(shell("SELECT sum(events) FROM beacond.erasures"), (int64_t)all + days);
}
END_TEST

/* --- rejects and receipts --------------------------------------------------------------------- */

START_TEST(rejects_are_erased_by_number)
{
    struct store_item item = {.batch = batch_of("{\"events\":[{\"a\":1},{\"a\":2},{\"a\":3}]}")};
    struct error err = {""};
    size_t erased;
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_OK);
    int64_t first = shell("SELECT min(n) FROM beacond.rejects");
    const int64_t numbers[] = {first + 2, first, first + 100};
    ck_assert_int_eq(store_erase_rejects(other, numbers, 3, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 2);
    ck_assert_int_eq(shell("SELECT min(n) FROM beacond.rejects"), first + 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 1);
    batch_free(item.batch);
}
END_TEST

START_TEST(rejects_that_are_retried_become_events_once)
{
    struct error err = {""};
    const int64_t given[] = {today}, plain[] = {today - DAY_MS};
    struct store_item item = {.batch = batch_at(given, 1, ",\"id\":\"x\"")};
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_OK);
    shell("INSERT INTO beacond.rejects(received, reason, event) SELECT 7, 'r', "
          "convert_to('event ' || n, 'UTF8') FROM generate_series(1, 4) AS n");
    int64_t n = shell("SELECT min(n) FROM beacond.rejects");
    struct batch *anew = batch_at(plain, 1, "");
    struct store_retry retries[] = {
        {.n = n, .received = 7, .text = "event 1", .len = 7, .batch = anew},
        {.n = n + 1, .received = 7, .text = "event 2", .len = 7, .batch = item.batch},
        {.n = n + 2, .received = 7, .text = "event 3", .len = 7, .reason = "still none"},
        {.n = n + 3, .received = 7, .text = "other", .len = 5, .batch = anew},
        {.n = n + 9, .received = 7, .text = "event 9", .len = 7, .reason = "none"}};
    ck_assert_int_eq(store_retry_rejects(other, retries, 5, &err), STORE_OK);
    ck_assert_int_eq(retries[0].outcome, STORE_RETRY_STORED);
    ck_assert_int_eq(retries[1].outcome, STORE_RETRY_DUPLICATE);
    ck_assert_int_eq(retries[2].outcome, STORE_RETRY_KEPT);
    ck_assert_int_eq(retries[3].outcome, STORE_RETRY_GONE);
    ck_assert_int_eq(retries[4].outcome, STORE_RETRY_GONE);
    ck_assert_int_eq(store_retry_rejects(store, retries, 1, &err), STORE_OK);
    ck_assert_int_eq(retries[0].outcome, STORE_RETRY_GONE);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.events"), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects"), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects WHERE reason = 'still none'"), 1);
    ck_assert_int_eq(follow(store).state.total, 2);
    assert_tally_is_exact();
    batch_free(item.batch);
    batch_free(anew);
}
END_TEST

START_TEST(an_event_that_a_trigger_refuses_stays_a_reject)
{
    struct error err = {""};
    const int64_t times[] = {today};
    shell("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this'; END "
          "$$; CREATE TRIGGER no BEFORE INSERT ON beacond.events FOR EACH ROW EXECUTE FUNCTION "
          "no(); INSERT INTO beacond.rejects(received, reason, event) VALUES (7, 'r', 'e')");
    struct batch *batch = batch_at(times, 1, "");
    struct store_retry retry = {.n = shell("SELECT min(n) FROM beacond.rejects"),
                                .received = 7,
                                .text = "e",
                                .len = 1,
                                .batch = batch};
    ck_assert_int_eq(store_retry_rejects(store, &retry, 1, &err), STORE_OK);
    ck_assert_int_eq(retry.outcome, STORE_RETRY_KEPT);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.rejects WHERE reason LIKE "
                           "'refused by the database: %not this%'"),
                     1);
    assert_tally_is_exact();
    batch_free(batch);
}
END_TEST

START_TEST(receipts_are_replaced_and_erased_by_serial)
{
    struct error err = {""};
    const struct store_receipts_row rows[] = {{1, "new", 3}, {2, NULL, 0}, {4, "none", 4}};
    shell("INSERT INTO beacond.receipts SELECT n, n, 1, 0, false, 0, 'old' FROM "
          "generate_series(1, 3) AS n");
    ck_assert_int_eq(store_replace_receipts(store, rows, 3, &err), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts"), 2);
    ck_assert_int_eq(shell("SELECT serial FROM beacond.receipts WHERE receipts = 'new'"), 1);
    ck_assert_int_eq(shell("SELECT serial FROM beacond.receipts WHERE receipts = 'old'"), 3);
}
END_TEST

/* --- by hand ---------------------------------------------------------------------------------- */

START_TEST(beaconds_own_changes_raise_no_doubt)
{
    const int64_t times[] = {today - DAY_MS, today, -1};
    struct range_place places[3];
    struct error err = {""};
    size_t erased;
    int days;
    put(store, times, 3, places);
    ck_assert_int_eq(store_erase(store, places + 2, 1, &erased, &err), STORE_OK);
    (void)drop_all(other, INT64_MAX, &days);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.erasures WHERE instance IS NULL"), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.meta WHERE value = 'yes'"), 0);
}
END_TEST

START_TEST(what_is_changed_by_hand_is_counted_anew)
{
    static const char *const changes[] = {
        "DELETE FROM beacond.events WHERE ts < %lld",
        "INSERT INTO beacond.events VALUES (9, %lld, 0, false, 'x', '{}')",
        "UPDATE beacond.events SET ts = ts - 86400000 WHERE ts < %lld",
        "DELETE FROM beacond.events_other WHERE ts < %lld",
        "DO 'BEGIN EXECUTE ''DELETE FROM beacond.'' || beacond.day_name(%lld / 86400000); END'",
        "DO 'BEGIN EXECUTE ''TRUNCATE beacond.'' || beacond.day_name(%lld / 86400000); END'",
        "BEGIN; DROP TABLE beacond.events_other; SELECT beacond.doubt(), %lld; COMMIT",
        "TRUNCATE beacond.events; SELECT %lld",
        "DELETE FROM beacond.tally_minute WHERE at < %lld",
        "UPDATE beacond.tally_day SET events = 7 WHERE at <= %lld",
    };
    const int64_t times[] = {today - DAY_MS, today + 1, today + 2, -1};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char sql[256];
        put(store, times, 4, NULL);
        (void)follow(store);
        ck_assert(!store_changed(store));
        snprintf(sql, sizeof sql, changes[i], (long long)today);
        shell(sql);
        struct told told = follow(store);
        ck_assert_int_eq(told.all, 2); /* the change, and the new tally */
        ck_assert_int_eq(told.state.total, shell("SELECT count(*) FROM beacond.events"));
        assert_tally_is_exact();
        ck_assert(!store_changed(store));
        /* Once is enough: the other node only looks. */
        ck_assert_int_eq(follow(other).state.erasures, told.state.erasures);
        ck_assert_int_eq(shell("SELECT max(n) FROM beacond.erasures"), told.state.erasures);
        if (strstr(sql, "DROP") != NULL)
            shell("CREATE TABLE beacond.events_other PARTITION OF beacond.events DEFAULT");
    }
}
END_TEST

START_TEST(what_is_changed_for_long_is_counted_anew_later)
{
    const int64_t times[] = {today, today + 1};
    put(store, times, 2, NULL);
    (void)follow(store);
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, "DELETE FROM beacond.events"));
    store_doubt(store);
    /* Somebody has it in hand: nobody waits for that. */
    ck_assert_int_eq(follow(store).all, 0);
    put(store, times, 2, NULL);
    ck_assert_int_eq(follow(store).state.total, 4);
    ck_assert(store_changed(store));
    PQclear(PQexec(person, "COMMIT"));
    PQfinish(person);
    store_doubt(store);
    ck_assert_int_eq(follow(store).state.total, 2);
    ck_assert(!store_changed(store));
    assert_tally_is_exact();
}
END_TEST

START_TEST(a_transaction_by_hand_is_noted_once)
{
    shell(
        "BEGIN; DELETE FROM beacond.events; DELETE FROM beacond.events; UPDATE beacond.events SET "
        "received = 1; COMMIT");
    ck_assert_int_eq(shell("SELECT max(n) FROM beacond.erasures"), 1);
}
END_TEST

START_TEST(a_tally_that_is_wrong_is_made_anew_when_asked_for)
{
    const int64_t times[] = {today - DAY_MS, today, -1};
    put(store, times, 3, NULL);
    (void)follow(store);
    shell("SET beacond.own = 'on'; UPDATE beacond.tally_hour SET events = 77");
    ck_assert_int_eq(follow(store).all, 0);
    store_doubt(store);
    ck_assert(store_changed(store));
    ck_assert_int_eq(follow(store).all, 1);
    assert_tally_is_exact();
}
END_TEST

/* --- cleaning up ------------------------------------------------------------------------------ */

static int vacuum_all(struct error *err)
{
    bool more = true;
    int status = STORE_OK;
    while (more && status == STORE_OK)
        status = store_vacuum(store, &more, err);
    return status;
}

START_TEST(what_was_erased_is_vacuumed_unless_somebody_sees_it)
{
    const int64_t times[] = {today, -1};
    struct range_place places[2];
    struct error err = {""};
    const struct store_receipts_row rows[] = {{2, NULL, 0}};
    size_t erased;
    put(store, times, 2, places);
    ck_assert_int_eq(store_erase(store, places, 2, &erased, &err), STORE_OK);
    const int64_t number = 1;
    ck_assert_int_eq(store_erase_rejects(store, &number, 1, &erased, &err), STORE_OK);
    PGconn *person = postgres_connection(name);
    PQclear(PQexec(person, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
    PQclear(PQexec(person, "SELECT 1"));
    ck_assert_int_eq(store_replace_receipts(store, rows, 1, &err), STORE_OK);
    ck_assert_int_eq(vacuum_all(&err), STORE_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "may still see it"));
    PQclear(PQexec(person, "COMMIT")); /* a session is not over at once when its client goes */
    PQfinish(person);
    ck_assert_msg(vacuum_all(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(shell("SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count = 1"), 4);
    ck_assert_int_eq(vacuum_all(&err), STORE_OK);
    ck_assert_int_eq(shell("SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count > 1"), 0);
}
END_TEST

START_TEST(the_size_is_that_of_tables_and_falls_with_a_day)
{
    static int64_t times[2000];
    struct store_size before, after;
    struct error err = {""};
    int days;
    for (size_t i = 0; i < 2000; i++)
        times[i] = today - 9 * DAY_MS + (int64_t)i;
    put(store, times, 2000, NULL);
    ck_assert_int_eq(store_size(store, &before, &err), STORE_OK);
    ck_assert_int_eq(drop_all(store, today, &days), 2000);
    ck_assert_int_eq(store_size(store, &after, &err), STORE_OK);
    ck_assert_int_gt(before.pages * before.page_bytes, 2000 * 100);
    ck_assert_int_lt(after.pages + 2000 * 100 / before.page_bytes, before.pages);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_erase");
    TCase *tests = tcase_create("erase");
    tcase_add_checked_fixture(tests, setup, stores_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_partition_stands_ready_for_today_and_a_week);
    tcase_add_test(tests, the_partition_of_an_older_day_is_made_for_its_first_event);
    tcase_add_test(tests, what_lies_far_from_today_stays_together);
    tcase_add_test(tests, events_move_to_their_day_when_its_partition_is_made);
    tcase_add_test(tests, repetitions_wait_for_no_day_but_their_own);
    tcase_add_test(tests, what_is_long_past_is_not_gone_through_for_a_new_day);
    tcase_add_test(tests, a_day_that_is_held_goes_elsewhere_rather_than_wait);
    tcase_add_test(tests, whole_days_are_dropped_and_no_more);
    tcase_add_test(tests, no_day_goes_once_there_is_room);
    tcase_add_test(tests, what_is_far_goes_before_newer_days);
    tcase_add_test(tests, what_is_far_and_does_not_go_takes_nothing_newer_along);
    tcase_add_test(tests, todays_partition_is_emptied_and_stays);
    tcase_add_test(tests, a_dropped_day_comes_again_with_its_next_event);
    tcase_add_test(tests, a_day_that_is_dropped_before_its_first_event_comes_again);
    tcase_add_test(tests, a_day_that_somebody_reads_is_dropped_later);
    tcase_add_test(tests, a_day_is_counted_with_what_was_under_way);
    tcase_add_test(tests, the_oldest_go_first_and_the_tally_follows);
    tcase_add_test(tests, places_are_erased_once_whoever_asks);
    tcase_add_test(tests, storing_and_erasing_at_the_same_time_lose_no_count);
    tcase_add_test(tests, rejects_are_erased_by_number);
    tcase_add_test(tests, rejects_that_are_retried_become_events_once);
    tcase_add_test(tests, an_event_that_a_trigger_refuses_stays_a_reject);
    tcase_add_test(tests, receipts_are_replaced_and_erased_by_serial);
    tcase_add_test(tests, beaconds_own_changes_raise_no_doubt);
    tcase_add_test(tests, what_is_changed_by_hand_is_counted_anew);
    tcase_add_test(tests, what_is_changed_for_long_is_counted_anew_later);
    tcase_add_test(tests, a_transaction_by_hand_is_noted_once);
    tcase_add_test(tests, a_tally_that_is_wrong_is_made_anew_when_asked_for);
    tcase_add_test(tests, what_was_erased_is_vacuumed_unless_somebody_sees_it);
    tcase_add_test(tests, the_size_is_that_of_tables_and_falls_with_a_day);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
