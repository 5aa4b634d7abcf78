/* Erasing in the SQLite store, against a plain list: events, tally, numbers, and what is left in
 * the file. */

#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "cache/place.h"
#include "contract/timestamp.h"
#include "dice.h"
#include "store/sqlite/leaf.h"
#include "store/step.h"
#include "store_run.h"

#define MOST 4000
#define MARK "planted-mark-of-"

static struct dice dice;

/* What must be stored. */
static struct range_place model[MOST];
static size_t model_count;
static int64_t model_last_seq;

static void setup(void)
{
    dice = dice_new();
    model_count = 0;
    model_last_seq = 0;
    store_run_begin("t.db", 100, 1 << 20);
}

static void teardown(void)
{
    store_run_end();
}

/* Stores a body and notes its events. */
static void append(const struct bytes *body)
{
    struct error err = {""};
    struct store_item item = {.batch = batch_of(body->data, body->len)};
    int status = store_append(store, &item, 1, &no_receipts, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    for (size_t i = 0; i < item.batch->event_count; i++) {
        ck_assert_int_gt(item.batch->events[i].seq, model_last_seq);
        model_last_seq = item.batch->events[i].seq;
        model[model_count++] = (struct range_place){item.batch->events[i].ts, model_last_seq};
    }
    batch_free(item.batch);
}

/* count events at times around some, a mark of one of marks kinds many times over in each. */
static void append_some(unsigned count, unsigned marks)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < count; i++) {
        char stamp[TIMESTAMP_SIZE];
        unsigned mark = (unsigned)dice_roll(&dice, marks);
        static const int64_t spans[] = {3, 1500, 100000, 5000000, 200000000};
        timestamp_format(stamp,
                         (int64_t)dice_roll(&dice, (size_t)spans[dice_roll(&dice, 5)]) - 1000);
        ck_assert_int_eq(
            bytes_append_format(&body, "%s{\"timestamp\":\"%s\",\"userId\":\"u%u\",\"pad\":\"",
                                i > 0 ? "," : "", stamp, mark),
            0);
        size_t repeats = dice_roll(&dice, 100) == 0 ? 600 : dice_roll(&dice, 40);
        for (size_t n = 0; n < repeats; n++)
            ck_assert_int_eq(bytes_append_format(&body, MARK "%u.", mark), 0);
        ck_assert_int_eq(bytes_append_text(&body, "\"}"), 0);
    }
    ck_assert_int_eq(bytes_append_text(&body, "]}"), 0);
    append(&body);
    bytes_clear(&body);
}

static int64_t shell(const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int64_t number = 0;
    ck_assert_int_eq(sqlite3_open_v2(database, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return number;
}

/* --- the model -------------------------------------------------------------------------------- */

static int model_compare(const void *a, const void *b)
{
    const struct range_place *x = a, *y = b;
    return place_before(*x, *y) ? -1 : place_before(*y, *x);
}

static int64_t model_at(enum step step, int64_t at)
{
    int64_t count = 0;
    for (size_t i = 0; i < model_count; i++)
        count += step_floor(step, model[i].ts) == at;
    return count;
}

static void check_step(enum step step, const char *table)
{
    sqlite3 *handle;
    sqlite3_stmt *rows;
    char sql[64];
    int64_t sum = 0;
    snprintf(sql, sizeof sql, "SELECT at, events FROM %s", table);
    ck_assert_int_eq(sqlite3_open_v2(database, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(handle, sql, -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        ck_assert_int_gt(sqlite3_column_int64(rows, 1), 0);
        ck_assert_int_eq(sqlite3_column_int64(rows, 1),
                         model_at(step, sqlite3_column_int64(rows, 0)));
        sum += sqlite3_column_int64(rows, 1);
    }
    sqlite3_finalize(rows);
    sqlite3_close(handle);
    ck_assert_int_eq(sum, (int64_t)model_count);
}

/* Everything agrees with the list. */
static void check_store(int64_t erasures)
{
    struct store_state state;
    store_look(store, &state);
    ck_assert_int_eq(state.total, (int64_t)model_count);
    ck_assert_int_eq(state.last_seq, model_last_seq);
    ck_assert_int_eq(state.erasures, erasures);
    ck_assert_int_eq(shell("SELECT count(*) FROM events"), (int64_t)model_count);
    ck_assert_int_eq(shell("SELECT value FROM meta WHERE name = 'erasures'"), erasures);
    check_step(STEP_SECOND, "tally_second");
    check_step(STEP_MINUTE, "tally_minute");
    check_step(STEP_HOUR, "tally_hour");
    check_step(STEP_DAY, "tally_day");
}

START_TEST(erase_keeps_tally_total_and_numbers)
{
    static struct range_place places[MOST], gone[MOST];
    struct error err = {""};
    int64_t erasures = 0;
    for (unsigned round = 0; round < 30; round++) {
        size_t erased, most = 1 + dice_roll(&dice, 60);
        append_some(1 + (unsigned)dice_roll(&dice, 100), 3);
        qsort(model, model_count, sizeof *model, model_compare);
        if (dice_roll(&dice, 2) == 0) {
            int64_t before = model[dice_roll(&dice, model_count)].ts + (int64_t)dice_roll(&dice, 2);
            ck_assert_int_eq(store_erase_oldest(store, before, most, places, &erased, &err),
                             STORE_OK);
            size_t expected = 0;
            while (expected < most && expected < model_count && model[expected].ts < before)
                expected++;
            ck_assert_uint_eq(erased, expected);
            if (erased > 0)
                ck_assert_mem_eq(places, model, erased * sizeof *places);
            model_count -= erased;
            /* No memmove: valgrind takes the fortified one for a memcpy. */
            for (size_t i = 0; i < model_count; i++)
                model[i] = model[erased + i];
        } else {
            /* Some of them twice, and some that are not there. */
            size_t count = 0, left = 0;
            for (size_t i = 0; i < model_count; i++)
                if (dice_roll(&dice, 3) == 0)
                    gone[count++] = model[i];
                else
                    model[left++] = model[i];
            size_t there = model_count - left;
            model_count = left;
            if (count > 0)
                gone[count] = gone[dice_roll(&dice, count)], count++;
            gone[count++] = (struct range_place){5, model_last_seq + 7};
            if (model_count > 0)
                gone[count++] = (struct range_place){model[0].ts + 1, model[0].seq};
            ck_assert_int_eq(store_erase(store, gone, count, &erased, &err), STORE_OK);
            ck_assert_uint_eq(erased, there);
        }
        erasures += erased > 0;
        check_store(erasures);
        if (dice_roll(&dice, 5) == 0) {
            store_close(store);
            store_up();
            check_store(erasures);
        }
    }
}
END_TEST

START_TEST(erase_gives_no_number_out_again)
{
    struct error err = {""};
    size_t erased;
    append_some(10, 1);
    struct range_place top = model[9];
    ck_assert_int_eq(store_erase(store, &top, 1, &erased, &err), STORE_OK);
    store_close(store);
    store_up();
    model_count = 9;
    append_some(1, 1); /* looks itself */
    ck_assert_int_eq(model_last_seq, 11);
}
END_TEST

START_TEST(erase_is_all_or_nothing)
{
    sqlite3 *other;
    struct error err = {""};
    struct range_place places[10];
    size_t erased;
    append_some(100, 1);
    ck_assert_int_eq(sqlite3_open(database, &other), SQLITE_OK);
    /* A trigger that refuses the fifth. */
    ck_assert_int_eq(
        sqlite3_exec(other,
                     "CREATE TRIGGER t BEFORE DELETE ON events WHEN old.seq = (SELECT seq"
                     " FROM events ORDER BY ts, seq LIMIT 1) AND (SELECT count(*) FROM"
                     " events) < 96 BEGIN SELECT RAISE(ABORT, 'no'); END",
                     NULL, NULL, NULL),
        SQLITE_OK);
    /* Which is noticed as another program's change. */
    ck_assert_int_eq(store_erase_oldest(store, INT64_MAX, 10, places, &erased, &err), STORE_BUSY);
    ck_assert_uint_eq(erased, 0);
    ck_assert_int_eq(shell("SELECT count(*) FROM events"), 100);
    ck_assert_int_eq(sqlite3_exec(other, "DROP TRIGGER t; BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(store_erase_oldest(store, INT64_MAX, 10, places, &erased, &err), STORE_BUSY);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    check_store(0);
    ck_assert_int_eq(store_erase_oldest(store, INT64_MAX, 10, places, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 10);
    ck_assert_int_eq(shell("SELECT sum(events) FROM tally_hour"), 90);
}
END_TEST

/* --- rejects and receipts -----------------------------------------------------------------------
 */

static int note_reject(void *arg, const struct store_reject *reject)
{
    struct bytes *out = arg;
    return bytes_append_format(out, "%" PRId64 " %s %.*s;", reject->n, reject->reason,
                               (int)reject->len, reject->text) != 0;
}

START_TEST(erase_takes_rejects_by_number)
{
    struct bytes body = {0}, seen = {0};
    struct store_reader *reader;
    struct error err = {""};
    const int64_t numbers[] = {2, 9, 2};
    size_t erased;
    bool more;
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":[1,22,333]}"), 0);
    append(&body);
    ck_assert_int_eq(store_erase_rejects(store, numbers, 3, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 1);
    ck_assert_int_eq(store_reader_open(store, &reader, &err), STORE_OK);
    ck_assert_int_eq(store_page_rejects(reader, 0, note_reject, &seen, &more, &err), STORE_OK);
    ck_assert(!more);
    ck_assert_str_eq(seen.data, "1 not an object 1;3 not an object 333;");
    store_reader_close(reader);
    bytes_clear(&body);
    bytes_clear(&seen);
}
END_TEST

static int note_receipts(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    (void)at_ms;
    return bytes_append_format(arg, "%" PRId64 " %.*s;", row, (int)len, (const char *)data) != 0;
}

START_TEST(erase_replaces_rows_of_receipts)
{
    struct error err = {""};
    struct bytes seen = {0};
    struct store_reader *reader;
    bool more;
    for (int row = 1; row <= 3; row++) {
        const struct store_receipts receipts = {.row = row, .data = "old", .len = 3};
        ck_assert_int_eq(store_append(store, NULL, 0, &receipts, &err), STORE_OK);
    }
    const struct store_receipts_row rows[] = {{1, NULL, 0}, {3, "new", 3}, {7, "none", 4}};
    ck_assert_int_eq(store_replace_receipts(store, rows, 3, &err), STORE_OK);
    ck_assert_int_eq(store_reader_open(store, &reader, &err), STORE_OK);
    ck_assert_int_eq(store_page_receipts(reader, 0, note_receipts, &seen, &more, &err), STORE_OK);
    ck_assert_str_eq(seen.data, "2 old;3 new;");
    store_reader_close(reader);
    bytes_clear(&seen);
}
END_TEST

/* --- the file -----------------------------------------------------------------------------------
 */

static off_t file_size(const char *suffix)
{
    char path[PATH_MAX + 8];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", database, suffix);
    return stat(path, &info) == 0 ? info.st_size : 0;
}

START_TEST(erase_makes_the_file_smaller)
{
    static struct range_place places[MOST];
    struct store_size before, after;
    struct error err = {""};
    int64_t left = 1;
    size_t erased;
    for (int i = 0; i < 20; i++)
        append_some(100, 1);
    ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
    ck_assert_int_eq(store_size(store, &before, &err), STORE_OK);
    ck_assert_int_eq(before.wal_bytes, 0);
    ck_assert_int_eq(before.page_bytes * before.pages, file_size(""));
    ck_assert_int_eq(store_erase_oldest(store, INT64_MAX, 1500, places, &erased, &err), STORE_OK);
    ck_assert_uint_eq(erased, 1500);
    ck_assert_int_eq(store_size(store, &after, &err), STORE_OK);
    ck_assert_int_eq(after.pages, before.pages);
    ck_assert_int_gt(after.free_pages, before.pages / 3);
    ck_assert_int_gt(after.wal_bytes, 0);
    int64_t free_pages = after.free_pages;
    ck_assert_int_eq(store_shrink(store, 10, &left, &err), STORE_OK);
    ck_assert_int_eq(left, free_pages - 10);
    while (left > 0)
        ck_assert_int_eq(store_shrink(store, 64, &left, &err), STORE_OK);
    ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
    ck_assert_int_eq(store_size(store, &after, &err), STORE_OK);
    ck_assert_int_eq(after.pages * after.page_bytes, file_size(""));
    ck_assert_int_le(after.pages, before.pages - free_pages);
    ck_assert_int_eq(file_size("-wal"), 0);
}
END_TEST

START_TEST(scrub_says_busy_while_a_reader_is_in_the_way)
{
    sqlite3 *other;
    struct error err = {""};
    append_some(10, 1);
    ck_assert_int_eq(sqlite3_open_v2(database, &other, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL),
                     SQLITE_OK);
    append_some(10, 1);
    ck_assert_int_eq(store_scrub(store, &err), STORE_BUSY);
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
    ck_assert_int_eq(file_size("-wal"), 0);
    sqlite3_close(other);
}
END_TEST

struct seen {
    int64_t pages[1000];
    size_t count;
};

static void note_trace(void *arg, int64_t page, bool table, const char *bytes, size_t len)
{
    struct seen *seen = arg;
    (void)bytes;
    (void)len;
    if (table && seen->count < 1000)
        seen->pages[seen->count++] = page;
}

static void find_traces(struct seen *seen)
{
    struct error err = {""};
    int64_t page = 0;
    bool more = true;
    seen->count = 0;
    while (more)
        ck_assert_int_eq(store_find_traces(store, &page, note_trace, seen, &more, &err), STORE_OK);
}

/* Whether a mark is anywhere in the file, or in the WAL. */
static bool file_holds(const char *mark)
{
    static const char *const suffixes[] = {"", "-wal"};
    bool held = false;
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX + 8];
        snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        FILE *file = fopen(path, "rb");
        size_t size = (size_t)file_size(suffixes[i]);
        char *text = malloc(size + 1);
        ck_assert(file != NULL && text != NULL);
        ck_assert_uint_eq(fread(text, 1, size, file), size);
        fclose(file);
        held = held || memmem(text, size, mark, strlen(mark)) != NULL;
        free(text);
    }
    return held;
}

struct owned {
    const char *mark;
    struct range_place places[MOST];
    size_t count;
};

static int note_owned(void *arg, const struct store_row *row)
{
    struct owned *owned = arg;
    char user[32];
    snprintf(user, sizeof user, "\"userId\":\"u%s\"", owned->mark + strlen(MARK));
    if (memmem(row->text, row->len, user, strlen(user)) != NULL)
        owned->places[owned->count++] = row->place;
    return 0;
}

/* All events of one mark go, a few at a time, scattered between the others'. */
static void erase_mark(const char *mark)
{
    static struct owned owned;
    struct store_reader *reader;
    struct error err = {""};
    bool more;
    owned.mark = mark;
    owned.count = 0;
    ck_assert_int_eq(store_reader_open(store, &reader, &err), STORE_OK);
    ck_assert_int_eq(store_page_seq(reader, 0, INT64_MAX, note_owned, &owned, &more, &err),
                     STORE_OK);
    store_reader_close(reader);
    ck_assert_uint_gt(owned.count, 0);
    for (size_t i = 0; i < owned.count; i += 7) {
        size_t erased, count = owned.count - i < 7 ? owned.count - i : 7;
        ck_assert_int_eq(store_erase(store, owned.places + i, count, &erased, &err), STORE_OK);
        ck_assert_uint_eq(erased, count);
    }
    ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
}

/* SQLite moves rows and leaves copies: the reason for store_clean_traces. */
START_TEST(traces_are_left_by_erasing_and_can_be_cleaned)
{
    static struct seen seen;
    struct error err = {""};
    size_t left = 0;
    for (int i = 0; i < 35; i++)
        append_some(100, 20);
    int64_t size = shell("SELECT sum(length(event)) FROM events"), sum;
    for (unsigned mark = 0; mark < 19; mark++) {
        char text[32];
        snprintf(text, sizeof text, MARK "%u.", mark);
        *strrchr(text, '.') = '\0';
        erase_mark(text);
        if (mark < 13)
            continue; /* pages are merged, and what is still there is moved */
        strcat(text, ".");
        find_traces(&seen);
        left += seen.count;
        size = shell("SELECT sum(length(event) * seq) FROM events");
        for (size_t i = 0; i < seen.count; i += 20)
            ck_assert_int_eq(store_clean_traces(store, seen.pages + i,
                                                seen.count - i < 20 ? seen.count - i : 20, &err),
                             STORE_OK);
        ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
        sum = shell("SELECT sum(length(event) * seq) FROM events");
        ck_assert_int_eq(size, sum); /* every row is what it was */
        find_traces(&seen);
        ck_assert_uint_eq(seen.count, 0);
        ck_assert(!file_holds(text));
    }
    ck_assert_uint_gt(left, 0); /* else it has shown nothing */
    ck_assert_int_eq(
        shell("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    ck_assert_int_eq(store_rewrite(store, &err), STORE_OK);
    ck_assert_int_eq(store_scrub(store, &err), STORE_OK);
    ck_assert_int_eq(shell("SELECT sum(length(event) * seq) FROM events"), sum);
    ck_assert_int_eq(shell("PRAGMA auto_vacuum"), 2);
}
END_TEST

/* Damaged pages are refused or read, never read beyond. */
START_TEST(leaf_takes_any_bytes)
{
    for (unsigned round = 0; round < unit_rounds(20000); round++) {
        size_t usable = 512 << dice_roll(&dice, 5);
        unsigned char *page = malloc(usable);
        for (size_t i = 0; i < usable; i++)
            page[i] = dice_roll(&dice, 3) == 0 ? (unsigned char)dice_roll(&dice, 256)
                                               : (unsigned char)dice_roll(&dice, 4);
        page[0] = dice_roll(&dice, 2) == 0 ? 13 : 10;
        page[1] = (unsigned char)dice_roll(&dice, 2);
        page[3] = 0;
        page[5] = (unsigned char)dice_roll(&dice, usable >> 8);
        struct leaf leaf;
        struct leaf_row row;
        if (leaf_read(&leaf, page, usable, 0)) {
            (void)leaf_is_dirty(&leaf);
            for (size_t n = 0; n <= leaf.cells; n++)
                (void)leaf_row(&leaf, n, &row);
        }
        free(page);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("erase");
    TCase *tests = tcase_create("erase");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, erase_keeps_tally_total_and_numbers);
    tcase_add_test(tests, erase_gives_no_number_out_again);
    tcase_add_test(tests, erase_is_all_or_nothing);
    tcase_add_test(tests, erase_takes_rejects_by_number);
    tcase_add_test(tests, erase_replaces_rows_of_receipts);
    tcase_add_test(tests, erase_makes_the_file_smaller);
    tcase_add_test(tests, scrub_says_busy_while_a_reader_is_in_the_way);
    tcase_add_test(tests, traces_are_left_by_erasing_and_can_be_cleaned);
    tcase_add_test(tests, leaf_takes_any_bytes);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
