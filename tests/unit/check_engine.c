/* The engine without a socket: a real store, real threads, a mailbox opened by the test. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "engine/chores.h"
#include "engine/erasure.h"
#include "engine/internal.h"
#include "engine/slices.h"
#include "engine/writer_parts.h"
#include "engine_run.h"
#include "store/ops.h"

static sqlite3 *shell;           /* a person with the sqlite3 shell */
static struct rlimit file_limit; /* as it was, for what runs in the same process (CK_FORK=no) */

static void setup(void)
{
    run_setup();
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &file_limit), 0);
    ck_assert_int_eq(sqlite3_open(database, &shell), SQLITE_OK);
}

static void teardown(void)
{
    (void)setrlimit(RLIMIT_FSIZE, &file_limit);
    (void)signal(SIGXFSZ, SIG_DFL);
    sqlite3_close(shell);
    run_teardown();
}

static void shell_run(const char *sql)
{
    ck_assert_msg(sqlite3_exec(shell, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(shell));
}

static int64_t shell_number(const char *sql)
{
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(shell, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

START_TEST(engine_answers_after_the_commit)
{
    struct order order;
    order_submit(&order, mailbox, batch_of(1, 25, "a"));
    order_wait(&order, mailbox);
    ck_assert(order.submission.stored);
    ck_assert_uint_eq(order.submission.saved, 25);
    ck_assert_uint_eq(order.submission.rejected, 0);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 25);
    batch_free(order.submission.batch);
}
END_TEST

enum { CROWD_THREADS = 4, CROWD_BATCHES = 50 };

static void *crowd_main(void *arg)
{
    static struct order orders[CROWD_THREADS][CROWD_BATCHES];
    struct order *mine = orders[*(int *)arg];
    struct mailbox *box = mailbox_new();
    for (int i = 0; i < CROWD_BATCHES; i++)
        order_submit(&mine[i], box, batch_of((unsigned)i, 10, "crowd"));
    for (int i = 0; i < CROWD_BATCHES; i++) {
        while (!mine[i].answered) {
            struct pollfd poll_fd = {.fd = mailbox_fd(box), .events = POLLIN};
            if (poll(&poll_fd, 1, LONG_MS) != 1)
                return "an answer is missing";
            (void)mailbox_open_all(box);
        }
        if (!mine[i].submission.stored || mine[i].submission.saved != 10)
            return "a batch was not stored";
        batch_free(mine[i].submission.batch);
    }
    mailbox_free(box);
    return NULL;
}

START_TEST(engine_answers_each_of_many_submitters)
{
    pthread_t threads[CROWD_THREADS];
    int numbers[CROWD_THREADS];
    for (int i = 0; i < CROWD_THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_main, &numbers[i]), 0);
    }
    for (int i = 0; i < CROWD_THREADS; i++) {
        void *trouble = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &trouble), 0);
        ck_assert_msg(trouble == NULL, "%s", (const char *)trouble);
    }
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"),
                     CROWD_THREADS * CROWD_BATCHES * 10);
    ck_assert_int_eq(shell_number("SELECT sum(events) FROM tally_hour"),
                     CROWD_THREADS * CROWD_BATCHES * 10);
}
END_TEST

START_TEST(engine_tries_again_until_the_database_is_free)
{
    struct order order;
    shell_run("BEGIN IMMEDIATE");
    order_submit(&order, mailbox, batch_of(1, 3, "a"));
    while (engine_healthy(engine))
        (void)poll(NULL, 0, 1);
    ck_assert(!order.answered);
    shell_run("COMMIT");
    order_wait(&order, mailbox);
    ck_assert(order.submission.stored);
    ck_assert(engine_healthy(engine));
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 3);
    batch_free(order.submission.batch);
}
END_TEST

enum { FULL_BATCHES = 55, FULL_EVENTS = 100, FULL_BYTES = 8 << 20 };

static int64_t wal_size(void)
{
    char path[PATH_MAX];
    struct stat info;
    return stat(folder_file(&folder, path, "t.db-wal"), &info) == 0 ? info.st_size : 0;
}

/* No file may become larger than the WAL gets, as on a disk that the WAL has filled. The database
 * fits: nothing is in the way but what lies in the WAL already. */
START_TEST(engine_makes_room_by_putting_the_wal_back_while_commits_fail)
{
    struct order order;
    char text[1000];
    int64_t size = 0, written = 0;
    struct rlimit limit = {FULL_BYTES, file_limit.rlim_max};
    snprintf(text, sizeof text, "%0*d", (int)sizeof text - 1, 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned i = 0; i < FULL_BATCHES; i++) {
        order_submit(&order, mailbox, batch_of(i, FULL_EVENTS, text));
        order_wait(&order, mailbox);
        ck_assert(order.submission.stored);
        batch_free(order.submission.batch);
        int64_t before = size;
        size = wal_size();
        written += size < before ? size : size - before;
    }
    ck_assert_int_ge(written, FULL_BYTES); /* or there was room for all */
    ck_assert(engine_healthy(engine));
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), FULL_BATCHES * FULL_EVENTS);
}
END_TEST

START_TEST(engine_gives_back_what_it_can_not_commit)
{
    struct order order;
    int64_t until = clock_mono_ms() + LONG_MS;
    shell_run("BEGIN IMMEDIATE");
    order_submit(&order, mailbox, batch_of(1, 3, "a"));
    while (!engine_withdraw(engine, &order.submission))
        ck_assert_int_lt(clock_mono_ms(), until);
    shell_run("COMMIT");
    batch_free(order.submission.batch);
    /* The next commit tells that the first never came. */
    order_submit(&order, mailbox, batch_of(1, 1, "b"));
    order_wait(&order, mailbox);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 1);
    batch_free(order.submission.batch);
}
END_TEST

START_TEST(engine_has_no_room_while_its_queue_is_full)
{
    struct order orders[2];
    engine_close(engine);
    options.queue_bytes = 1;
    engine_up();
    ck_assert(engine_has_room(engine));
    shell_run("BEGIN IMMEDIATE");
    for (int i = 0; i < 2; i++) {
        order_submit(&orders[i], mailbox, batch_of(1, 3, "a"));
        ck_assert(!engine_has_room(engine));
    }
    shell_run("COMMIT");
    for (int i = 0; i < 2; i++) {
        order_wait(&orders[i], mailbox);
        ck_assert(orders[i].submission.stored);
        batch_free(orders[i].submission.batch);
    }
    ck_assert(engine_has_room(engine));
}
END_TEST

START_TEST(engine_puts_a_culprit_aside_and_stores_the_rest_of_the_group)
{
    struct order orders[3];
    static const char *const texts[] = {"good", "wicked", "fine"};
    shell_run("CREATE TRIGGER picky BEFORE INSERT ON events WHEN new.event LIKE '%wicked%' "
              "BEGIN SELECT RAISE(ABORT, 'picky'); END");
    /* While the lock is held they gather into one group. */
    shell_run("BEGIN IMMEDIATE");
    for (int i = 0; i < 3; i++)
        order_submit(&orders[i], mailbox, batch_of(1, 2, texts[i]));
    shell_run("COMMIT");
    for (int i = 0; i < 3; i++) {
        order_wait(&orders[i], mailbox);
        ck_assert(orders[i].submission.stored);
        ck_assert_uint_eq(orders[i].submission.saved, i == 1 ? 0 : 2);
        ck_assert_uint_eq(orders[i].submission.rejected, i == 1 ? 2 : 0);
        batch_free(orders[i].submission.batch);
    }
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 4);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM rejects"), 2);
}
END_TEST

START_TEST(engine_that_closes_says_of_each_batch_whether_it_was_stored)
{
    struct order kept, lost;
    order_submit(&kept, mailbox, batch_of(1, 1, "kept"));
    order_wait(&kept, mailbox);
    shell_run("BEGIN IMMEDIATE");
    order_submit(&lost, mailbox, batch_of(1, 1, "lost"));
    engine_close(engine);
    engine = NULL;
    order_wait(&lost, mailbox);
    ck_assert(kept.submission.stored);
    ck_assert(!lost.submission.stored);
    shell_run("COMMIT");
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 1);
    batch_free(kept.submission.batch);
    batch_free(lost.submission.batch);
}
END_TEST

/* Submits a body, waits, and says how many of its events were stored before. */
static size_t send_body(const char *text, uint64_t *receipt)
{
    struct order order;
    order_submit(&order, mailbox, body_of(text));
    order_wait(&order, mailbox);
    ck_assert(order.submission.stored);
    if (receipt != NULL)
        *receipt = order.submission.receipt;
    batch_free(order.submission.batch);
    return order.submission.duplicate;
}

static void engine_again(void)
{
    engine_close(engine);
    engine_up();
}

#define EVENT_A "{\"timestamp\":\"2024-01-01T00:00:00.001Z\",\"n\":1}"
#define EVENT_B "{\"timestamp\":\"2024-01-01T00:00:00.002Z\",\"n\":2}"
#define EVENT_C "{\"timestamp\":\"2024-01-01T00:00:00.003Z\",\"n\":3}"
#define BODY(events) "{\"events\":[" events "]}"

START_TEST(engine_stores_a_body_sent_again_once)
{
    ck_assert_uint_eq(send_body(BODY(EVENT_A "," EVENT_B), NULL), 0);
    ck_assert_uint_eq(send_body(BODY(EVENT_A "," EVENT_B), NULL), 2);
    ck_assert_uint_eq(send_body(BODY(EVENT_A "," EVENT_B "," EVENT_C), NULL), 2);
    ck_assert_uint_eq(send_body(BODY(EVENT_A), NULL), 1);
    engine_again();
    ck_assert_uint_eq(send_body(BODY(EVENT_A "," EVENT_B "," EVENT_C), NULL), 3);
    ck_assert_uint_eq(send_body(BODY(EVENT_A "," EVENT_B), NULL), 2);
    /* Not a prefix: its first event is another. */
    ck_assert_uint_eq(send_body(BODY(EVENT_B "," EVENT_C), NULL), 0);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 5);
}
END_TEST

START_TEST(engine_tells_equal_bodies_of_one_group_apart)
{
    struct order orders[2];
    shell_run("BEGIN IMMEDIATE");
    for (int i = 0; i < 2; i++)
        order_submit(&orders[i], mailbox, body_of(BODY(EVENT_A "," EVENT_B)));
    shell_run("COMMIT");
    for (int i = 0; i < 2; i++) {
        order_wait(&orders[i], mailbox);
        ck_assert_uint_eq(orders[i].submission.duplicate, i == 0 ? 0 : 2);
        batch_free(orders[i].submission.batch);
    }
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 2);
}
END_TEST

START_TEST(engine_stores_bursts_unless_their_answer_was_lost)
{
    static const char burst[] = BODY(EVENT_A "," EVENT_A);
    uint64_t receipt;
    ck_assert_uint_eq(send_body(burst, &receipt), 0);
    ck_assert(receipt != 0);
    ck_assert_uint_eq(send_body(burst, &receipt), 0);
    engine_lost(engine, receipt);
    ck_assert_uint_eq(send_body(burst, NULL), 2);
    ck_assert_uint_eq(send_body(burst, NULL), 0);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 6);
    /* Perhaps the rest of a burst that was cut into batches. */
    ck_assert_uint_eq(send_body(BODY(EVENT_A), &receipt), 0);
    ck_assert(receipt == 0);
}
END_TEST

START_TEST(engine_forgets_receipts_of_what_was_not_committed)
{
    struct order order;
    shell_run("BEGIN IMMEDIATE");
    order_submit(&order, mailbox, body_of(BODY(EVENT_A)));
    while (engine_healthy(engine))
        (void)poll(NULL, 0, 1);
    while (!engine_withdraw(engine, &order.submission))
        (void)poll(NULL, 0, 1);
    batch_free(order.submission.batch);
    shell_run("COMMIT");
    ck_assert_uint_eq(send_body(BODY(EVENT_A), NULL), 0);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 1);
}
END_TEST

static atomic_bool errands_enough;

/* Lasts until the next one waits. */
static void errand_linger(struct errand *errand)
{
    struct writer *writer = engine->writer;
    bool next = errand->next != NULL;
    while (!next && !atomic_load(&errands_enough)) {
        (void)poll(NULL, 0, 1);
        pthread_mutex_lock(&writer->mutex);
        next = writer->errands != NULL;
        pthread_mutex_unlock(&writer->mutex);
    }
}

static void *errands_main(void *arg)
{
    struct errand errand = {.run = errand_linger};
    (void)arg;
    while (!atomic_load(&errands_enough))
        writer_run(engine->writer, &errand);
    return NULL;
}

START_TEST(engine_commits_while_errands_never_end)
{
    pthread_t threads[2];
    struct order order;
    atomic_store(&errands_enough, false);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, errands_main, NULL), 0);
    for (unsigned i = 1; i <= 20; i++) {
        order_submit(&order, mailbox, batch_of(i, 1, "a"));
        order_wait(&order, mailbox);
        ck_assert(order.submission.stored);
        batch_free(order.submission.batch);
    }
    atomic_store(&errands_enough, true);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* Lasts until errands_enough, a signal of life by SQLite in between when told to. */
static atomic_bool errand_has_begun;

static void errand_stick(struct errand *errand)
{
    (void)errand;
    atomic_store(&errand_has_begun, true);
    while (!atomic_load(&errands_enough))
        (void)poll(NULL, 0, 1);
}

static void *stick_main(void *arg)
{
    struct errand errand = {.run = errand_stick};
    (void)arg;
    writer_run(engine->writer, &errand);
    return NULL;
}

/* Asked until it says yes. */
static void await_beat(void)
{
    while (!engine_beat(engine))
        (void)poll(NULL, 0, 1);
}

START_TEST(engine_beats_unless_the_writer_is_stuck)
{
    pthread_t thread;
    atomic_store(&errands_enough, false);
    atomic_store(&errand_has_begun, false);
    ck_assert(engine_beat(engine));
    await_beat(); /* idle */
    ck_assert_int_eq(pthread_create(&thread, NULL, stick_main, NULL), 0);
    while (!atomic_load(&errand_has_begun))
        (void)poll(NULL, 0, 1);
    (void)engine_beat(engine);
    for (int i = 0; i < 20; i++) {
        (void)poll(NULL, 0, 1);
        ck_assert(!engine_beat(engine));
    }
    /* What a long statement does in the meantime: the writer is at work. */
    engine->store->works(engine->store->works_arg);
    ck_assert(engine_beat(engine));
    ck_assert(!engine_beat(engine));
    atomic_store(&errands_enough, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    await_beat();
}
END_TEST

START_TEST(engine_beats_while_a_commit_is_tried_again)
{
    struct order order;
    shell_run("BEGIN IMMEDIATE");
    order_submit(&order, mailbox, batch_of(1, 1, "a"));
    while (engine_healthy(engine))
        (void)poll(NULL, 0, 1);
    (void)engine_beat(engine);
    for (int i = 0; i < 3; i++)
        await_beat();
    ck_assert(!engine_healthy(engine));
    shell_run("COMMIT");
    order_wait(&order, mailbox);
    batch_free(order.submission.batch);
    ck_assert_uint_eq(engine_taken(engine), 1);
}
END_TEST

/* A statement of a second or so on the writer's thread, and nothing else. */
static atomic_uint works_count;

static void works_counted(void *arg)
{
    (void)arg;
    atomic_fetch_add(&works_count, 1);
}

START_TEST(engine_hears_of_work_within_a_long_statement)
{
    struct error err = {""};
    atomic_store(&works_count, 0);
    (void)send_body(BODY(EVENT_A), NULL);
    shell_run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
              "INSERT INTO rejects(received, reason, event) SELECT i, 'why', x'00' FROM n");
    store_on_work(engine->store, works_counted, NULL);
    ck_assert_int_eq(slices_rewrite(engine->writer, &err), STORE_OK);
    store_on_work(engine->store, NULL, NULL);
    ck_assert_uint_gt(atomic_load(&works_count), 0);
}
END_TEST

#define OF_ANN(n) "{\"timestamp\":\"2026-11-21T04:00:00.000Z\",\"userId\":\"ann\",\"n\":" n "}"

static const struct forget_who ann = {.id = "ann", .len = 3};

/* Says once that it is to stop, as a client that took too long to listen does. */
static int stop_at_receipts(void *arg, const char *what, int64_t done, int64_t total)
{
    bool *said = arg;
    (void)done;
    (void)total;
    if (*said || strcmp(what, "receipts") != 0)
        return 0;
    *said = true;
    return 1;
}

START_TEST(engine_erases_nothing_whose_receipts_were_not_looked_through)
{
    struct erasure done;
    struct error err = {""};
    bool said = false;
    const struct progress progress = {stop_at_receipts, &said};
    (void)send_body(BODY(OF_ANN("1")), NULL);
    ck_assert_int_eq(engine_forget(engine, &ann, &progress, &done, &err), STORE_OK);
    ck_assert(said && done.stopped && !done.scrubbed);
    ck_assert_int_eq(done.events, 0);
    ck_assert_int_eq(engine_forget(engine, &ann, NULL, &done, &err), STORE_OK);
    ck_assert_int_eq(done.events, 1);
    ck_assert_int_eq(done.receipts, 1);
    ck_assert_uint_eq(send_body(BODY(OF_ANN("1")), NULL), 0);
}
END_TEST

/* Retries the rejects just before they are looked through. */
static int retry_first(void *arg, const char *what, int64_t done, int64_t total)
{
    int64_t *stored = arg;
    struct chores_rejects out;
    struct error err = {""};
    const struct batch_limits limits = {1 << 20, 512};
    (void)done;
    (void)total;
    if (strcmp(what, "reading rejects") != 0)
        return 0;
    ck_assert_int_eq(engine_retry_rejects(engine, NULL, 0, &limits, NULL, &out, &err), STORE_OK);
    *stored += out.stored;
    return 0;
}

START_TEST(engine_forgets_a_reject_that_becomes_an_event_meanwhile)
{
    struct erasure done;
    struct error err = {""};
    int64_t stored = 0;
    const struct progress progress = {retry_first, &stored};
    shell_run("INSERT INTO rejects(received, reason, event) VALUES (1, 'r', CAST('" OF_ANN(
        "2") "' AS BLOB))");
    ck_assert_int_eq(engine_forget(engine, &ann, &progress, &done, &err), STORE_OK);
    ck_assert_int_eq(stored, 1);
    ck_assert_int_eq(done.events, 1);
    ck_assert_int_eq(shell_number("SELECT count(*) FROM events"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tcase = tcase_create("engine");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, engine_answers_after_the_commit);
    tcase_add_test(tcase, engine_answers_each_of_many_submitters);
    tcase_add_test(tcase, engine_tries_again_until_the_database_is_free);
    tcase_add_test(tcase, engine_makes_room_by_putting_the_wal_back_while_commits_fail);
    tcase_add_test(tcase, engine_gives_back_what_it_can_not_commit);
    tcase_add_test(tcase, engine_has_no_room_while_its_queue_is_full);
    tcase_add_test(tcase, engine_puts_a_culprit_aside_and_stores_the_rest_of_the_group);
    tcase_add_test(tcase, engine_that_closes_says_of_each_batch_whether_it_was_stored);
    tcase_add_test(tcase, engine_stores_a_body_sent_again_once);
    tcase_add_test(tcase, engine_tells_equal_bodies_of_one_group_apart);
    tcase_add_test(tcase, engine_stores_bursts_unless_their_answer_was_lost);
    tcase_add_test(tcase, engine_forgets_receipts_of_what_was_not_committed);
    tcase_add_test(tcase, engine_commits_while_errands_never_end);
    tcase_add_test(tcase, engine_beats_unless_the_writer_is_stuck);
    tcase_add_test(tcase, engine_beats_while_a_commit_is_tried_again);
    tcase_add_test(tcase, engine_hears_of_work_within_a_long_statement);
    tcase_add_test(tcase, engine_erases_nothing_whose_receipts_were_not_looked_through);
    tcase_add_test(tcase, engine_forgets_a_reject_that_becomes_an_event_meanwhile);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
