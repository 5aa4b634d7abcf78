/*
 * Several engines on one PostgreSQL: whichever node is asked, right behind an answer of whichever
 * other, it answers what a plain sorted list of all events answers, and each pushes each event
 * once, in the same order.
 */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "engine/measures.h"
#include "engine_nodes.h"

/* --- the game --------------------------------------------------------------------------------- */

/* A commit at a node, or one at each of several at the same time. */
static void play_commits(void)
{
    struct order orders[NODES];
    struct batch *batches[NODES];
    size_t count = 1 + dice_roll(&dice, 2) * dice_roll(&dice, NODES);
    if (model.bytes >= most_bytes)
        return;
    for (size_t i = 0; i < count; i++) {
        (void)use_any();
        batches[i] = some_batch();
        order_submit(&orders[i], mailbox, batches[i]);
    }
    for (size_t i = 0; i < count; i++) {
        order_wait(&orders[i], mailbox);
        ck_assert(orders[i].submission.stored);
        ck_assert_uint_eq(orders[i].submission.saved, batches[i]->event_count);
    }
    /* In the order of their numbers, which the nodes share. */
    for (size_t done = 0; done < count; done++) {
        size_t next = count;
        int64_t lowest = INT64_MAX;
        for (size_t i = 0; i < count; i++) {
            int64_t seq = 0;
            for (size_t n = 0; batches[i] != NULL && n < batches[i]->event_count && seq == 0; n++)
                seq = batches[i]->events[n].seq;
            if (batches[i] != NULL && (next == count || (seq != 0 && seq < lowest))) {
                next = i;
                lowest = seq == 0 ? INT64_MAX : seq;
            }
        }
        size_t stored = model_commit(&model, batches[next]);
        ck_assert_uint_eq(orders[next].submission.saved - orders[next].submission.duplicate,
                          stored);
        ear_expect(batches[next]);
        seen.duplicate += orders[next].submission.duplicate;
        batch_free(batches[next]);
        batches[next] = NULL;
    }
}

/* What is too old is erased by one node. */
static void play_prune_at_one(void)
{
    if (model.count == 0)
        return;
    check_ears(); /* what is gone before a node has followed it is not pushed there */
    (void)use_any();
    prune_behind(some_part());
}

static void choose(void)
{
    (void)use_any();
}

static void between_pages(void)
{
    if (dice_roll(&dice, 12) == 0)
        play_prune_at_one();
}

/* Each reading, and each page of a chain, is another node's. */
static const struct meanwhile meanwhile = {
    .choose = choose, .commit = play_commits, .page = between_pages};

static void play(void)
{
    size_t what = dice_roll(&dice, 100);
    if (what < 45)
        play_commits();
    else if (what < 85)
        play_readings(&meanwhile);
    else if (what < 92)
        play_chain(&meanwhile);
    else if (what < 95)
        play_prune_at_one();
    else if (what < 96) {
        size_t n = dice_roll(&dice, NODES);
        node_down(n);
        node_up(n);
    } else
        check_ears();
}

START_TEST(nodes_answer_what_a_sorted_list_answers)
{
    generation = 1;
    for (unsigned i = unit_rounds(50) * 5; i > 0; i--)
        play();
    check_ears();
    if (getenv("BEACOND_SEEN") != NULL)
        fprintf(stderr, "same %lu different %lu duplicate %lu pruned %lu pages %lu chunks %lu\n",
                seen.same, seen.different, seen.duplicate, seen.pruned, seen.pages, seen.chunks);
}
END_TEST

/* --- in front of a commit --------------------------------------------------------------------- */

static struct batch *one_event(const char *text)
{
    char body[256], stamp[TIMESTAMP_SIZE];
    timestamp_format(stamp, clock_wall_ms());
    snprintf(body, sizeof body, "{\"events\":[{\"timestamp\":\"%s\",\"text\":\"%s\"}]}", stamp,
             text);
    return body_of(body);
}

static void store_one(const char *text)
{
    struct batch *batch = one_event(text);
    struct order order;
    order_submit(&order, mailbox, batch);
    order_wait(&order, mailbox);
    ck_assert(order.submission.stored);
    ck_assert_uint_eq(model_commit(&model, batch), 1);
    ear_expect(batch);
    batch_free(batch);
}

/* All nodes answer all that the model has. */
static void check_all(void)
{
    for (size_t n = 0; n < NODES; n++) {
        char cursor[RANGE_CURSOR_SIZE];
        struct ask ask;
        use(n);
        ask_all(&ask, "", cursor);
    }
}

START_TEST(nodes_hold_back_what_stands_behind_a_slow_transaction)
{
    struct order orders[NODES];
    PGconn *slow = postgres_connection(base);
    generation = 1;
    store_one("before");
    check_all();
    session_do(slow, "BEGIN");
    session_do(slow, "SELECT beacond.take_blocks(1)");
    for (size_t n = 0; n < NODES; n++) {
        use(n);
        order_submit(&orders[n], mailbox, one_event(n == 0 ? "a" : n == 1 ? "b" : "c"));
    }
    while (sql("SELECT count(*) FROM beacond.commits") < NODES + 1)
        (void)poll(NULL, 0, 1);
    /* They are committed, and nobody sees them or is answered. */
    for (unsigned i = 0; i < 20; i++)
        check_all();
    for (size_t n = 0; n < NODES; n++)
        ck_assert(!orders[n].answered);
    session_do(slow, "ROLLBACK");
    for (size_t done = 0; done < NODES; done++)
        order_wait(&orders[done], mailbox);
    for (int64_t last = 0;;) { /* by their numbers */
        size_t next = NODES;
        for (size_t n = 0; n < NODES; n++) {
            int64_t seq = orders[n].submission.batch->events[0].seq;
            if (seq > last && (next == NODES || seq < orders[next].submission.batch->events[0].seq))
                next = n;
        }
        if (next == NODES)
            break;
        struct batch *batch = orders[next].submission.batch;
        last = batch->events[0].seq;
        ck_assert_uint_eq(model_commit(&model, batch), 1);
        ear_expect(batch);
    }
    for (size_t n = 0; n < NODES; n++)
        batch_free(orders[n].submission.batch);
    check_all();
    check_ears();
    PQfinish(slow);
}
END_TEST

START_TEST(nodes_answer_a_duplicate_once_what_it_repeats_can_be_seen)
{
    static const char body[] =
        "{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00.001Z\",\"id\":\"a\"}]}";
    struct order first, second;
    PGconn *slow = postgres_connection(base);
    generation = 1;
    session_do(slow, "BEGIN");
    session_do(slow, "SELECT beacond.take_blocks(1)");
    use(0);
    order_submit(&first, mailbox, body_of(body));
    while (sql("SELECT count(*) FROM beacond.commits") == 0)
        (void)poll(NULL, 0, 1);
    use(1);
    order_submit(&second, mailbox, body_of(body));
    for (unsigned i = 0; i < 50; i++)
        check_all();
    ck_assert(!first.answered);
    ck_assert(!second.answered);
    session_do(slow, "ROLLBACK");
    order_wait(&first, mailbox);
    order_wait(&second, mailbox);
    ck_assert_uint_eq(first.submission.duplicate, 0);
    ck_assert_uint_eq(second.submission.duplicate, 1);
    (void)model_commit(&model, first.submission.batch);
    ear_expect(first.submission.batch);
    batch_free(first.submission.batch);
    batch_free(second.submission.batch);
    check_all();
    check_ears();
    PQfinish(slow);
}
END_TEST

/* --- retries ---------------------------------------------------------------------------------- */

static const char burst[] = "{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00.001Z\"},"
                            "{\"timestamp\":\"2024-01-01T00:00:00.001Z\"}]}";

/* Stored there: how many of it had been stored before. */
static size_t duplicates_at(size_t n, const char *body, uint64_t *receipt)
{
    struct order order;
    use(n);
    order_submit(&order, mailbox, body_of(body));
    order_wait(&order, mailbox);
    ck_assert(order.submission.stored);
    if (receipt != NULL)
        *receipt = order.submission.receipt;
    batch_free(order.submission.batch);
    return order.submission.duplicate;
}

START_TEST(node_knows_what_another_has_stored)
{
    static const char one[] = "{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00.001Z\"}]}";
    static const char two[] = "{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00.001Z\"},"
                              "{\"timestamp\":\"2024-01-01T00:00:00.002Z\"}]}";
    ck_assert_uint_eq(duplicates_at(0, two, NULL), 0);
    ck_assert_uint_eq(duplicates_at(1, two, NULL), 2);
    ck_assert_uint_eq(duplicates_at(2, one, NULL), 1);
    node_down(0);
    ck_assert_uint_eq(duplicates_at(2, two, NULL), 2);
    node_up(0);
    ck_assert_uint_eq(duplicates_at(0, two, NULL), 2);
    ck_assert_int_eq(sql("SELECT count(*) FROM beacond.events"), 2);
}
END_TEST

START_TEST(node_takes_a_burst_for_a_retry_once_another_has_lost_the_answer)
{
    uint64_t receipt;
    ck_assert_uint_eq(duplicates_at(0, burst, &receipt), 0);
    ck_assert_uint_ne(receipt, 0);
    ck_assert_uint_eq(duplicates_at(1, burst, NULL), 0);
    engine_lost(nodes[0], receipt);
    while (sql("SELECT sum(lost) FROM beacond.receipts") == 0)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_eq(duplicates_at(2, burst, NULL), 2);
    ck_assert_uint_eq(duplicates_at(2, burst, NULL), 0);
    /* One that is told at the node that is asked needs no waiting. */
    engine_lost(nodes[1], receipt);
    ck_assert_uint_eq(duplicates_at(1, burst, NULL), 2);
    ck_assert_int_eq(sql("SELECT count(*) FROM beacond.events"), 6);
}
END_TEST

/* --- what breaks ------------------------------------------------------------------------------ */

#define CUTS                                                         \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity " \
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.4"

/* More than is fetched in one portion. */
#define MANY 1500

static struct batch *many_events(const char *text)
{
    char stamp[TIMESTAMP_SIZE];
    struct bytes body;
    bytes_init(&body);
    for (int i = 0; i < MANY; i++) {
        timestamp_format(stamp, begin_ms + i);
        ck_assert_int_eq(bytes_append_format(&body, "%s{\"timestamp\":\"%s\",\"text\":\"%s %d\"}",
                                             i == 0 ? "{\"events\":[" : ",", stamp, text, i),
                         0);
    }
    ck_assert_int_eq(bytes_append(&body, "]}", sizeof "]}"), 0);
    struct batch *batch = body_of(body.data);
    bytes_clear(&body);
    return batch;
}

/* Whatever connections break, each event is there once, and was pushed once by each. */
START_TEST(nodes_store_each_event_once_whatever_connections_break)
{
    unsigned rounds = unit_rounds(50), events = 0;
    for (unsigned i = 0; i < rounds; i++) {
        struct order orders[2 * NODES];
        for (size_t n = 0; n < 2 * NODES; n++) {
            char text[32];
            snprintf(text, sizeof text, "r%u-%zu", i, n);
            use(n % NODES);
            bool many = dice_roll(&dice, 20) == 0;
            order_submit(&orders[n], mailbox, many ? many_events(text) : one_event(text));
            events += many ? MANY : 1;
            if (dice_roll(&dice, 4) == 0)
                (void)sql(CUTS);
        }
        for (size_t n = 0; n < 2 * NODES; n++) {
            order_wait(&orders[n], mailbox);
            ck_assert(orders[n].submission.stored);
            batch_free(orders[n].submission.batch);
        }
    }
    ck_assert_int_eq(sql("SELECT count(*) FROM beacond.events"), events);
    PGconn *session = postgres_connection(base);
    PGresult *all = PQexec(session, "SELECT event FROM beacond.events ORDER BY seq");
    for (int i = 0; i < PQntuples(all); i++)
        ck_assert_int_eq(bytes_append_format(&pushed, "%s,", PQgetvalue(all, i, 0)), 0);
    PQclear(all);
    PQfinish(session);
    check_ears();
}
END_TEST

/* A server that has come back without some of what it had. */
START_TEST(nodes_begin_anew_where_the_log_is_not_what_it_was)
{
    generation = 1;
    store_one("one");
    store_one("two");
    check_all();
    check_ears();
    (void)sql("UPDATE beacond.commits SET at = at - 1");
    for (size_t n = 0; n < NODES; n++) {
        while (ears[n].losses == 0)
            wait_for_mail(mailbox);
        ear_begin(n);
    }
    check_all();
    store_one("three");
    check_all();
    check_ears();
}
END_TEST

/* One that was away while much was committed. */
START_TEST(nodes_that_were_away_for_long_begin_anew)
{
    generation = 1;
    store_one("before");
    check_ears();
    (void)sql("SET beacond.own = 'on'; INSERT INTO beacond.commits(last_seq, first_seq, instance, "
              "at, events, min_ts, max_ts)"
              "SELECT base + n, base + n, 0, 0, 1000, 0, 0"
              "  FROM beacond.take_blocks(1) AS base, generate_series(1, 600) AS n;"
              "INSERT INTO beacond.tally_day VALUES (0, 0, 600000)");
    use(0);
    for (size_t n = 0; n < NODES; n++) {
        while (ears[n].losses == 0)
            wait_for_mail(mailbox);
        ear_begin(n);
    }
    store_one("behind");
    check_ears();
    ck_assert_int_eq(gauge_read(&writer_measures(engine->writer)->stored), 600002);
}
END_TEST

/* An erasure by another that is seen before the commit of what it erased. */
START_TEST(nodes_tell_an_erasure_behind_what_it_erases)
{
    struct order order;
    PGconn *slow = postgres_connection(base);
    generation = 1;
    store_one("before");
    session_do(slow, "BEGIN");
    session_do(slow, "SELECT beacond.take_blocks(1)");
    use(0);
    order_submit(&order, mailbox, one_event("behind"));
    while (sql("SELECT count(*) FROM beacond.commits") < 2)
        (void)poll(NULL, 0, 1);
    (void)sql(
        "BEGIN; SET LOCAL beacond.own = 'on';"
        "WITH gone AS (DELETE FROM beacond.events RETURNING ts, seq),"
        " counted AS (UPDATE beacond.tally_day SET events = 0),"
        " logged AS (INSERT INTO beacond.erasures(n, at, instance, events, ts, seq)"
        "            SELECT 1, 0, 0, count(*), array_agg(ts), array_agg(seq) FROM gone)"
        "SELECT 1;"
        "UPDATE beacond.tally_hour SET events = 0; UPDATE beacond.tally_minute SET events = 0;"
        "UPDATE beacond.tally_second SET events = 0; COMMIT");
    (void)model_erase(&model, false, INT64_MIN, INT64_MAX);
    generation++;
    check_all();
    ck_assert(!order.answered);
    session_do(slow, "ROLLBACK");
    order_wait(&order, mailbox);
    ck_assert_uint_eq(order.submission.saved, 1);
    model.last_seq = order.submission.batch->events[0].seq;
    ck_assert_int_gt(model.last_seq, 0);
    check_all();
    for (size_t n = 0; n < NODES; n++) { /* also when the rings have been told */
        use(n);
        store_one("later");
    }
    check_all();
    batch_free(order.submission.batch);
    PQfinish(slow);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, nodes_setup, nodes_teardown);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("engine_nodes");
    add(suite, "game", nodes_answer_what_a_sorted_list_answers);
    add(suite, "slow", nodes_hold_back_what_stands_behind_a_slow_transaction);
    add(suite, "duplicate", nodes_answer_a_duplicate_once_what_it_repeats_can_be_seen);
    add(suite, "retry", node_knows_what_another_has_stored);
    add(suite, "burst", node_takes_a_burst_for_a_retry_once_another_has_lost_the_answer);
    add(suite, "cuts", nodes_store_each_event_once_whatever_connections_break);
    add(suite, "anew", nodes_begin_anew_where_the_log_is_not_what_it_was);
    add(suite, "away", nodes_that_were_away_for_long_begin_anew);
    add(suite, "erasure", nodes_tell_an_erasure_behind_what_it_erases);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
