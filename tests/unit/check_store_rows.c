/* Readers of a file alone, and their pages up, down, by seq and of rejects, against plain arrays.
 */

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "contract/timestamp.h"
#include "dice.h"
#include "store_run.h"

enum { EVENTS = 700, TIMES = 40 };

struct known {
    int64_t ts, seq;
};

static struct store_reader *reader;
static struct known known[EVENTS]; /* in the order of seq */

static void append(const char *text)
{
    struct error err = {""};
    struct store_item item = {.batch = batch_of(text, strlen(text))};
    ck_assert_msg(store_append(store, &item, 1, &no_receipts, &err) == STORE_OK, "%s", err.text);
    batch_free(item.batch);
}

static void setup(void)
{
    store_run_begin("a b%?#.db", 100, 100000);
}

static void teardown(void)
{
    store_reader_close(reader);
    reader = NULL;
    store_run_end();
}

/* Events of few times, some before 1970, in one commit each. */
static void fill(struct dice *dice)
{
    for (size_t i = 0; i < EVENTS; i++) {
        char stamp[TIMESTAMP_SIZE], text[100];
        known[i] = (struct known){(int64_t)dice_roll(dice, TIMES) - TIMES / 2, (int64_t)i + 1};
        timestamp_format(stamp, known[i].ts);
        snprintf(text, sizeof text, "{\"events\":[{\"timestamp\":\"%s\"}]}", stamp);
        append(text);
    }
}

static bool humble; /* whoever looks is not root, who may write everywhere */

/* A process of its own reads, as in life: this one has the file open. The child's verdict. */
static int look(char *words, size_t size)
{
    struct error err = {""};
    int pipes[2], status, code = -1;
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        if (humble && geteuid() == 0 && setuid(65534) != 0)
            _exit(98);
        struct store_reader *own = NULL;
        struct store_survey survey = {0};
        code = store_reader_open_file(database, &own, &err);
        if (code == STORE_OK)
            code = store_survey(own, INT64_MIN, INT64_MAX, 0, &survey, &err);
        if (code == STORE_OK)
            error_set(&err, "%lld", (long long)survey.total);
        store_reader_close(own);
        _exit(write(pipes[1], err.text, strlen(err.text) + 1) > 0 ? -code : 99);
    }
    close(pipes[1]);
    ssize_t len = read(pipes[0], words, size);
    close(pipes[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_gt(len, 0);
    return -WEXITSTATUS(status);
}

struct walk {
    const struct known *next;
    int step; /* to the one behind it */
    int64_t first, last, max_seq;
    size_t rows, most;
    struct known at;
};

static bool walk_holds(const struct walk *walk, const struct known *event)
{
    return event->ts >= walk->first && event->ts <= walk->last && event->seq <= walk->max_seq;
}

static int walk_row(void *arg, const struct store_row *row)
{
    struct walk *walk = arg;
    while (walk->next >= known && walk->next < known + EVENTS && !walk_holds(walk, walk->next))
        walk->next += walk->step;
    ck_assert(walk->next >= known && walk->next < known + EVENTS);
    ck_assert_int_eq(row->place.seq, walk->next->seq);
    ck_assert_int_eq(row->place.ts, walk->next->ts);
    ck_assert_int_eq(row->received, STORE_RUN_RECEIVED);
    ck_assert_uint_eq(row->len, strlen(row->text));
    walk->at = *walk->next;
    walk->next += walk->step;
    walk->rows++;
    return --walk->most == 0;
}

static size_t walk_count(const struct walk *walk)
{
    size_t count = 0;
    for (size_t i = 0; i < EVENTS; i++)
        count += walk_holds(walk, &known[i]);
    return count;
}

static int by_time(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

START_TEST(store_rows_come_by_seq_from_where_one_was)
{
    struct dice dice = dice_new();
    bool more = true;
    fill(&dice);
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    struct walk walk = {.next = known + 100,
                        .step = 1,
                        .first = INT64_MIN,
                        .last = INT64_MAX,
                        .max_seq = EVENTS - 50};
    walk.at.seq = 100;
    while (more) {
        walk.most = 1 + dice_roll(&dice, 200);
        ck_assert_int_eq(
            store_page_seq(reader, walk.at.seq, walk.max_seq, walk_row, &walk, &more, NULL),
            STORE_OK);
    }
    ck_assert_uint_eq(walk.rows, EVENTS - 150);
    int64_t seq = -1;
    ck_assert_int_eq(store_seq_back(reader, 0, &seq, NULL), STORE_OK);
    ck_assert_int_eq(seq, EVENTS);
    ck_assert_int_eq(store_seq_back(reader, 30, &seq, NULL), STORE_OK);
    ck_assert_int_eq(seq, EVENTS - 30);
    ck_assert_int_eq(store_seq_back(reader, EVENTS, &seq, NULL), STORE_OK);
    ck_assert_int_eq(seq, 0);
}
END_TEST

START_TEST(store_rows_come_up_and_down_in_the_order_of_time)
{
    struct dice dice = dice_new();
    fill(&dice);
    qsort(known, EVENTS, sizeof *known, by_time);
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    for (int round = 0; round < 100; round++) {
        bool more = true, up = round % 2 == 0, open = round < 10;
        struct walk walk = {.next = up ? known : known + EVENTS - 1,
                            .step = up ? 1 : -1,
                            .max_seq = (int64_t)dice_roll(&dice, EVENTS + 20)};
        walk.first = open ? INT64_MIN : (int64_t)dice_roll(&dice, TIMES) - TIMES / 2;
        walk.last = open ? INT64_MAX : (int64_t)dice_roll(&dice, TIMES) - TIMES / 2;
        walk.at = up ? (struct known){walk.first, 0} : (struct known){walk.last, INT64_MAX};
        while (more) {
            struct range_place place = {walk.at.ts, walk.at.seq};
            walk.most = 1 + dice_roll(&dice, 200);
            ck_assert_int_eq(up ? store_page_up(reader, walk.last, walk.max_seq, place, walk_row,
                                                &walk, &more, NULL)
                                : store_page_down(reader, walk.first, walk.max_seq, place, walk_row,
                                                  &walk, &more, NULL),
                             STORE_OK);
        }
        ck_assert_uint_eq(walk.rows, walk_count(&walk));
    }
}
END_TEST

/* The first column of the first row, by a connection of its own. */
static int64_t shell_number(const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}

static int reject_row(void *arg, const struct store_reject *reject)
{
    int64_t *last = arg;
    ck_assert_int_eq(reject->n, *last + 1);
    ck_assert_int_eq(reject->received, STORE_RUN_RECEIVED);
    ck_assert_str_eq(reject->reason, "not an object");
    ck_assert_uint_eq(reject->len, 2);
    ck_assert(reject->text[0] == '1' && reject->text[1] == '0' + reject->n);
    *last = reject->n;
    return reject->n % 2 == 0;
}

START_TEST(store_rejects_come_by_number)
{
    int64_t last = 0;
    bool more = true;
    int pages = 0;
    append("{\"events\":[11,12,13,14,15]}");
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    for (; more; pages++)
        ck_assert_int_eq(store_page_rejects(reader, last, reject_row, &last, &more, NULL),
                         STORE_OK);
    ck_assert_int_eq(last, 5);
    ck_assert_int_eq(pages, 3);
}
END_TEST

static struct batch *one_event(const char *text)
{
    struct batch *batch = NULL;
    const struct batch_limits limits = {1 << 20, 512};
    ck_assert_int_eq(
        batch_read(text, strlen(text), &limits, &uuids, NULL, STORE_RUN_RECEIVED, &batch, NULL),
        BATCH_OK);
    return batch;
}

START_TEST(store_retries_a_reject_only_while_it_is_the_same)
{
    static const char event[] = "{\"events\":[{\"timestamp\":\"2024-01-01\"}]}";
    append("{\"events\":[11,12,13,14]}");
    struct store_retry retries[] = {
        {.n = 1, .received = STORE_RUN_RECEIVED, .text = "11", .len = 2, .batch = one_event(event)},
        {.n = 2, .received = STORE_RUN_RECEIVED, .text = "1x", .len = 2, .batch = one_event(event)},
        {.n = 3, .received = 778, .text = "13", .len = 2, .batch = one_event(event)},
        {.n = 4, .received = STORE_RUN_RECEIVED, .text = "14", .len = 2, .reason = "another"},
        {.n = 5, .received = STORE_RUN_RECEIVED, .text = "15", .len = 2, .reason = "none"},
    };
    static const enum store_retried outcomes[] = {
        STORE_RETRY_STORED, STORE_RETRY_GONE, STORE_RETRY_GONE, STORE_RETRY_KEPT, STORE_RETRY_GONE};
    struct store_state state;
    ck_assert_int_eq(store_retry_rejects(store, retries, 5, NULL), STORE_OK);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(retries[i].outcome, outcomes[i]);
        batch_free(retries[i].batch);
    }
    store_look(store, &state);
    ck_assert_int_eq(state.total, 1);
    ck_assert_int_eq(shell_number("SELECT group_concat(n, '') + 0 FROM rejects"), 234);
    ck_assert_int_eq(shell_number("SELECT n FROM rejects WHERE reason = 'another'"), 4);
    ck_assert_int_eq(shell_number("SELECT sum(events) FROM tally_day"), 1);
}
END_TEST

START_TEST(store_file_is_read_with_a_daemon_and_without)
{
    char words[sizeof(struct error)];
    append("{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00Z\"}]}");
    ck_assert_int_eq(look(words, sizeof words), STORE_OK);
    ck_assert_str_eq(words, "1");
    append("{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00Z\"}]}");
    ck_assert_int_eq(look(words, sizeof words), STORE_OK);
    ck_assert_str_eq(words, "2");
    store_close(store);
    store = NULL;
    ck_assert_int_eq(look(words, sizeof words), STORE_OK);
    ck_assert_str_eq(words, "2");
}
END_TEST

START_TEST(store_file_is_read_where_nothing_can_be_written)
{
    char words[sizeof(struct error)];
    append("{\"events\":[{\"timestamp\":\"2024-01-01T00:00:00Z\"}]}");
    store_close(store);
    store = NULL;
    ck_assert_int_eq(chmod(database, 0444), 0);
    ck_assert_int_eq(chmod(folder.path, 0555), 0);
    humble = true;
    int status = look(words, sizeof words);
    humble = false;
    ck_assert_int_eq(chmod(folder.path, 0700), 0);
    ck_assert_int_eq(status, STORE_OK);
    ck_assert_str_eq(words, "1");
}
END_TEST

static void shell(const char *sql)
{
    sqlite3 *handle;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static const struct {
    const char *sql;  /* done to the file first; NULL: see content */
    const char *text; /* the whole file; NULL: there is none */
    const char *words;
} refused[] = {
    {"PRAGMA user_version = 99", NULL, "newer beacond"},
    {"PRAGMA user_version = 0", NULL, "no beacond has used it"},
    {"PRAGMA application_id = 1", NULL, "another program's"},
    {"DROP TABLE meta", NULL, "damaged"},
    {NULL, "", "no beacond has used it"},
    {NULL,
     "no database at all, though long enough to hold the header of one: that takes a hundred "
     "bytes, and these are more",
     "no SQLite database"},
    {NULL, NULL, "no such database"},
};

START_TEST(store_file_that_is_not_ours_is_refused_with_the_reason)
{
    char words[sizeof(struct error)];
    store_close(store);
    store = NULL;
    if (refused[_i].sql != NULL) {
        shell(refused[_i].sql);
    } else {
        ck_assert_int_eq(unlink(database), 0);
        int fd = refused[_i].text == NULL ? -1 : open(database, O_CREAT | O_WRONLY, 0600);
        if (fd >= 0) {
            ssize_t len = (ssize_t)strlen(refused[_i].text);
            ck_assert_int_eq(write(fd, refused[_i].text, (size_t)len), len);
            close(fd);
        }
    }
    ck_assert_int_eq(look(words, sizeof words), STORE_UNFIT);
    ck_assert_msg(strstr(words, refused[_i].words) != NULL, "%s", words);
    ck_assert_ptr_nonnull(strstr(words, database));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_rows");
    TCase *tcase = tcase_create("store_rows");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, store_rows_come_by_seq_from_where_one_was);
    tcase_add_test(tcase, store_rows_come_up_and_down_in_the_order_of_time);
    tcase_add_test(tcase, store_rejects_come_by_number);
    tcase_add_test(tcase, store_retries_a_reject_only_while_it_is_the_same);
    tcase_add_test(tcase, store_file_is_read_with_a_daemon_and_without);
    tcase_add_test(tcase, store_file_is_read_where_nothing_can_be_written);
    tcase_add_loop_test(tcase, store_file_that_is_not_ours_is_refused_with_the_reason, 0,
                        sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
