/* The audit's recount of the tally: right where it is, and word for word what is wrong where it is
 * not. */

#include <sqlite3.h>

#include "base/bytes.h"
#include "store/audit.h"
#include "store_run.h"

static struct bytes said;
static unsigned steps, stop_at; /* stop_at: at which call of hear_step to stop; 0: never */
static int64_t last_done, last_total;

static void hear(void *arg, bool ok, const char *text)
{
    (void)arg;
    ck_assert_int_eq(bytes_append_format(&said, "%s %s\n", ok ? "ok" : "wrong", text), 0);
}

static bool hear_receipts(const void *data, size_t len)
{
    (void)data;
    return len > 0;
}

static int hear_step(void *arg, const char *what, int64_t done, int64_t total)
{
    (void)arg;
    (void)what;
    last_done = done;
    last_total = total;
    return ++steps == stop_at;
}

static int look(struct store_audit_facts *facts)
{
    const struct store_audit_ear ear = {.say = hear, .receipts = hear_receipts, .step = hear_step};
    struct error err = {""};
    bytes_clear(&said);
    steps = 0;
    last_done = last_total = -1;
    int status = store_audit(database, STORE_AUDIT_TALLY, &ear, facts, &err);
    ck_assert_int_eq(bytes_append(&said, "", 1), 0);
    return status;
}

static void append(const char *text)
{
    struct error err = {""};
    struct batch *batch = batch_of(text, strlen(text));
    struct store_item item = {.batch = batch};
    int status = store_append(store, &item, 1, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    batch_free(batch);
}

static void shell(const char *sql)
{
    sqlite3 *handle;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

/* Both sides of a second, a minute, an hour, a day and 1970; three in one second. */
static const char events[] = "{\"events\":["
                             "{\"timestamp\":\"1969-12-31T23:59:58.500Z\"},"
                             "{\"timestamp\":\"1969-12-31T23:59:59.999Z\"},"
                             "{\"timestamp\":\"1970-01-01T00:00:00.000Z\"},"
                             "{\"timestamp\":\"1970-01-01T00:00:00.999Z\"},"
                             "{\"timestamp\":\"1970-01-01T00:00:01.000Z\"},"
                             "{\"timestamp\":\"1970-01-01T00:01:00.000Z\"},"
                             "{\"timestamp\":\"1970-01-01T01:00:00.000Z\"},"
                             "{\"timestamp\":\"1970-01-02T00:00:00.000Z\"},"
                             "{\"timestamp\":\"1970-01-02T00:00:00.001Z\"},"
                             "{\"timestamp\":\"1970-01-02T00:00:00.002Z\"}]}";

static void setup(void)
{
    bytes_init(&said);
    steps = stop_at = 0;
    store_run_begin("audit.db", 10, 10000);
}

static void teardown(void)
{
    store_run_end();
    bytes_clear(&said);
}

START_TEST(audit_finds_the_tally_of_nothing_right)
{
    struct store_audit_facts facts;
    ck_assert_int_eq(look(&facts), STORE_OK);
    ck_assert_str_eq(said.data, "ok tally: right, 0 events\n");
    ck_assert(facts.whole && facts.tally_right && !facts.others_wrong);
    ck_assert_int_eq(facts.events, 0);
}
END_TEST

static const struct {
    const char *sql, *said;
} cases[] = {
    {"", "ok tally: right, 10 events\n"},
    {"UPDATE tally_second SET events = 4 WHERE at = 86400000",
     "wrong tally_second: 1970-01-02T00:00:00Z (at 86400000) says 4 events, there are 3\n"},
    {"UPDATE tally_minute SET events = 1 WHERE at = -60000",
     "wrong tally_minute: 1969-12-31T23:59:00Z (at -60000) says 1 events, there are 2\n"},
    {"DELETE FROM tally_hour WHERE at = 3600000",
     "wrong tally_hour: 1970-01-01T01:00:00Z (at 3600000) says 0 events, there are 1\n"},
    {"DELETE FROM tally_day WHERE at = 86400000",
     "wrong tally_day: 1970-01-02T00:00:00Z (at 86400000) says 0 events, there are 3\n"},
    /* Steps in which nothing happened: before, between, behind; one that says so itself is right.
     */
    {"INSERT INTO tally_day VALUES (-172800000, 1)",
     "wrong tally_day: 1969-12-30T00:00:00Z (at -172800000) says 1 events, there are 0\n"},
    {"INSERT INTO tally_hour VALUES (7200000, 2)",
     "wrong tally_hour: 1970-01-01T02:00:00Z (at 7200000) says 2 events, there are 0\n"},
    {"INSERT INTO tally_second VALUES (86401000, 7)",
     "wrong tally_second: 1970-01-02T00:00:01Z (at 86401000) says 7 events, there are 0\n"},
    {"INSERT INTO tally_minute VALUES (120000, 0)", "ok tally: right, 10 events\n"},
    {"DELETE FROM events WHERE ts = 999",
     "wrong tally_second: 1970-01-01T00:00:00Z (at 0) says 2 events, there are 1\n"
     "wrong tally_minute: 1970-01-01T00:00:00Z (at 0) says 3 events, there are 2\n"
     "wrong tally_hour: 1970-01-01T00:00:00Z (at 0) says 4 events, there are 3\n"
     "wrong tally_day: 1970-01-01T00:00:00Z (at 0) says 5 events, there are 4\n"},
    /* Three are named, more are counted. */
    {"UPDATE tally_second SET events = events + 1 WHERE at BETWEEN -2000 AND 0",
     "wrong tally_second: 1969-12-31T23:59:58Z (at -2000) says 2 events, there are 1\n"
     "wrong tally_second: 1969-12-31T23:59:59Z (at -1000) says 2 events, there are 1\n"
     "wrong tally_second: 1970-01-01T00:00:00Z (at 0) says 3 events, there are 2\n"},
    {"UPDATE tally_second SET events = events + 1 WHERE at BETWEEN -2000 AND 1000",
     "wrong tally_second: 1969-12-31T23:59:58Z (at -2000) says 2 events, there are 1\n"
     "wrong tally_second: 1969-12-31T23:59:59Z (at -1000) says 2 events, there are 1\n"
     "wrong tally_second: 1970-01-01T00:00:00Z (at 0) says 3 events, there are 2\n"
     "wrong tally_second: 4 steps in all are wrong\n"},
};

START_TEST(audit_names_the_steps_that_are_wrong)
{
    struct store_audit_facts facts;
    bool right = strncmp(cases[_i].said, "ok", 2) == 0;
    append(events);
    shell(cases[_i].sql);
    ck_assert_int_eq(look(&facts), STORE_OK);
    ck_assert_str_eq(said.data, cases[_i].said);
    ck_assert(facts.whole == right && facts.tally_right == right && !facts.others_wrong);
    ck_assert_int_eq(facts.events, strstr(cases[_i].sql, "FROM events") != NULL ? 9 : 10);
}
END_TEST

/* What cannot be read is not right. */
START_TEST(audit_without_its_tables_is_not_right)
{
    struct store_audit_facts facts;
    append(events);
    shell("ALTER TABLE tally_hour RENAME TO elsewhere");
    (void)look(&facts);
    ck_assert(!facts.tally_right && !facts.whole);
    ck_assert_ptr_null(strstr(said.data, "tally: right"));
}
END_TEST

/* How far it is, every 4,096 events; and it stops when it is told to. */
START_TEST(audit_tells_how_far_it_is)
{
    struct store_audit_facts facts;
    struct bytes body;
    bytes_init(&body);
    int failed = bytes_append_text(&body, "{\"events\":[");
    for (unsigned i = 0; i < 9000; i++)
        failed |= bytes_append_format(&body, "%s{\"timestamp\":\"2024-01-01T00:%02u:%02u.000Z\"}",
                                      i > 0 ? "," : "", i / 60 % 60, i % 60);
    failed |= bytes_append(&body, "]}", 3);
    ck_assert_int_eq(failed, 0);
    append(body.data);
    bytes_clear(&body);
    ck_assert_int_eq(look(&facts), STORE_OK);
    ck_assert_str_eq(said.data, "ok tally: right, 9000 events\n");
    ck_assert_int_eq(last_done, 2 * 4096);
    ck_assert_int_eq(last_total, 9000);
    unsigned all = steps;
    ck_assert_uint_ge(all, 2);
    stop_at = all;
    ck_assert_int_eq(look(&facts), STORE_BUSY);
    ck_assert_int_eq(facts.events, 2 * 4096);
    ck_assert_str_eq(said.data, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit_tally");
    TCase *tcase = tcase_create("audit_tally");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, audit_finds_the_tally_of_nothing_right);
    tcase_add_loop_test(tcase, audit_names_the_steps_that_are_wrong, 0,
                        sizeof cases / sizeof *cases);
    tcase_add_test(tcase, audit_without_its_tables_is_not_right);
    tcase_add_test(tcase, audit_tells_how_far_it_is);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
