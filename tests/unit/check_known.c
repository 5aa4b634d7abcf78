/* What of a file is stored already (store_known). */
#include <sqlite3.h>
#include <string.h>

#include "base/bytes.h"
#include "contract/lines.h"
#include "folder.h"
#include "store/sqlite/sqlite_reader_parts.h"
#include "store/store.h"

#define NOW INT64_C(1710498225123)

static const struct batch_limits limits = {1 << 20, 512};
static struct folder folder;
static char database[PATH_MAX];
static struct store *store;
static struct store_reader *reader;
static struct uuid_source uuids;
static struct bytes lines;
static bool known[10000];

static void known_setup(void)
{
    struct error err = {""};
    folder_make(&folder);
    struct store_options options = {.database = folder_file(&folder, database, "t.db"),
                                    .synchronous = STORE_SYNC_OFF,
                                    .max_rejects = 10,
                                    .max_rejects_bytes = 1000};
    ck_assert_msg(store_open(&store, &options, &err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(store_reader_open(store, &reader, &err), STORE_OK);
    uuid_source_init(&uuids);
    bytes_init(&lines);
}

static void known_teardown(void)
{
    store_reader_close(reader);
    store_close(store);
    bytes_clear(&lines);
    folder_remove(&folder);
}

static void store_batch(struct batch *batch)
{
    struct store_item item = {.batch = batch};
    struct store_receipts receipts = {0};
    ck_assert_int_eq(store_append(store, &item, 1, &receipts, NULL), STORE_OK);
}

/* Count events without an id, second by second or all of one millisecond: beacond chooses. */
static struct batch *assigned(unsigned count, unsigned spread)
{
    struct batch *batch;
    size_t objects;
    lines.len = 0;
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(
            bytes_append_format(&lines, "{\"timestamp\":\"2024-01-01T00:%02u:%02uZ\",\"n\":%u}\n",
                                i * spread / 60 % 60, i * spread % 60, i),
            0);
    ck_assert_int_eq(
        lines_body(lines.data, lines.len, &limits, &uuids, NULL, NOW, &objects, &batch, NULL),
        BATCH_OK);
    return batch;
}

/* What a file with the texts of that batch's events is read as, every other line of them followed
 * by one that is not stored. */
static struct batch *exported(const struct batch *from, unsigned *fresh)
{
    struct line_ids ids;
    struct lines_report report;
    struct batch *batch;
    lines.len = 0;
    *fresh = 0;
    for (size_t i = 0; i < from->event_count; i++) {
        const struct batch_event *event = &from->events[i];
        ck_assert_int_eq(bytes_append(&lines, event->text, event->text_len), 0);
        ck_assert_int_eq(bytes_append_text(&lines, "\n"), 0);
        if (i % 2 == 0)
            continue;
        ck_assert_int_eq(
            bytes_append_format(
                &lines, "{\"id\":\"fresh%u\",\"timestamp\":\"2024-01-01T00:00:00Z\"}\n", ++*fresh),
            0);
    }
    struct lines_chunk chunk = {.text = lines.data, .len = lines.len, .first = 1, .step = 1};
    line_ids_init(&ids);
    ck_assert_int_eq(lines_import(&chunk, &limits, &ids, NOW, &report, &batch, NULL), BATCH_OK);
    ck_assert_int_eq(report.malformed, 0);
    line_ids_clear(&ids);
    return batch;
}

static unsigned ask(const struct batch *batch)
{
    struct error err = {""};
    unsigned count = 0;
    int status = store_known(reader, batch, known, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    for (size_t i = 0; i < batch->event_count; i++)
        count += known[i];
    return count;
}

static const struct {
    unsigned count, spread;
} shapes[] = {{1, 1}, {10, 1}, {1000, 1}, {1000, 0}, {17, 0}, {16, 0}, {3000, 0}};

START_TEST(ids_that_were_assigned_here_are_known_again)
{
    unsigned count = shapes[_i].count, fresh;
    struct batch *batch = assigned(count, shapes[_i].spread);
    struct batch *file = exported(batch, &fresh);
    ck_assert_uint_eq(ask(file), 0);
    store_batch(batch);
    ck_assert_uint_eq(ask(file), count);
    for (size_t i = 0; i < file->event_count; i++)
        ck_assert_int_eq(known[i], strncmp(file->events[i].id, "fresh", 5) != 0);
    /* And those that were chosen elsewhere. */
    batch_drop(file, known);
    ck_assert_uint_eq(file->event_count, fresh);
    store_batch(file);
    batch_free(file);
    file = exported(batch, &fresh);
    ck_assert_uint_eq(ask(file), count + fresh);
    batch_free(file);
    batch_free(batch);
}
END_TEST

START_TEST(the_same_id_at_another_time_is_not_known)
{
    unsigned fresh;
    struct batch *batch = assigned(100, 1);
    store_batch(batch);
    struct batch *file = exported(batch, &fresh);
    for (size_t i = 0; i < file->event_count; i++)
        file->events[i].ts += 250;
    ck_assert_uint_eq(ask(file), 0);
    batch_free(file);
    batch_free(batch);
}
END_TEST

/* Ids of a file's own, all of one timestamp that has been noted. */
START_TEST(what_a_file_has_brought_under_a_noted_timestamp_is_known)
{
    unsigned fresh;
    struct batch *batch = assigned(500, 0);
    store_batch(batch);
    struct batch *file = exported(batch, &fresh);
    ck_assert_uint_eq(ask(file), 500);
    batch_drop(file, known);
    store_batch(file);
    ck_assert_uint_eq(ask(file), fresh);
    batch_free(file);
    batch_free(batch);
}
END_TEST

static unsigned steps;

static int count_step(void *arg)
{
    (void)arg;
    steps++;
    return 0;
}

/* What asking for count events of one timestamp costs, 500 at a time, in tens of steps of SQLite's
 * machine. */
static unsigned cost(unsigned count)
{
    unsigned fresh;
    struct batch *batches[40];
    ck_assert_uint_le(count / 500, 40);
    for (unsigned i = 0; i < count / 500; i++) {
        batches[i] = assigned(500, 0);
        store_batch(batches[i]);
    }
    store_reader_close(reader);
    ck_assert_int_eq(store_reader_open(store, &reader, NULL), STORE_OK);
    sqlite3_progress_handler(((struct sqlite_reader *)reader)->db.handle, 10, count_step, NULL);
    steps = 0;
    for (unsigned i = 0; i < count / 500; i++) {
        struct batch *file = exported(batches[i], &fresh);
        ck_assert_uint_eq(ask(file), 500);
        batch_free(file);
        batch_free(batches[i]);
    }
    return steps;
}

START_TEST(equal_timestamps_cost_what_others_do)
{
    unsigned few = unit_slow() ? 1000 : 4000, first = cost(few), second = cost(4 * few);
    /* Five times as many are stored under the timestamp the second time: five times as much to be
     * noted once, and four times as much asked for. */
    ck_assert_msg(second < first * 6, "%u steps, then %u", first, second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("known");
    TCase *tcase = tcase_create("known");
    tcase_add_checked_fixture(tcase, known_setup, known_teardown);
    tcase_add_loop_test(tcase, ids_that_were_assigned_here_are_known_again, 0,
                        (int)(sizeof shapes / sizeof *shapes));
    tcase_add_test(tcase, the_same_id_at_another_time_is_not_known);
    tcase_add_test(tcase, what_a_file_has_brought_under_a_noted_timestamp_is_known);
    tcase_add_test(tcase, equal_timestamps_cost_what_others_do);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
