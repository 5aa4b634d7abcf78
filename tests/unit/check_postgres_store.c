/* The PostgreSQL store's writing side on a real server. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_run.h"

#include "base/bytes.h"
#include "contract/receipt_rows.h"
#include "store/shared.h"
#include "store/store.h"

enum { RECEIVED = 12345 };

static char name[32], uri[256];
static struct store_options options;
static struct store *store, *other;
static struct uuid_source uuids;
static const struct store_receipts no_receipts;

static int64_t shell(const char *sql)
{
    return postgres_shell(name, sql);
}

static struct store *open_node(const char *node)
{
    struct store *opened = NULL;
    struct error err = {""};
    options.node = node;
    int status = store_open(&opened, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    return opened;
}

static void setup(void)
{
    char sql[64];
    static int number;
    snprintf(name, sizeof name, "t%d_%ld", ++number, (long)getpid());
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    postgres_shell("postgres", sql);
    postgres_uri(uri, sizeof uri, name);
    options = (struct store_options){.database = uri, .max_rejects = 10, .max_rejects_bytes = 1000};
    uuid_source_init(&uuids);
    store = open_node("one");
    other = NULL;
}

static void teardown(void)
{
    store_close(store);
    store_close(other);
}

static struct batch *batch_of(const char *text)
{
    struct batch *batch = NULL;
    struct error err = {""};
    const struct batch_limits limits = {1 << 20, 512};
    int status = batch_read(text, strlen(text), &limits, &uuids, NULL, RECEIVED, &batch, &err);
    ck_assert_msg(status == BATCH_OK, "%s", err.text);
    return batch;
}

static int append(struct store_item *items, size_t count, const struct store_receipts *receipts)
{
    struct error err = {""};
    int status = store_append(store, items, count, receipts, &err);
    ck_assert_msg(status == STORE_OK || status == STORE_REFUSED || err.text[0] != '\0', "%s",
                  err.text);
    return status;
}

#define AT "\"timestamp\":\"2026-11-22T10:00:00.%03dZ\""

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

static Suite *make_suite(void)
{
    Suite *suite = suite_create("postgres_store");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, events_are_stored_with_numbers_that_ascend);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return postgres_run_main(make_suite());
}

#else

int main(void)
{
    printf("1..0 # SKIP built without libpq\n");
    return 77;
}

#endif
