/* A PostgreSQL database is found whole, and what is done to it by hand is found. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_hand.h"

#include "store/audit.h"

enum { HEARD_SIZE = 4096 };

struct heard {
    char wrong[HEARD_SIZE]; /* lines that tell what is wrong */
    char right[HEARD_SIZE];
    int steps, most_steps;
};

static void heard_say(void *arg, bool ok, const char *text)
{
    struct heard *heard = arg;
    char *out = ok ? heard->right : heard->wrong;
    size_t len = strlen(out);
    snprintf(out + len, HEARD_SIZE - len, "%s\n", text);
}

static bool heard_receipts(const void *data, size_t len)
{
    return len > 0 && *(const char *)data == 1;
}

static int heard_step(void *arg, const char *what, int64_t done, int64_t total)
{
    struct heard *heard = arg;
    (void)what, (void)done, (void)total;
    return ++heard->steps > heard->most_steps;
}

static int audit(struct heard *heard, enum store_audit_depth depth, struct store_audit_facts *facts,
                 struct error *err)
{
    const struct store_audit_ear ear = {.say = heard_say,
                                        .receipts = heard_receipts,
                                        .step = heard_step,
                                        .arg = heard,
                                        .max_rejects = 1};
    return store_audit(uri, depth, &ear, facts, err);
}

/* Events on three days, one of which has a partition; a receipt, a reject. */
static void fill(void)
{
    do_sql(hand, "SELECT beacond.make_day(20414)");
    do_sql(hand,
           "SELECT tests.put(0, '{1763769600000,1763769600000,1763769600999,1763769601000}')");
    do_sql(hand, "SELECT tests.put(1, '{-1,86399999,1763769660000}')");
    do_sql(hand,
           "SELECT tests.erase(1763769600999, seq) FROM beacond.events WHERE ts = 1763769600999");
    do_sql(hand, "INSERT INTO beacond.receipts(serial, key, instance, at, burst, lost, receipts)"
                 " VALUES (1, 1, 1, 1, false, 0, '\\x01')");
    do_sql(hand, "INSERT INTO beacond.rejects(received, reason, event) VALUES (1, 'odd', 'x')");
}

START_TEST(a_database_is_found_whole)
{
    static const enum store_audit_depth depths[] = {STORE_AUDIT_WHOLE, STORE_AUDIT_QUICK};
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    int status = audit(&heard, depths[_i], &facts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_str_eq(heard.wrong, "");
    ck_assert_str_eq(heard.right, "schema: version 1, all there\nmeta: complete\n"
                                  "commits, erasures: in order\nreceipts: 1 rows\n"
                                  "rejects: 1 rows, 1 bytes\ntally: right, 6 events\n");
    ck_assert(facts.whole && facts.tally_right && !facts.others_wrong);
    ck_assert_int_eq(facts.events, 6);
    ck_assert_int_gt(heard.steps, 0);
}
END_TEST

/* Somebody keeps it elsewhere; the tally does not know. */
START_TEST(it_is_looked_through_without_what_is_long_past)
{
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    do_sql(hand, "DROP TABLE beacond.events_old");
    int status = audit(&heard, STORE_AUDIT_WHOLE, &facts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert(!facts.tally_right);
    ck_assert_ptr_null(strstr(heard.wrong, "can't be read"));
}
END_TEST

static const struct {
    const char *sql, *wrong;
    bool tally; /* it is wrong, and nothing else is */
} damages[] = {
    {"DELETE FROM beacond.events WHERE ts = 86399999",
     "tally_second: 1970-01-01T23:59:59Z (at 86399000) says 1 events, there are 0\n"
     "tally_minute: 1970-01-01T23:59:00Z (at 86340000) says 1 events, there are 0\n"
     "tally_hour: 1970-01-01T23:00:00Z (at 82800000) says 1 events, there are 0\n"
     "tally_day: 1970-01-01T00:00:00Z (at 0) says 1 events, there are 0\n",
     true},
    {"UPDATE beacond.tally_hour SET events = events + 2 WHERE at = -3600000",
     "tally_hour: 1969-12-31T23:00:00Z (at -3600000) says 3 events, there are 1\n", true},
    {"INSERT INTO beacond.tally_day VALUES (-86400000000, 0, 7)",
     "tally_day: 1967-04-07T00:00:00Z (at -86400000000) says 7 events, there are 0\n", true},
    {"DELETE FROM beacond.tally_day WHERE at = 1763769600000",
     "tally_day: 2025-11-22T00:00:00Z (at 1763769600000) says 0 events, there are 4\n", true},
    {"INSERT INTO beacond.tally_minute VALUES (500 * 86400000::bigint, 0, 1)",
     "tally_minute: 1971-05-16T00:00:00Z (at 43200000000) says 1 events, there are 0\n", true},
    {"UPDATE beacond.receipts SET receipts = '\\x'", "receipts: row 1 can't be made sense of\n",
     false},
    {"UPDATE beacond.rejects SET reason = ''", "rejects: 1 can't be made sense of\n", false},
    {"UPDATE beacond.meta SET value = 'short' WHERE name = 'secret'",
     "meta: secret is missing, or not 16 bytes\n", false},
    {"UPDATE beacond.meta SET value = 'maybe' WHERE name = 'doubt'",
     "meta: doubt is missing, or neither yes nor no\n", false},
    {"SELECT setval('beacond.blocks', 2)",
     "events: seq 12290 is above 12287: it is to be given out yet\n"
     "commits: 12290 can't be made sense of\n",
     false},
    {"UPDATE beacond.commits SET events = 0 WHERE last_seq = 12290",
     "commits: 12290 can't be made sense of\n", false},
    {"UPDATE beacond.commits SET first_seq = 8192 WHERE last_seq = 12290",
     "commits: 12290 can't be made sense of\n", false},
    {"INSERT INTO beacond.erasures(n, behind, at, events) VALUES (5, 1, 1, 0)",
     "erasures: 3 of 5 numbers are missing\n", false},
    {"UPDATE beacond.erasures SET seq = NULL", "erasures: 1 can't be made sense of\n", false},
    {"DROP INDEX beacond.receipts_by_key", "schema: index receipts_by_key is missing\n", false},
    {"UPDATE pg_index SET indisvalid = false"
     " WHERE indexrelid = 'beacond.receipts_by_age'::regclass",
     "schema: index receipts_by_age is not valid: it is to be made anew (REINDEX)\n", false},
    {"ALTER TABLE beacond.rejects ADD more text", "schema: table rejects was changed\n", false},
    {"CREATE UNIQUE INDEX mine ON beacond.events_other (id)",
     "schema: unique index mine on events_other is not beacond's and changes what it "
     "stores\n",
     false},
    {"CREATE TRIGGER mine BEFORE INSERT ON beacond.rejects EXECUTE FUNCTION beacond.changed()",
     "schema: trigger mine on rejects is not beacond's and changes what it stores\n", false},
    {"DROP TRIGGER events_changed ON beacond.events_2025_11_22",
     "schema: trigger events_changed on events_2025_11_22 is missing, or does not fire\n", false},
    {"ALTER TABLE beacond.events_2025_11_22 RENAME TO events_2025_11_23",
     "schema: partition events_2025_11_23 does not hold the day that it is called after\n", false},
};

START_TEST(what_is_done_to_it_is_found)
{
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    do_sql(hand, damages[_i].sql);
    int status = audit(&heard, STORE_AUDIT_WHOLE, &facts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_str_eq(heard.wrong, damages[_i].wrong);
    ck_assert(!facts.whole);
    ck_assert_int_eq(facts.tally_right, !damages[_i].tally);
    ck_assert_int_eq(facts.others_wrong, !damages[_i].tally);
}
END_TEST

/* Its index does not see to it any more. */
START_TEST(an_id_that_stands_twice_is_found)
{
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    do_sql(hand, "UPDATE pg_index SET indisunique = false"
                 " WHERE indrelid = 'beacond.events_2025_11_22'::regclass AND indpred IS NOT NULL");
    do_sql(hand, "UPDATE beacond.events SET id = 'x', given = true WHERE ts = 1763769600000");
    do_sql(hand, "UPDATE pg_index SET indisunique = true"
                 " WHERE indrelid = 'beacond.events_2025_11_22'::regclass AND indpred IS NOT NULL");
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_WHOLE, &facts, &err), STORE_OK);
    ck_assert_str_eq(heard.wrong, "events_given: 1 ids stand twice at their timestamps: REINDEX\n");
    ck_assert(facts.tally_right && facts.others_wrong);
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_QUICK, &facts, &err), STORE_OK);
    ck_assert(facts.whole);
}
END_TEST

START_TEST(many_steps_that_are_wrong_are_not_all_named)
{
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    do_sql(hand,
           "INSERT INTO beacond.tally_second SELECT n * 1000, 0, 1 FROM generate_series(1, 9) n");
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_TALLY, &facts, &err), STORE_OK);
    ck_assert_str_eq(heard.wrong,
                     "tally_second: 1970-01-01T00:00:01Z (at 1000) says 1 events, there are 0\n"
                     "tally_second: 1970-01-01T00:00:02Z (at 2000) says 1 events, there are 0\n"
                     "tally_second: 1970-01-01T00:00:03Z (at 3000) says 1 events, there are 0\n"
                     "tally_second: 9 steps in all are wrong\n");
    ck_assert_str_eq(heard.right, "");
}
END_TEST

START_TEST(who_wants_no_more_stops_it)
{
    struct heard heard = {.most_steps = 0};
    struct store_audit_facts facts;
    struct error err = {""};
    fill();
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_WHOLE, &facts, &err), STORE_BUSY);
    ck_assert_str_eq(err.text, "stopped before everything was looked at");
}
END_TEST

START_TEST(another_database_is_none)
{
    struct heard heard = {.most_steps = 1000};
    struct store_audit_facts facts;
    struct error err = {""};
    do_sql(hand, "UPDATE beacond.meta SET value = '99' WHERE name = 'schema'");
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_WHOLE, &facts, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "newer beacond"));
    do_sql(hand, "DROP TABLE beacond.meta");
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_WHOLE, &facts, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "not beacond's"));
    do_sql(hand, "DROP SCHEMA beacond CASCADE");
    ck_assert_int_eq(audit(&heard, STORE_AUDIT_WHOLE, &facts, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "no beacond has used it"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_audit");
    TCase *tests = tcase_create("audit");
    tcase_add_checked_fixture(tests, hand_setup, hand_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_database_is_found_whole, 0, 2);
    tcase_add_loop_test(tests, what_is_done_to_it_is_found, 0,
                        (int)(sizeof damages / sizeof *damages));
    tcase_add_test(tests, it_is_looked_through_without_what_is_long_past);
    tcase_add_test(tests, an_id_that_stands_twice_is_found);
    tcase_add_test(tests, many_steps_that_are_wrong_are_not_all_named);
    tcase_add_test(tests, who_wants_no_more_stops_it);
    tcase_add_test(tests, another_database_is_none);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
