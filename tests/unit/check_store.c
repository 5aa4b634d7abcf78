/* The SQLite store on real files, against a plain array that is sorted and counted. */

#include <sqlite3.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "contract/timestamp.h"
#include "dice.h"
#include "store/step.h"
#include "store_run.h"

static void setup(void)
{
    store_run_begin("t.db", 10, 1000);
}

static void teardown(void)
{
    store_run_end();
}

static struct store_item append_text(const char *text)
{
    struct error err = {""};
    struct store_item item = {.batch = batch_of(text, strlen(text))};
    int status = store_append(store, &item, 1, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    batch_free(item.batch);
    return item;
}

/* Runs SQL as a person with the sqlite3 shell would: on a connection of its own. */
static int64_t shell(const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int64_t number = 0;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}

static int64_t total_of(int64_t since, int64_t until)
{
    struct store_reader *reader;
    struct store_survey survey;
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    ck_assert_int_eq(store_survey(reader, since, until, 0, &survey, NULL), STORE_OK);
    store_reader_close(reader);
    if (since == INT64_MIN && until == INT64_MAX) {
        struct store_state state;
        store_look(store, &state);
        ck_assert_int_eq(state.total, survey.total);
    }
    return survey.total;
}

START_TEST(store_keeps_what_was_appended_across_a_close)
{
    struct store_item item = append_text(
        "{\"events\":[{\"timestamp\":\"2024-03-15T10:23:45.123Z\",\"a\":19.90},{\"timestamp\":"
        "\"2024-03-15T10:23:45.124Z\"},7]}");
    ck_assert_uint_eq(item.saved, 2);
    ck_assert_uint_eq(item.duplicate, 0);
    store_close(store);
    store_up();
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM rejects WHERE reason = 'not an object'"), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM event_fields WHERE event LIKE '%\"a\":19.90}'"),
                     1);
}
END_TEST

START_TEST(store_keeps_a_given_id_and_time_once)
{
    static const char text[] =
        "{\"events\":[{\"id\":\"a\",\"timestamp\":\"2024-03-15T10:00:00Z\",\"n\":1},"
        "{\"id\":\"\\u0061\",\"timestamp\":\"2024-03-15T11:00:00+01:00\",\"n\":2},"
        "{\"id\":\"a\",\"timestamp\":\"2024-03-15T10:00:01Z\"}]}";
    struct store_item first = append_text(text), again = append_text(text);
    ck_assert_uint_eq(first.saved, 3);
    ck_assert_uint_eq(first.duplicate, 1);
    ck_assert_uint_eq(again.saved, 3);
    ck_assert_uint_eq(again.duplicate, 3);
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM events WHERE event LIKE '%\"n\":1%'"), 1);
}
END_TEST

START_TEST(store_rejects_are_bounded_oldest_first)
{
    struct bytes text;
    bytes_init(&text);
    for (int round = 0; round < 5; round++) {
        text.len = 0;
        ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(bytes_append_format(&text, "%s%d", i > 0 ? "," : "", round * 4 + i),
                             0);
        ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
        (void)append_text(text.data);
    }
    ck_assert_int_eq(shell("SELECT count(*) FROM rejects"), 10);
    ck_assert_int_eq(shell("SELECT min(CAST(event AS TEXT) + 0) FROM rejects"), 10);
    text.len = 0;
    ck_assert_int_eq(
        bytes_append_format(&text, "{\"events\":[\"%0999d\",\"%0500d\",\"%0700d\"]}", 0, 0, 0), 0);
    ck_assert_int_eq(bytes_append(&text, "", 1), 0);
    (void)append_text(text.data);
    ck_assert_int_eq(shell("SELECT count(*) FROM rejects"), 1);
    ck_assert_int_eq(shell("SELECT length(event) FROM rejects"), 702);
    bytes_clear(&text);
}
END_TEST

START_TEST(store_never_uses_a_number_twice)
{
    (void)append_text(
        "{\"events\":[{\"timestamp\":\"2024-01-01\"},{\"timestamp\":\"2024-01-01\"}]}");
    ck_assert_int_eq(shell("SELECT max(seq) FROM events"), 2);
    (void)shell("UPDATE meta SET value = 7 WHERE name = 'last_seq'");
    (void)append_text("{\"events\":[{\"timestamp\":\"2024-01-01\"}]}");
    ck_assert_int_eq(shell("SELECT max(seq) FROM events"), 8);
}
END_TEST

START_TEST(store_counts_anew_what_was_changed_behind_its_back)
{
    (void)append_text(
        "{\"events\":[{\"timestamp\":\"2024-01-01\"},{\"timestamp\":\"2023-01-01\"}]}");
    (void)shell("DELETE FROM events WHERE seq = 1");
    (void)shell("INSERT INTO events(ts, received, given, id, event) VALUES (-1, 0, 0, 'x', '{}')");
    (void)append_text("{\"events\":[{\"timestamp\":\"2022-01-01\"}]}");
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 3);
    ck_assert_int_eq(total_of(-1000, -1), 1);
    ck_assert_int_eq(shell("SELECT sum(events) FROM tally_day"), 3);
    ck_assert_int_eq(shell("SELECT at FROM tally_minute ORDER BY at LIMIT 1"), -60000);
}
END_TEST

START_TEST(store_puts_a_refused_event_aside_and_keeps_its_neighbours)
{
    (void)shell("CREATE TRIGGER picky BEFORE INSERT ON events WHEN new.event LIKE '%wicked%' "
                "BEGIN SELECT RAISE(ABORT, 'picky'); END");
    struct error err = {""};
    struct store_item item = {
        .batch = batch_of(
            "{\"events\":[{\"timestamp\":\"2024-01-01\"},{\"timestamp\":\"2024-01-02\","
            "\"wicked\":1},{\"timestamp\":\"2024-01-03\"}]}",
            strlen("{\"events\":[{\"timestamp\":\"2024-01-01\"},{\"timestamp\":\"2024-01-02\","
                   "\"wicked\":1},{\"timestamp\":\"2024-01-03\"}]}"))};
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_REFUSED);
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 0);
    ck_assert_int_eq(store_append_apart(store, &item, &no_receipts, &err), STORE_OK);
    ck_assert_uint_eq(item.saved, 2);
    ck_assert_uint_eq(item.refused, 1);
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 2);
    ck_assert_int_eq(shell("SELECT count(*) FROM rejects WHERE reason LIKE '%picky%' AND "
                           "CAST(event AS TEXT) LIKE '%wicked%'"),
                     1);
    ck_assert_int_eq(shell("SELECT sum(events) FROM tally_second"), 2);
    batch_free(item.batch);
}
END_TEST

START_TEST(store_says_busy_while_another_writes_and_loses_nothing)
{
    sqlite3 *handle;
    struct error err = {""};
    struct store_item item = {
        .batch = batch_of("{\"events\":[{\"timestamp\":\"2024-01-01\"}]}",
                          strlen("{\"events\":[{\"timestamp\":\"2024-01-01\"}]}"))};
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_BUSY);
    ck_assert_int_eq(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_OK);
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 1);
    batch_free(item.batch);
}
END_TEST

/* What store_load_receipts has handed out. */
struct loaded {
    int rows;
    int64_t numbers[4];
    char texts[4][8];
};

static int loaded_row(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    struct loaded *loaded = arg;
    ck_assert_int_eq(at_ms, 100 + row);
    ck_assert(loaded->rows < 4 && len < sizeof loaded->texts[0]);
    memcpy(loaded->texts[loaded->rows], data, len);
    loaded->numbers[loaded->rows++] = row;
    return 0;
}

START_TEST(store_keeps_rows_of_receipts_until_they_are_not_needed)
{
    static const char *const texts[] = {"one", "two", "three"};
    struct loaded loaded = {0};
    struct error err = {""};
    for (int i = 0; i < 3; i++) {
        struct store_item item = {
            .batch = batch_of("{\"events\":[{\"timestamp\":\"2024-01-01\"}]}",
                              strlen("{\"events\":[{\"timestamp\":\"2024-01-01\"}]}"))};
        struct store_receipts receipts = {.row = i + 5,
                                          .at_ms = 105 + i,
                                          .data = texts[i],
                                          .len = strlen(texts[i]),
                                          .before = i == 2 ? 6 : 0};
        ck_assert_int_eq(store_append(store, &item, 1, &receipts, &err), STORE_OK);
        batch_free(item.batch);
    }
    store_close(store);
    store_up();
    ck_assert_int_eq(store_load_receipts(store, loaded_row, &loaded, &err), STORE_OK);
    ck_assert_int_eq(loaded.rows, 2);
    ck_assert_int_eq(loaded.numbers[0], 6);
    ck_assert_str_eq(loaded.texts[0], "two");
    ck_assert_str_eq(loaded.texts[1], "three");
}
END_TEST

START_TEST(store_leaves_known_elements_alone)
{
    struct uuid_source source;
    struct batch *batch = NULL;
    struct error err = {""};
    const struct batch_limits limits = {1 << 20, 512};
    static const unsigned char secret[SIPHASH_KEY_BYTES] = {1};
    static const char text[] =
        "{\"events\":[{\"timestamp\":\"2024-01-01\"},7,{\"timestamp\":\"2024-01-02\"},8]}";
    uuid_source_init(&source);
    ck_assert_int_eq(batch_read(text, sizeof text - 1, &limits, &source, secret, 0, &batch, &err),
                     BATCH_OK);
    struct store_item item = {.batch = batch, .known = 2};
    ck_assert_int_eq(store_append(store, &item, 1, &no_receipts, &err), STORE_OK);
    ck_assert_uint_eq(item.saved, 2);
    ck_assert_uint_eq(item.duplicate, 1);
    ck_assert_int_eq(batch->events[0].seq, 0);
    ck_assert_int_eq(batch->events[1].seq, 1);
    ck_assert_int_eq(total_of(INT64_MIN, INT64_MAX), 1);
    ck_assert_int_eq(shell("SELECT count(*) FROM rejects"), 1);
    ck_assert_int_eq(shell("SELECT CAST(event AS TEXT) + 0 FROM rejects"), 8);
    batch_free(batch);
}
END_TEST

START_TEST(store_is_not_opened_twice)
{
    struct store *second = NULL;
    struct error err = {""};
    char who[32];
    ck_assert_int_eq(store_open(&second, &options, &err), STORE_HELD);
    snprintf(who, sizeof who, "process %ld", (long)getpid());
    ck_assert_ptr_nonnull(strstr(err.text, who));
}
END_TEST

START_TEST(store_refuses_what_is_not_its_own_and_leaves_it_alone)
{
    static const char *const makers[] = {
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
        "DROP TABLE meta",
        "UPDATE meta SET value = x'00' WHERE name = 'secret'",
    };
    struct error err = {""};
    struct stat before, after;
    store_close(store);
    (void)shell(makers[_i]);
    ck_assert_int_eq(stat(database, &before), 0);
    ck_assert_int_eq(store_open(&store, &options, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "t.db"));
    ck_assert_int_eq(stat(database, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    store = NULL;
}
END_TEST

/* The model: all events as a plain array. */
struct model_event {
    int64_t ts;
    int64_t seq;
};
enum { MODEL_MOST = 2000 };
static struct model_event model[MODEL_MOST];
static size_t model_count;

static int model_compare(const void *a, const void *b)
{
    const struct model_event *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? 1 : -1;
    return x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

/* Times that collide, straddle steps, and lie on both sides of 1970. */
static int64_t model_time(struct dice *dice)
{
    static const int64_t spans[] = {3, 1500, 100000, 5000000, 200000000, 10000000000};
    int64_t span = spans[dice_roll(dice, sizeof spans / sizeof *spans)];
    return (int64_t)dice_roll(dice, (size_t)span) - span / 2;
}

static void model_fill(struct dice *dice, size_t events)
{
    struct bytes text;
    bytes_init(&text);
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
    for (size_t i = 0; i < events; i++) {
        char stamp[TIMESTAMP_SIZE];
        int64_t ts = model_time(dice);
        timestamp_format(stamp, ts);
        model[model_count] = (struct model_event){ts, (int64_t)model_count + 1};
        model_count++;
        ck_assert_int_eq(
            bytes_append_format(&text, "%s{\"timestamp\":\"%s\"}", i > 0 ? "," : "", stamp), 0);
    }
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    (void)append_text(text.data);
    bytes_clear(&text);
}

struct model_walk {
    const struct model_event *expected; /* the next */
    size_t left;                        /* how many may still come */
    size_t most;                        /* rows of this page */
};

static int model_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct model_walk *walk = arg;
    (void)text;
    /* A plain if: an assertion of Check costs a system call. */
    if (len == 0 || walk->left == 0 || place.ts != walk->expected->ts ||
        place.seq != walk->expected->seq)
        ck_abort_msg("a row that does not belong here: %lld %lld", (long long)place.ts,
                     (long long)place.seq);
    walk->expected++;
    walk->left--;
    return --walk->most == 0;
}

/* One window of the sorted model, walked in pages of random length. */
static void model_window(struct dice *dice, struct store_reader *reader, int64_t since,
                         int64_t until)
{
    size_t first = 0, last;
    struct store_survey survey;
    while (first < model_count && model[first].ts > until)
        first++;
    for (last = first; last < model_count && model[last].ts >= since;)
        last++;
    size_t total = last - first, skip = dice_roll(dice, total + 3);
    ck_assert_int_eq(store_survey(reader, since, until, (int64_t)skip, &survey, NULL), STORE_OK);
    ck_assert_int_eq(survey.total, (int64_t)total);
    ck_assert_int_eq(survey.max_seq, (int64_t)model_count);
    if (skip > total)
        skip = total;
    struct model_walk walk = {model + first + skip, total - skip, 0};
    struct range_place place = survey.start;
    bool more = true;
    while (more) {
        walk.most = 1 + dice_roll(dice, 200);
        const struct model_event *before = walk.expected;
        ck_assert_int_eq(
            store_page(reader, since, survey.max_seq, place, model_row, &walk, &more, NULL),
            STORE_OK);
        if (walk.expected > before)
            place = (struct range_place){walk.expected[-1].ts, walk.expected[-1].seq};
    }
    ck_assert_uint_eq(walk.left, 0);
}

START_TEST(store_reads_what_a_plain_sort_gives)
{
    struct dice dice = dice_new();
    struct store_reader *reader;
    model_count = 0;
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    while (model_count + 300 < MODEL_MOST) {
        model_fill(&dice, 1 + dice_roll(&dice, 300));
        qsort(model, model_count, sizeof *model, model_compare);
        model_window(&dice, reader, INT64_MIN, INT64_MAX);
        for (int i = 0; i < 40; i++) {
            int64_t a = model_time(&dice), b = model_time(&dice);
            model_window(&dice, reader, a < b ? a : b, a < b ? b : a);
        }
        /* The window of a step and one beside it by a millisecond. */
        for (int step = 0; step < STEP_COUNT; step++)
            for (int edge = -1; edge <= 1; edge++)
                model_window(&dice, reader, -step_ms[step] + edge, step_ms[step] - 1 - edge);
    }
    store_reader_close(reader);
    ck_assert_int_eq(
        shell("SELECT count(*) FROM (SELECT ts - ((ts % 1000) + 1000) % 1000 AS at, "
              "count(*) AS n FROM events GROUP BY 1) AS fresh JOIN tally_second AS kept "
              "ON kept.at = fresh.at AND kept.events = fresh.n"),
        shell("SELECT count(*) FROM tally_second"));
}
END_TEST

START_TEST(store_pages_end_at_the_newest_seq_they_began_with)
{
    struct store_reader *reader;
    struct store_survey survey;
    struct dice dice = dice_new();
    bool more = true;
    model_count = 0;
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    model_fill(&dice, 100);
    size_t before = model_count;
    ck_assert_int_eq(store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, NULL), STORE_OK);
    qsort(model, model_count, sizeof *model, model_compare);
    struct model_event kept[100];
    memcpy(kept, model, sizeof kept);
    model_fill(&dice, 200);
    struct model_walk walk = {kept, before, SIZE_MAX};
    ck_assert_int_eq(
        store_page(reader, INT64_MIN, survey.max_seq, survey.start, model_row, &walk, &more, NULL),
        STORE_OK);
    ck_assert_uint_eq(walk.left, 0);
    ck_assert(!more);
    store_reader_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, store_keeps_what_was_appended_across_a_close);
    tcase_add_test(tcase, store_keeps_a_given_id_and_time_once);
    tcase_add_test(tcase, store_rejects_are_bounded_oldest_first);
    tcase_add_test(tcase, store_never_uses_a_number_twice);
    tcase_add_test(tcase, store_counts_anew_what_was_changed_behind_its_back);
    tcase_add_test(tcase, store_puts_a_refused_event_aside_and_keeps_its_neighbours);
    tcase_add_test(tcase, store_says_busy_while_another_writes_and_loses_nothing);
    tcase_add_test(tcase, store_keeps_rows_of_receipts_until_they_are_not_needed);
    tcase_add_test(tcase, store_leaves_known_elements_alone);
    tcase_add_test(tcase, store_is_not_opened_twice);
    tcase_add_loop_test(tcase, store_refuses_what_is_not_its_own_and_leaves_it_alone, 0, 4);
    tcase_add_test(tcase, store_reads_what_a_plain_sort_gives);
    tcase_add_test(tcase, store_pages_end_at_the_newest_seq_they_began_with);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
