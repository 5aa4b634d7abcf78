/* What SQLite says of the file, and what is made of it. */
#include "store/sqlite/fit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "store/sqlite/checkpoint.h"
#include "store/sqlite/sound.h"

/* A file up to this size is checked page by page at start; it takes some milliseconds. */
#define FIT_CHECK_BYTES (16 << 20)

/* status: what a look at it came to. Where the disk has failed nothing is known of the file. */
static int fit_damaged(int status, const char *database, const char *what, struct error *err)
{
    if (status == STORE_BUSY) {
        error_set(err, "%s: %s", database, what);
        return STORE_BUSY;
    }
    error_set(
        err, "%s is damaged (%s); restore a backup, or rescue what is left with sqlite3's .recover",
        database, what);
    return STORE_UNFIT;
}

/* Whether the statements of a commit find their tables, columns and the index they count on: what
 * is missing would show when it is first needed, and to clients. */
static int fit_complete(struct db *db, struct error *why)
{
    static const enum sql_statement needed[] = {
        SQL_INSERT_EVENT, SQL_INSERT_GIVEN,    SQL_TALLY_SECOND,  SQL_TALLY_MINUTE,  SQL_TALLY_HOUR,
        SQL_TALLY_DAY,    SQL_INSERT_RECEIPTS, SQL_INSERT_REJECT, SQL_NOTE_LAST_SEQ,
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (db_statement(db, needed[i]) == NULL)
            return db_failure(db, why);
    return STORE_OK;
}

/* Cheap looks at every b-tree's ends, and at all pages of a small file. What lies deep inside a big
 * one shows when it is read. */
static int fit_sound(struct db *db, const char *database, struct error *err)
{
    static const char *const probes[] = {
        "SELECT seq, length(event) FROM events ORDER BY seq LIMIT 1",
        "SELECT seq, length(event) FROM events ORDER BY seq DESC LIMIT 1",
        "SELECT ts, length(event) FROM events ORDER BY ts LIMIT 1",
        "SELECT ts, length(event) FROM events ORDER BY ts DESC LIMIT 1",
        "SELECT max(at) FROM tally_second",
        "SELECT sum(events) FROM tally_day",
        "SELECT max(n) FROM rejects",
        "SELECT 1 FROM meta WHERE name = 'last_seq'",
    };
    struct error why = {""};
    int64_t number, pages = 0, page_bytes = 0;
    int status = STORE_OK;
    for (size_t i = 0; i < sizeof probes / sizeof *probes && status == STORE_OK; i++)
        status = db_script_number(db, probes[i], &number, &why);
    if (status == STORE_OK)
        status = fit_complete(db, &why);
    if (status == STORE_BUSY && (sqlite3_errcode(db->handle) & 0xff) == SQLITE_ERROR)
        status = STORE_UNFIT; /* a table is missing, which is no matter of the disk */
    if (status == STORE_OK)
        status = db_script_number(db, "PRAGMA page_count", &pages, &why);
    if (status == STORE_OK)
        status = db_script_number(db, "PRAGMA page_size", &page_bytes, &why);
    if (status != STORE_OK)
        return fit_damaged(status, database, why.text, err);
    if (pages * page_bytes > FIT_CHECK_BYTES)
        return STORE_OK;
    status = sound_check(db, &why);
    return status == STORE_OK ? STORE_OK : fit_damaged(status, database, why.text, err);
}

/* A file that lost its end and has no WAL to make up for it. */
static int fit_whole(struct db *db, const char *database, struct error *err)
{
    int64_t pages = 0, page_bytes = 0;
    struct stat file;
    struct error why = {""};
    int status = db_script_number(db, "PRAGMA page_count", &pages, &why);
    if (status == STORE_OK)
        status = db_script_number(db, "PRAGMA page_size", &page_bytes, &why);
    if (status != STORE_OK)
        return fit_damaged(status, database, why.text, err);
    if (fit_beside(database, "-wal"))
        return STORE_OK;
    if (stat(database, &file) == 0 && file.st_size < pages * page_bytes)
        return fit_damaged(STORE_UNFIT, database, "its end is missing", err);
    return STORE_OK;
}

static int fit_migrate(struct db *db, int64_t version, struct error *err)
{
    for (; version < SQL_MIGRATION_COUNT; version++) {
        char bump[64];
        snprintf(bump, sizeof bump, "PRAGMA user_version = %d", (int)version + 1);
        int status = db_run(db, SQL_BEGIN, err);
        if (status == STORE_OK)
            status = db_script(db, sql_migrations[version], err);
        if (status == STORE_OK)
            status = db_script(db, bump, err);
        if (status == STORE_OK)
            status = db_run(db, SQL_COMMIT, err);
        if (status != STORE_OK) {
            db_abandon(db);
            return status;
        }
        if (version > 0)
            log_info("database migrated to schema %d", (int)version + 1);
    }
    return STORE_OK;
}

/* Where WAL can't be had (some network file systems) SQLite goes on without it and says nothing. */
static int fit_wal(struct db *db, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = STORE_OK;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode = WAL", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        status = db_failure(db, err);
    } else {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);
        if (mode == NULL) {
            status = db_failure(db, err);
        } else if (strcmp(mode, "wal") != 0) {
            error_set(err, "this file system does not support SQLite's WAL mode");
            status = STORE_UNFIT;
        }
    }
    sqlite3_finalize(statement);
    return status;
}

/* What must be set before the first table is made, and what lasts as long as the connection. */
static int fit_pragmas(struct db *db, const struct store_options *options, struct error *err)
{
    static const char *const synchronous[] = {
        [STORE_SYNC_FULL] = "PRAGMA synchronous = FULL",
        [STORE_SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
        [STORE_SYNC_OFF] = "PRAGMA synchronous = OFF",
    };
    int status = db_script(db, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL", err);
    if (status == STORE_OK)
        status = fit_wal(db, err);
    if (status == STORE_OK)
        status = db_script(db,
                           /* The automatic checkpoint swallows errors; store_tend runs it. */
                           "PRAGMA wal_autocheckpoint = 0;"
                           "PRAGMA journal_size_limit = 67108864;"
                           "PRAGMA secure_delete = ON;"
                           "PRAGMA foreign_keys = OFF;"
                           "PRAGMA mmap_size = 0;"
                           "PRAGMA cache_size = -65536;",
                           err);
    return status == STORE_OK ? db_script(db, synchronous[options->synchronous], err) : status;
}

static int fit_examine(struct db *db, const char *database, int64_t *version, struct error *err)
{
    int64_t application = 0, objects = 0;
    struct error why = {""};
    *version = 0;
    int status = db_script_number(db, "SELECT count(*) FROM sqlite_schema", &objects, &why);
    if (status == STORE_OK)
        status = db_script_number(db, "PRAGMA application_id", &application, &why);
    if (status == STORE_OK)
        status = db_script_number(db, "PRAGMA user_version", version, &why);
    if (status != STORE_OK)
        return fit_damaged(status, database, why.text, err);
    if (application == 0 && objects == 0 && *version == 0)
        return STORE_OK;
    status = fit_verdict(database, application, *version, err);
    if (status == STORE_OK)
        status = fit_whole(db, database, err);
    if (status == STORE_OK && *version == SQL_MIGRATION_COUNT)
        status = fit_sound(db, database, err);
    return status;
}

/* Where another program has the database open the -shm is that of the last run, whose last flush
 * may have failed. By a connection of its own: this one keeps pages that may not be the right ones.
 * One that turns out to be another program's is left as it is.
 */
static void fit_distrust(const char *database)
{
    struct db db;
    int64_t application;
    if (!fit_beside(database, "-shm") ||
        db_open(&db, database, SQLITE_OPEN_READWRITE, NULL) != STORE_OK)
        return;
    if (db_script_number(&db, "PRAGMA application_id", &application, NULL) == STORE_OK &&
        application == FIT_APPLICATION_ID)
        (void)checkpoint_set_back(&db);
    db_close(&db);
}

int fit_open(struct db *db, const struct store_options *options, struct error *err)
{
    struct error why = {""};
    int64_t version = 0;
    fit_distrust(options->database);
    int status = db_open(db, options->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &why);
    if (status != STORE_OK) {
        error_set(err, "%s: %s", options->database, why.text);
        return status;
    }
    status = fit_examine(db, options->database, &version, err);
    if (status == STORE_OK) {
        status = fit_pragmas(db, options, &why);
        if (status == STORE_OK)
            status = fit_migrate(db, version, &why);
        /* What a killed process has written to the WAL counts as stored from here on, and a batch
         * sent again is told so without another commit: nobody else may have flushed it. */
        if (status == STORE_OK && options->synchronous == STORE_SYNC_FULL)
            status = db_flush_wal(db, &why);
        if (status != STORE_OK)
            error_set(err, "%s: %s", options->database, why.text);
    }
    if (status != STORE_OK)
        db_close(db);
    return status;
}

/* What fit_examine lets pass for the writer, who would make or migrate it. */
static int fit_ready(const char *database, int64_t version, struct error *err)
{
    if (version == SQL_MIGRATION_COUNT)
        return STORE_OK;
    if (version == 0)
        error_set(err, "%s is empty: no beacond has used it yet", database);
    else
        error_set(err, "%s was written by an older beacond; run this one's daemon on it once",
                  database);
    return STORE_UNFIT;
}

/* Where SQLite can't make its files beside a database (a read-only disk, another one's folder) and
 * there are none, nobody has it open and it may be read as it is. */
static int fit_open_still(struct db *db, const char *database, struct error *err)
{
    struct bytes uri;
    int status = STORE_BUSY, memory;
    bytes_init(&uri);
    memory = bytes_append_text(&uri, "file:");
    for (const char *at = database; *at != '\0' && memory == 0; at++)
        memory = strchr("?#%", *at) != NULL ? bytes_append_format(&uri, "%%%02X", (unsigned)*at)
                                            : bytes_append(&uri, at, 1);
    if (memory == 0)
        memory = bytes_append(&uri, "?immutable=1", sizeof "?immutable=1");
    if (memory == 0)
        status = db_open(db, uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    else
        error_set(err, "out of memory");
    bytes_clear(&uri);
    return status;
}

int fit_open_live(struct db *db, const char *database, struct error *err)
{
    int64_t objects;
    char wal[PATH_MAX];
    int status = db_open(db, database, SQLITE_OPEN_READONLY, err);
    if (status != STORE_OK ||
        db_script_number(db, "SELECT count(*) FROM sqlite_schema", &objects, err) == STORE_OK)
        return status; /* or else fit_examine finds the words */
    int code = sqlite3_errcode(db->handle) & 0xff;
    bool still = (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) &&
                 (size_t)snprintf(wal, sizeof wal, "%s-wal", database) < sizeof wal &&
                 access(wal, F_OK) != 0 && errno == ENOENT;
    if (!still)
        return STORE_OK;
    db_close(db);
    return fit_open_still(db, database, err);
}

int fit_open_reader(struct db *db, const char *database, struct error *err)
{
    struct error why = {""};
    int64_t version = 0;
    if (access(database, F_OK) != 0 && errno == ENOENT) {
        error_set(err, "%s: there is no such database", database);
        return STORE_UNFIT;
    }
    int status = fit_header(database, err);
    if (status != STORE_OK)
        return status;
    status = fit_open_live(db, database, &why);
    /* One moment: the daemon may shorten the file meanwhile. */
    if (status == STORE_OK)
        status = db_run(db, SQL_BEGIN_READ, &why);
    if (status != STORE_OK) {
        error_set(err, "%s: %s", database, why.text);
        goto out;
    }
    status = fit_examine(db, database, &version, err);
    if (status == STORE_OK)
        status = fit_ready(database, version, err);
out:
    if (db->handle != NULL)
        db_abandon(db);
    if (status != STORE_OK)
        db_close(db);
    return status;
}
