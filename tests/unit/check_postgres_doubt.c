/* Commits whose answers are lost, on a real PostgreSQL server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include <pthread.h>
#include <sys/socket.h>

#include "postgres_claims.h"

#include "store/postgres/postgres_store_parts.h"

static void setup(void)
{
    stores_setup(10, 1000);
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

/* Another node buries this one while it is cut off, and a client that comes again has had the
 * answer that was counted with that. */
START_TEST(an_answer_that_burying_has_counted_is_not_counted_again)
{
    struct postgres_store *node = (struct postgres_store *)store;
    struct heard heard;
    pthread_t thread;
    wait_for_standby();
    ck_assert_int_eq(pthread_create(&thread, NULL, end_committing, NULL), 0);
    node->pg.again_ms = INT64_MAX; /* it does not reach its server again */
    ck_assert_int_eq(store_under(9), STORE_BUSY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM beacond.receipts WHERE lost = 0"), 1);
    (void)shell("UPDATE beacond.nodes SET ended = 1");
    node->pg.again_ms = 0;
    while (claim(store, 9, &heard) != STORE_OK) /* until it has entered itself anew */
        (void)poll(NULL, 0, 5);
    store_release(store);
    ck_assert_int_eq(node->doubt.transaction, 0);
    (void)lost_under(9, 0);
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

int main(void)
{
    Suite *suite = suite_create("postgres_doubt");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, stores_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_append_does_not_outlive_its_claim);
    tcase_add_test(tests, a_commit_whose_answer_was_lost_is_remembered);
    tcase_add_test(tests, a_commit_that_was_not_made_loses_nothing);
    tcase_add_test(tests, a_loss_that_was_taken_in_doubt_is_given_back);
    tcase_add_test(tests, each_burst_of_a_commit_in_doubt_has_lost_an_answer);
    tcase_add_test(tests, an_answer_that_burying_has_counted_is_not_counted_again);
    tcase_add_test(tests, a_burst_that_nobody_waits_for_loses_no_answer_in_doubt);
    tcase_add_test(tests, losses_whose_answer_was_lost_are_counted_once);
    tcase_add_test(tests, losses_that_were_counted_are_known_until_all_are);
    tcase_add_test(tests, losses_whose_commit_is_under_way_are_waited_for);
    tcase_add_test(tests, a_node_that_ends_has_lost_one_answer_at_most);
    tcase_add_test(tests, what_is_stored_without_marks_is_not_stored_twice);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
