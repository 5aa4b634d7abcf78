/* The PostgreSQL store's receipts and their keys, on a real server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include <pthread.h>

#include "postgres_claims.h"

static void setup(void)
{
    stores_setup(10, 1000);
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

int main(void)
{
    Suite *suite = suite_create("postgres_claims");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, stores_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, receipts_are_found_by_their_keys);
    tcase_add_test(tests, of_receipts_under_one_key_the_newest_are_found);
    tcase_add_test(tests, losses_are_kept);
    tcase_add_test(tests, a_key_is_held_until_its_holder_is_through);
    tcase_add_test(tests, nodes_do_not_wait_for_each_other_in_a_circle);
    tcase_add_test(tests, released_keys_are_free);
    suite_add_tcase(suite, tests);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
