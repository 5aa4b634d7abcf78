/* The WAL goes back into the database in parts: what is on the disk meanwhile, and how long it
 * gets.
 */

#include <sqlite3.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "contract/batch.h"
#include "folder.h"
#include "store/store.h"

#define PAGE 8192
#define FRAME (PAGE + 24)
#define PART (256 * FRAME)   /* of the WAL, after which a part of it is put back, */
#define WHOLE (4000 * FRAME) /* and all of it */
#define SLACK (64 * FRAME)   /* for the commit that reaches over either */

static struct folder folder;
static char database[PATH_MAX], wal[PATH_MAX];
static struct store *store;
static struct uuid_source uuids;
static int64_t appended;

/* SQLite flushes by these: the C library's are not asked. */
static bool flush_fails; /* of the database, once */

static int flush(int file, long number)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    if (flush_fails && strcmp(path, database) == 0) {
        flush_fails = false;
        errno = EIO;
        return -1;
    }
    return (int)syscall(number, file);
}

int fsync(int file)
{
    return flush(file, SYS_fsync);
}

int fdatasync(int file)
{
    return flush(file, SYS_fdatasync);
}

static void store_up(const char *path, enum store_synchronous synchronous)
{
    struct error err = {""};
    const struct store_options options = {.database = path, .synchronous = synchronous};
    int status = store_open(&store, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
}

static void setup(void)
{
    folder_make(&folder);
    folder_file(&folder, database, "t.db");
    folder_file(&folder, wal, "t.db-wal");
    uuid_source_init(&uuids);
    appended = 0;
    store_up(database, STORE_SYNC_OFF);
}

static void store_down(void)
{
    store_close(store);
    store = NULL;
}

static void teardown(void)
{
    store_down();
    folder_remove(&folder);
}

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : 0;
}

/* A commit of some twenty pages. */
static void append_only(void)
{
    static char text[128 << 10];
    static const struct batch_limits limits = {1 << 20, 512};
    static const struct store_receipts no_receipts;
    struct store_item item = {.batch = NULL};
    struct error err = {""};
    int len =
        snprintf(text, sizeof text,
                 "{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00Z\",\"x\":\"%0120000d\"}]}",
                 (int)appended);
    ck_assert_int_eq(batch_read(text, (size_t)len, &limits, &uuids, NULL, 0, &item.batch, &err),
                     BATCH_OK);
    ck_assert_msg(store_append(store, &item, 1, &no_receipts, &err) == STORE_OK, "%s", err.text);
    batch_free(item.batch);
    appended++;
}

/* The same, and what the writer does behind it. */
static void append(void)
{
    append_only();
    (void)store_tend(store, false, clock_wall_ms());
}

/* How often all of the WAL has been put back. */
static int64_t times_put_back(void)
{
    struct store_checkpoints checkpoints;
    store_look_checkpoints(store, &checkpoints);
    return checkpoints.done;
}

static int64_t count_of(struct store *counted)
{
    struct store_reader *reader;
    struct store_survey survey;
    ck_assert_int_eq(store_reader_open(counted, &reader, NULL), STORE_OK);
    ck_assert_int_eq(store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, NULL), STORE_OK);
    store_reader_close(reader);
    return survey.total;
}

/* The WAL's header, whose salt is another one each time it begins anew. */
static void read_header(char header[32])
{
    int file = open(wal, O_RDONLY);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(read(file, header, 32), 32);
    close(file);
}

/* Appends until the WAL begins anew, or is longer than most. Returns its size before that. */
static int64_t append_until_anew(int64_t most)
{
    char before[32], now[32];
    int64_t size = size_of(wal), last = 0;
    append();
    read_header(before);
    do {
        last = size;
        append();
        size = size_of(wal);
        read_header(now);
    } while (memcmp(before, now, sizeof now) == 0 && size <= most);
    return memcmp(before, now, sizeof now) == 0 ? size : last;
}

/* Copies a file of the folder. Not in this process, where closing it would cost SQLite its locks.
 */
static void copy(const char *from, const char *to)
{
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "cp '%s/%s' '%s/%s'", folder.path, from, folder.path, to);
    ck_assert_int_eq(system(command), 0);
}

/* All events are there, and all of the database. */
static void verify(void)
{
    static const char *const questions[] = {"SELECT count(*) FROM events NOT INDEXED",
                                            "PRAGMA integrity_check"};
    char count[24];
    snprintf(count, sizeof count, "%lld", (long long)appended);
    const char *const answers[] = {count, "ok"};
    sqlite3 *shell;
    ck_assert_int_eq(count_of(store), appended);
    ck_assert_int_eq(sqlite3_open(database, &shell), SQLITE_OK);
    for (unsigned i = 0; i < 2; i++) {
        sqlite3_stmt *statement;
        ck_assert_int_eq(sqlite3_prepare_v2(shell, questions[i], -1, &statement, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
        ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), answers[i]);
        sqlite3_finalize(statement);
    }
    sqlite3_close(shell);
}

/* Starts on the WAL and on the database as it was when it was copied to old.db: nothing that was
 * put back since is there. */
static void store_up_on_old(enum store_synchronous synchronous)
{
    copy("old.db", "t.db");
    store_up(database, synchronous);
    verify();
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
    verify();
}

START_TEST(checkpoint_puts_the_wal_back_in_parts)
{
    int64_t size = size_of(database), parts = 0;
    while (size_of(wal) < WHOLE - SLACK) {
        append();
        int64_t now = size_of(database);
        if (now != size) {
            parts++;
            ck_assert_int_lt(now,
                             size_of(wal) - PART + SLACK); /* the newest one is not there yet */
        }
        size = now;
    }
    ck_assert_int_ge(parts, 12);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_le(append_until_anew(WHOLE + SLACK), WHOLE + SLACK);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
    ck_assert_int_eq(count_of(store), appended);
}
END_TEST

/* Until the WAL begins anew, it alone makes up for whatever of the database never came to the disk.
 */
START_TEST(checkpoint_of_a_part_need_not_have_reached_the_disk)
{
    (void)append_until_anew(WHOLE + SLACK);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    copy("t.db", "old.db");
    int64_t size = size_of(database);
    while (size_of(wal) < WHOLE / 2)
        append();
    ck_assert_int_gt(size_of(database), size);
    copy("t.db-wal", "old.db-wal");
    store_down();
    copy("old.db-wal", "t.db-wal");
    store_up_on_old(STORE_SYNC_OFF);
}
END_TEST

START_TEST(checkpoint_goes_round_a_reader_and_makes_up_for_it)
{
    sqlite3 *reader;
    append();
    ck_assert_int_eq(sqlite3_open(database, &reader), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_gt(append_until_anew(2 * WHOLE), 2 * WHOLE); /* it can't begin anew */
    ck_assert_int_eq(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_le(append_until_anew(4 * WHOLE), 3 * WHOLE + 2 * SLACK);
    sqlite3_close(reader);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
    ck_assert_int_eq(count_of(store), appended);
}
END_TEST

static sqlite3 *shell_up(void)
{
    sqlite3 *shell;
    ck_assert_int_eq(sqlite3_open(database, &shell), SQLITE_OK);
    return shell;
}

static void shell_run(sqlite3 *shell, const char *sql)
{
    ck_assert_int_eq(sqlite3_exec(shell, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* With two that take turns there is always one that reads what is newest: all is put back, but the
 * WAL is gone on with. That is no reason to flush the database with each commit. */
START_TEST(checkpoint_of_all_that_readers_keep_from_beginning_anew_is_not_due_at_once)
{
    sqlite3 *shells[2] = {shell_up(), shell_up()};
    for (unsigned i = 0; size_of(wal) < 3 * WHOLE; i++) {
        append_only();
        shell_run(shells[i % 2], "BEGIN; SELECT count(*) FROM events");
        if (i > 0)
            shell_run(shells[(i + 1) % 2], "COMMIT");
        (void)store_tend(store, false, clock_wall_ms());
    }
    ck_assert_int_ge(times_put_back(), 1);
    ck_assert_int_le(times_put_back(), 3);
    sqlite3_close(shells[0]);
    sqlite3_close(shells[1]);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
}
END_TEST

START_TEST(checkpoint_of_all_without_a_commit_behind_it_is_emptied_once_idle)
{
    while (times_put_back() == 0)
        append();
    ck_assert_int_ge(size_of(wal), WHOLE - SLACK);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
}
END_TEST

/* --- readers of this process that leave no gap ------------------------------------------------ */

#define READERS 3

static atomic_bool over;
static atomic_uint walks, heavy; /* heavy: how often each row is gone over */

/* All of it, as it was at one moment, newest first. */
struct walk_down {
    struct range_place last;
    int64_t rows;
    bool wrong;
    unsigned sum;
};

static int walk_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct walk_down *walk = arg;
    walk->wrong = walk->wrong || (walk->rows > 0 && place.seq != walk->last.seq - 1);
    walk->last = place;
    walk->rows++;
    for (unsigned n = atomic_load(&heavy); n > 0; n--) /* takes its time */
        for (size_t i = 0; i < len; i++)
            walk->sum = walk->sum * 31 + (unsigned char)text[i];
    return 0;
}

static void *walk_round(void *arg)
{
    struct store_reader *reader;
    bool wrong = store_reader_open(store, &reader, NULL) != STORE_OK;
    (void)arg;
    while (!wrong && !atomic_load(&over)) {
        struct walk_down walk = {.rows = 0};
        struct store_survey survey;
        bool more = true;
        wrong = store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, NULL) != STORE_OK ||
                store_page(reader, INT64_MIN, survey.max_seq, survey.start, walk_row, &walk, &more,
                           NULL) != STORE_OK ||
                more || walk.wrong || walk.rows != survey.total;
        atomic_fetch_add(&walks, 1);
    }
    store_reader_close(reader);
    return wrong ? &over : NULL;
}

START_TEST(checkpoint_begins_the_wal_anew_whatever_our_own_readers_do)
{
    pthread_t threads[READERS];
    int64_t longest = 0;
    atomic_store(&over, false);
    atomic_store(&heavy, 1);
    while (size_of(wal) < WHOLE / 2)
        append();
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, walk_round, NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        int64_t size = append_until_anew(6 * WHOLE);
        longest = size > longest ? size : longest;
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < READERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_ge(atomic_load(&walks), READERS);
    /* Twice the length, or once more should the machine have had no time for one of them. */
    ck_assert_int_le(longest, 3 * WHOLE + SLACK);
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    ck_assert_int_eq(size_of(wal), 0);
    verify();
}
END_TEST

/* As when somebody is forgotten, though each of them takes longer than others are waited for. */
START_TEST(checkpoint_empties_the_wal_whatever_our_own_readers_do)
{
    pthread_t threads[READERS];
    struct error err = {""};
    int status = STORE_BUSY;
    atomic_store(&over, false);
    atomic_store(&heavy, 10);
    while (size_of(wal) < WHOLE / 2)
        append();
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, walk_round, NULL), 0);
    while (atomic_load(&walks) == 0)
        sched_yield();
    for (unsigned i = 0; i < 2 && status != STORE_OK; i++)
        status = store_scrub(store, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    atomic_store(&over, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    verify();
}
END_TEST

/* The system tells once that it could not write, and takes what it dropped for written. */
static void drop_what_was_put_back(void)
{
    append();
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    copy("t.db", "old.db");
    flush_fails = true;
    ck_assert_int_gt(append_until_anew(3 * WHOLE / 2), 3 * WHOLE / 2);
    ck_assert(!flush_fails);
    copy("old.db", "t.db");
}

START_TEST(checkpoint_whose_flush_fails_leaves_all_to_the_wal)
{
    store_down();
    store_up(database, STORE_SYNC_FULL);
    drop_what_was_put_back();
    verify(); /* read from the WAL, parts long put back included */
    copy("t.db-wal", "old.db-wal");
    store_down();
    copy("old.db-wal", "t.db-wal");
    store_up_on_old(STORE_SYNC_FULL);
}
END_TEST

START_TEST(checkpoint_whose_flush_fails_is_made_anew_by_itself)
{
    store_down();
    store_up(database, STORE_SYNC_FULL);
    drop_what_was_put_back();
    while (store_tend(store, true, clock_wall_ms())) /* a second or so */
        verify();
    ck_assert_int_eq(size_of(wal), 0);
    verify();
    (void)append_until_anew(WHOLE + SLACK); /* as ever */
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    verify();
}
END_TEST

/* A program that has the database open keeps what SQLite has noted of the run before. */
START_TEST(checkpoint_at_the_start_trusts_nobody)
{
    sqlite3 *other;
    store_down();
    store_up(database, STORE_SYNC_FULL);
    append();
    ck_assert(!store_tend(store, true, clock_wall_ms()));
    copy("t.db", "old.db");
    while (size_of(wal) < WHOLE / 2)
        append();
    ck_assert_int_eq(sqlite3_open(database, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "SELECT count(*) FROM events", NULL, NULL, NULL),
                     SQLITE_OK);
    flush_fails = true; /* at the end, when nobody tries again */
    store_down();
    ck_assert(!flush_fails);
    store_up_on_old(STORE_SYNC_FULL);
    sqlite3_close(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tcase = tcase_create("checkpoint");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, checkpoint_puts_the_wal_back_in_parts);
    tcase_add_test(tcase, checkpoint_of_a_part_need_not_have_reached_the_disk);
    tcase_add_test(tcase, checkpoint_whose_flush_fails_leaves_all_to_the_wal);
    tcase_add_test(tcase, checkpoint_whose_flush_fails_is_made_anew_by_itself);
    tcase_add_test(tcase, checkpoint_at_the_start_trusts_nobody);
    tcase_add_test(tcase, checkpoint_goes_round_a_reader_and_makes_up_for_it);
    tcase_add_test(tcase,
                   checkpoint_of_all_that_readers_keep_from_beginning_anew_is_not_due_at_once);
    tcase_add_test(tcase, checkpoint_of_all_without_a_commit_behind_it_is_emptied_once_idle);
    tcase_add_test(tcase, checkpoint_begins_the_wal_anew_whatever_our_own_readers_do);
    tcase_add_test(tcase, checkpoint_empties_the_wal_whatever_our_own_readers_do);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
