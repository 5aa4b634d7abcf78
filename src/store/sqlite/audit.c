#include "store/sqlite/audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/ops.h"
#include "store/sqlite/audit_parts.h"
#include "store/sqlite/fit.h"
#include "store/step.h"

/* Findings of SQLite's own check that are told; a damaged file has thousands. */
#define AUDIT_MOST_DAMAGES 20
/* Rows of one kind that are named. */
#define AUDIT_MOST_ROWS 5
/* A number beyond it leaves too few. */
#define AUDIT_MOST_SEQ (INT64_C(1) << 62)

/* ---- telling ---- */

void audit_say(struct audit *audit, bool ok, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store_audit_say(audit->ear, audit->facts, ok, format, arguments);
    va_end(arguments);
}

void audit_failed(struct audit *audit, const char *what)
{
    struct error why = {""};
    (void)db_failure(&audit->db, &why);
    if (!audit->stopped)
        audit_say(audit, false, "%s: can't be read: %s", what, why.text);
}

bool audit_step(struct audit *audit, const char *what, int64_t done, int64_t total)
{
    const struct store_audit_ear *ear = audit->ear;
    if (!audit->stopped && ear->step != NULL && ear->step(ear->arg, what, done, total) != 0)
        audit->stopped = true;
    return audit->stopped;
}

sqlite3_stmt *audit_prepare(struct audit *audit, const char *what, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(audit->db.handle, sql, -1, &statement, NULL) != SQLITE_OK)
        audit_failed(audit, what);
    return statement;
}

/* One number of an SQL text. False: audit_failed was called. */
static bool audit_number(struct audit *audit, const char *what, const char *sql, int64_t *out)
{
    if (db_script_number(&audit->db, sql, out, NULL) == STORE_OK)
        return true;
    audit_failed(audit, what);
    return false;
}

/* ---- the file ---- */

/* What lies beside the database, by the name that its links lead to. */
static int64_t audit_wal_bytes(const struct audit *audit)
{
    struct stat info;
    const char *wal = sqlite3_db_filename(audit->db.handle, "main");
    wal = wal == NULL ? NULL : sqlite3_filename_wal(wal);
    return wal != NULL && stat(wal, &info) == 0 ? (int64_t)info.st_size : 0;
}

struct audit_file {
    int64_t pages, page_bytes, free_pages;
};

static bool audit_look(struct audit *audit, struct audit_file *file)
{
    return audit_number(audit, "the file", "PRAGMA page_count", &file->pages) &&
           audit_number(audit, "the file", "PRAGMA page_size", &file->page_bytes) &&
           audit_number(audit, "the file", "PRAGMA freelist_count", &file->free_pages);
}

static int audit_heard(void *arg, int64_t bytes)
{
    struct audit *audit = arg;
    int64_t total = audit->reads_total;
    return audit_step(audit, STORE_AUDIT_PAGES, bytes < total ? bytes : total, total);
}

static void audit_pages(struct audit *audit, enum store_audit_depth depth)
{
    const char *name = depth == STORE_AUDIT_QUICK ? "quick_check" : "integrity_check";
    struct audit_file file = {0};
    char sql[64];
    int code, damages = 0;
    if (!audit_look(audit, &file))
        return;
    /* Each page of a tree is read once for its structure; then tables are gone through for their
     * rows. */
    audit->reads_total = 2 * file.pages * file.page_bytes;
    audit->reads = (struct reads){.heard = audit_heard, .arg = audit};
    snprintf(sql, sizeof sql, "PRAGMA %s(%d)", name, AUDIT_MOST_DAMAGES);
    sqlite3_stmt *check = audit_prepare(audit, "pages", sql);
    if (check == NULL)
        return;
    reads_hear(&audit->reads, audit->db.handle);
    while ((code = sqlite3_step(check)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(check, 0);
        if (text == NULL || strcmp(text, "ok") == 0)
            continue;
        damages++;
        audit_say(audit, false, "pages: %s", text);
    }
    if (code != SQLITE_DONE)
        audit_failed(audit, "pages");
    reads_ignore(&audit->reads);
    sqlite3_finalize(check);
    if (code == SQLITE_DONE && damages == 0)
        audit_say(audit, true, "pages: SQLite's %s finds nothing wrong", name);
    audit_say(audit, true, "file: %lld pages of %lld bytes, %lld of them free; WAL of %lld bytes",
              (long long)file.pages, (long long)file.page_bytes, (long long)file.free_pages,
              (long long)audit_wal_bytes(audit));
}

/* ---- rows ---- */

static void audit_meta_number(struct audit *audit, const char *name, int64_t most)
{
    char sql[256];
    int64_t fine = 0;
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM meta WHERE name = '%s' AND typeof(value) = 'integer'"
             "   AND value BETWEEN 0 AND %lld",
             name, (long long)most);
    if (audit_number(audit, "meta", sql, &fine) && fine != 1)
        audit_say(audit, false, "meta: %s is missing, or no number that it can be", name);
}

static void audit_meta(struct audit *audit)
{
    bool whole = audit->facts->whole;
    int64_t fine = 0;
    audit->facts->whole = true;
    if (audit_number(audit, "meta",
                     "SELECT count(*) FROM meta WHERE name = 'secret' AND typeof(value) = 'blob'"
                     "   AND length(value) = 16",
                     &fine) &&
        fine != 1)
        audit_say(audit, false, "meta: secret is missing, or not 16 bytes");
    audit_meta_number(audit, "last_seq", AUDIT_MOST_SEQ);
    audit_meta_number(audit, "erasures", AUDIT_MOST_SEQ);
    if (audit->facts->whole)
        audit_say(audit, true, "meta: complete");
    audit->facts->whole = audit->facts->whole && whole;
}

static void audit_events(struct audit *audit)
{
    int64_t first = 0, last = 0, oldest = 0, newest = 0;
    const char *what = "events";
    if (!audit_number(audit, what, "SELECT coalesce(min(seq), 1) FROM events", &first) ||
        !audit_number(audit, what, "SELECT coalesce(max(seq), 0) FROM events", &last) ||
        !audit_number(audit, what, "SELECT coalesce(min(ts), 0) FROM events", &oldest) ||
        !audit_number(audit, what, "SELECT coalesce(max(ts), 0) FROM events", &newest))
        return;
    if (first < 1)
        audit_say(audit, false, "events: seq %lld is below 1", (long long)first);
    if (last > AUDIT_MOST_SEQ)
        audit_say(audit, false, "events: seq %lld leaves none for those to come", (long long)last);
    if (oldest < STEP_FIRST_MS || newest > STEP_LAST_MS)
        audit_say(audit, false, "events: ts %lld is no time that an event can have",
                  (long long)(oldest < STEP_FIRST_MS ? oldest : newest));
}

/* Goes through a table whose first column is its key and has fine judge each row. */
typedef bool audit_row_fn(struct audit *audit, sqlite3_stmt *row);

static bool audit_rows(struct audit *audit, const char *what, const char *sql, audit_row_fn *fine,
                       int64_t *count)
{
    int code, wrong = 0;
    sqlite3_stmt *rows = audit_prepare(audit, what, sql);
    *count = 0;
    if (rows == NULL)
        return false;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        ++*count;
        if (!fine(audit, rows) && ++wrong <= AUDIT_MOST_ROWS)
            audit_say(audit, false, "%s: row %lld can't be made sense of", what,
                      (long long)sqlite3_column_int64(rows, 0));
        if (audit_step(audit, what, *count, 0))
            break;
    }
    if (wrong > AUDIT_MOST_ROWS)
        audit_say(audit, false, "%s: %d rows in all can't be made sense of", what, wrong);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        audit_failed(audit, what);
    sqlite3_finalize(rows);
    return code == SQLITE_DONE && wrong == 0;
}

static bool audit_receipts_row(struct audit *audit, sqlite3_stmt *row)
{
    const void *data = sqlite3_column_blob(row, 1);
    return data != NULL && audit->ear->receipts(data, (size_t)sqlite3_column_bytes(row, 1));
}

static bool audit_rejects_row(struct audit *audit, sqlite3_stmt *row)
{
    (void)audit;
    return sqlite3_column_bytes(row, 1) > 0 && sqlite3_column_type(row, 2) == SQLITE_BLOB;
}

static bool audit_over(int64_t number, int64_t most)
{
    return most > 0 && number > most;
}

static void audit_others(struct audit *audit)
{
    int64_t count = 0, bytes = 0;
    if (audit_rows(audit, "receipts", "SELECT n, receipts FROM receipts", audit_receipts_row,
                   &count))
        audit_say(audit, true, "receipts: %lld rows", (long long)count);
    if (audit_rows(audit, "rejects", "SELECT n, reason, event FROM rejects", audit_rejects_row,
                   &count) &&
        audit_number(audit, "rejects", "SELECT coalesce(sum(length(event)), 0) FROM rejects",
                     &bytes))
        audit_say(audit, true, "rejects: %lld rows, %lld bytes%s", (long long)count,
                  (long long)bytes,
                  audit_over(count, audit->ear->max_rejects) ||
                          audit_over(bytes, audit->ear->max_rejects_bytes)
                      ? ": over the bounds, the oldest go when the next one comes"
                      : "");
}

/* ---- all of it ---- */

/* STORE_OK with *same: of the version that this beacond writes. */
static int audit_version(struct audit *audit, bool *same, struct error *err)
{
    int64_t application = 0, version = 0;
    struct error why = {""};
    *same = false;
    int status = db_script_number(&audit->db, "PRAGMA application_id", &application, &why);
    if (status == STORE_OK)
        status = db_script_number(&audit->db, "PRAGMA user_version", &version, &why);
    if (status == STORE_BUSY) {
        error_set(err, "%s: %s", audit->database, why.text);
        return status;
    }
    if (status != STORE_OK) {
        audit_say(audit, false, "file: %s", why.text);
        return STORE_OK;
    }
    status = fit_verdict(audit->database, application, version, err);
    *same = status == STORE_OK && version == SQL_MIGRATION_COUNT;
    if (status == STORE_OK && !*same)
        audit_say(audit, false,
                  "schema: version %lld, where this beacond has %d: let it serve the database "
                  "once, which migrates it",
                  (long long)version, (int)SQL_MIGRATION_COUNT);
    return status;
}

static void audit_tables(struct audit *audit, enum store_audit_depth depth)
{
    if (db_run(&audit->db, SQL_BEGIN_READ, NULL) != STORE_OK) {
        audit_failed(audit, "the database");
        return;
    }
    if (depth == STORE_AUDIT_WHOLE || depth == STORE_AUDIT_QUICK) {
        audit_schema(audit);
        audit_meta(audit);
        audit_events(audit);
        audit_others(audit);
    }
    if (!audit->stopped)
        audit_tally(audit);
    db_abandon(&audit->db);
}

static int audit_run(struct audit *audit, enum store_audit_depth depth, struct error *err)
{
    bool same;
    int status = audit_version(audit, &same, err);
    if (status == STORE_OK && same)
        status = db_script(&audit->db, "PRAGMA cache_size = -16384; PRAGMA mmap_size = 0", err);
    if (status != STORE_OK || !same)
        return status;
    if (depth != STORE_AUDIT_TALLY)
        audit_pages(audit, depth);
    if (!audit->stopped)
        audit_tables(audit, depth);
    return STORE_OK;
}

int sqlite_audit(const char *database, enum store_audit_depth depth,
                 const struct store_audit_ear *ear, struct store_audit_facts *facts,
                 struct error *err)
{
    struct audit audit = {.database = database, .ear = ear, .facts = facts};
    struct error why = {""};
    *facts = (struct store_audit_facts){.whole = true, .tally_right = true};
    struct stat info;
    errno = 0;
    if (stat(database, &info) != 0 || info.st_size == 0) {
        error_set(err, "%s: %s", database,
                  errno == EACCES ? strerror(errno) : "there is no such database, or it is empty");
        return STORE_UNFIT;
    }
    int status = fit_header(database, err);
    if (status != STORE_OK)
        return status;
    status = fit_open_live(&audit.db, database, &why);
    if (status != STORE_OK) {
        error_set(err, "%s: %s", database, why.text);
        return status;
    }
    status = audit_run(&audit, depth, err);
    db_close(&audit.db);
    if (status == STORE_OK && audit.stopped) {
        error_set(err, "stopped before everything was looked at");
        status = STORE_BUSY;
    }
    return status;
}
