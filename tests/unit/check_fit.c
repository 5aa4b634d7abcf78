/* A database that an older beacond has written, opened by one whose schema has gone on: what
 * HACKING promises under Compatibility. There is one migration yet, so two more are made up here;
 * the source is taken in with them, and the library's own is not linked. */

#include "store/sqlite/db.h"

#undef SQL_MIGRATION_COUNT
#define SQL_MIGRATION_COUNT 3
static const char *made_up[SQL_MIGRATION_COUNT];
#define sql_migrations made_up
#include "store/sqlite/fit.c"
#include "store/sqlite/fit_file.c"
#undef sql_migrations

#include "folder.h"

static struct folder folder;
static char database[PATH_MAX];
static struct store_options options;

#define COLUMN "ALTER TABLE rejects ADD COLUMN added INTEGER NOT NULL DEFAULT 7;"

static void setup(void)
{
    folder_make(&folder);
    options = (struct store_options){.database = folder_file(&folder, database, "t.db")};
    made_up[0] = sql_migrations[0];
    made_up[1] = COLUMN;
    made_up[2] = "CREATE TABLE later(a INTEGER); INSERT INTO later SELECT count(*) FROM events;";
}

static void teardown(void)
{
    folder_remove(&folder);
}

/* Runs SQL on the file as the shell would; its first number, if there is one. */
static int64_t number(const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int64_t value = -1;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(handle));
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(handle), SQLITE_OK);
    return value;
}

/* The first schema with one event in it, as version 1 leaves it. */
static void written_by_the_first(void)
{
    sqlite3 *handle;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, sql_migrations[0], NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle,
                                  "PRAGMA user_version = 1;"
                                  "INSERT INTO events(ts, received, given, id, event)"
                                  " VALUES(5000, 0, 1, 'kept', '{\"id\":\"kept\"}')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(handle), SQLITE_OK);
}

static int opened(struct error *err)
{
    struct db db = {0};
    int status = fit_open(&db, &options, err);
    if (status == STORE_OK)
        db_close(&db);
    return status;
}

START_TEST(an_older_database_is_migrated_step_by_step)
{
    struct error err = {""};
    written_by_the_first();
    ck_assert_msg(opened(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(number("PRAGMA user_version"), 3);
    ck_assert_int_eq(number("SELECT count(*) FROM events WHERE id = 'kept'"), 1);
    ck_assert_int_eq(number("SELECT count(added) FROM rejects"), 0);
    ck_assert_int_eq(number("SELECT a FROM later"), 1);
    /* Once. */
    ck_assert_msg(opened(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(number("SELECT count(*) FROM later"), 1);
}
END_TEST

START_TEST(a_step_that_fails_leaves_what_was_before_it)
{
    struct error err = {""};
    written_by_the_first();
    made_up[2] = "CREATE TABLE later(a INTEGER); DELETE FROM events; SELECT nonsense;";
    ck_assert_int_ne(opened(&err), STORE_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "t.db"));
    ck_assert_int_eq(number("PRAGMA user_version"), 2);
    ck_assert_int_eq(number("SELECT count(added) FROM rejects"), 0);
    ck_assert_int_eq(number("SELECT count(*) FROM events"), 1);
    ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema WHERE name = 'later'"), 0);
    /* With one that works it goes on from there. */
    made_up[2] = "CREATE TABLE later(a INTEGER)";
    ck_assert_msg(opened(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(number("PRAGMA user_version"), 3);
}
END_TEST

START_TEST(who_only_reads_migrates_nothing_and_says_what_to_do)
{
    struct db db = {0};
    struct error err = {""};
    written_by_the_first();
    ck_assert_int_eq(fit_open_reader(&db, database, &err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "older beacond"));
    ck_assert_int_eq(number("PRAGMA user_version"), 1);
}
END_TEST

START_TEST(a_newer_database_is_refused_and_both_versions_are_named)
{
    struct error err = {""};
    written_by_the_first();
    number("PRAGMA user_version = 4");
    ck_assert_int_eq(opened(&err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "newer beacond (schema 4, this one knows 3)"));
    ck_assert_int_eq(number("PRAGMA user_version"), 4);
    ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema WHERE name = 'later'"), 0);
}
END_TEST

/* A file with nothing but its first page, as these pragmas make it. */
static int cut_short(const char *pragmas, struct error *err)
{
    struct error none = {""};
    sqlite3 *handle;
    ck_assert_int_eq(sqlite3_open(database, &handle), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(handle, pragmas, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(handle), SQLITE_OK);
    *err = none;
    return fit_header(database, err);
}

START_TEST(a_first_start_that_was_cut_short_is_made_by_the_next)
{
    struct error err;
    ck_assert_msg(cut_short("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"
                            "PRAGMA journal_mode = WAL",
                            &err) == STORE_OK,
                  "%s", err.text);
    ck_assert_int_eq(number("PRAGMA application_id"), 0);
    ck_assert_msg(opened(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(number("PRAGMA user_version"), 3);
    ck_assert_int_eq(number("PRAGMA application_id"), FIT_APPLICATION_ID);
}
END_TEST

START_TEST(an_empty_database_that_is_not_made_as_ours_is_refused)
{
    struct error err;
    ck_assert_int_eq(cut_short("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL", &err),
                     STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "another program's"));
}
END_TEST

static char *beside(char out[PATH_MAX], const char *suffix)
{
    ck_assert_int_lt(snprintf(out, PATH_MAX, "%s%s", database, suffix), PATH_MAX);
    return out;
}

static void put(const char *path, const void *data, size_t len, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(truncate(path, (off_t)size), 0);
}

/* A page of which nothing but the size is there, and what stands beside it. */
static int nothing_beside(const void *journal, size_t len)
{
    char path[PATH_MAX];
    put(database, "", 0, FIT_PAGE_BYTES);
    put(beside(path, "-journal"), journal, len, 512);
    return fit_header(database, NULL);
}

START_TEST(a_page_of_nothing_is_taken_with_the_journal_of_a_first_transaction_alone)
{
    unsigned char journal[28] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    struct error err = {""};
    journal[22] = 512 >> 8; /* bytes in a sector */
    /* Another program's; what is no journal at all SQLite would take away. */
    ck_assert_int_eq(nothing_beside("notes", 5), STORE_UNFIT);
    journal[26] = 4096 >> 8;
    ck_assert_int_eq(nothing_beside(journal, sizeof journal), STORE_UNFIT);
    journal[26] = FIT_PAGE_BYTES >> 8;
    journal[19] = 1; /* it had a page before */
    ck_assert_int_eq(nothing_beside(journal, sizeof journal), STORE_UNFIT);
    journal[19] = 0;
    ck_assert_int_eq(nothing_beside(journal, sizeof journal), STORE_OK);
    ck_assert_msg(opened(&err) == STORE_OK, "%s", err.text);
    ck_assert_int_eq(number("PRAGMA user_version"), 3);
}
END_TEST

/* What has no number of a program's in its file may have one in its WAL, and so is looked at. */
START_TEST(another_programs_database_in_use_is_refused_as_it_is)
{
    unsigned char before[136], after[136]; /* to the end of what the -shm says of the WAL */
    char path[PATH_MAX];
    struct error err = {""};
    sqlite3 *other;
    ck_assert_int_eq(sqlite3_open(database, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other,
                                  "PRAGMA journal_mode = WAL; CREATE TABLE theirs(a);"
                                  "PRAGMA wal_checkpoint(PASSIVE); SELECT * FROM theirs",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    int shm = open(beside(path, "-shm"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(pread(shm, before, sizeof before, 0), sizeof before);
    ck_assert_int_ne(before[96] | before[97] | before[98] | before[99], 0);
    ck_assert_int_eq(fit_header(database, &err), STORE_OK);
    ck_assert_int_eq(opened(&err), STORE_UNFIT);
    ck_assert_ptr_nonnull(strstr(err.text, "another program's"));
    ck_assert_int_eq(pread(shm, after, sizeof after, 0), sizeof after);
    ck_assert_mem_eq(before + 96, after + 96, sizeof(uint32_t));
    ck_assert_int_eq(close(shm), 0);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fit");
    TCase *tests = tcase_create("fit");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_older_database_is_migrated_step_by_step);
    tcase_add_test(tests, a_step_that_fails_leaves_what_was_before_it);
    tcase_add_test(tests, who_only_reads_migrates_nothing_and_says_what_to_do);
    tcase_add_test(tests, a_newer_database_is_refused_and_both_versions_are_named);
    tcase_add_test(tests, a_first_start_that_was_cut_short_is_made_by_the_next);
    tcase_add_test(tests, an_empty_database_that_is_not_made_as_ours_is_refused);
    tcase_add_test(tests, a_page_of_nothing_is_taken_with_the_journal_of_a_first_transaction_alone);
    tcase_add_test(tests, another_programs_database_in_use_is_refused_as_it_is);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
