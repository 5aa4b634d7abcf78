/* What a session of the PostgreSQL store keeps, on a real server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_claims.h"

#include "store/postgres/postgres_store_parts.h"

static void setup(void)
{
    stores_setup(10, 1000);
}

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

/* What a column was altered to does not fit the plan that was kept. */
START_TEST(a_plan_that_does_not_fit_any_more_is_made_anew)
{
    struct pg *pg = &((struct postgres_store *)store)->pg;
    struct heard heard;
    (void)shell("ALTER TABLE beacond.receipts ALTER at TYPE numeric");
    ck_assert_int_eq(claim(store, 1, &heard), STORE_BUSY);
    ck_assert_int_eq(store_under(1), STORE_OK);
    ck_assert(!pg->kept[SQL_CLAIM_RECEIPTS]);
    end_session("true");
    ck_assert_int_eq(store_under(3), STORE_OK);
    ck_assert(pg->kept[SQL_CLAIM_RECEIPTS]);
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
                                            "   AND statement LIKE '%beacond.receipts%'");
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

int main(void)
{
    Suite *suite = suite_create("postgres_keep");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, stores_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_session_that_has_ended_is_made_anew);
    tcase_add_test(tests, a_session_that_forgets_what_it_was_to_keep_is_given_nothing_more);
    tcase_add_test(tests, a_plan_that_does_not_fit_any_more_is_made_anew);
    tcase_add_test(tests, a_new_session_waits_for_no_table_that_somebody_holds);
    tcase_add_test(tests, a_plan_that_is_kept_fits_a_table_that_fills_up);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
