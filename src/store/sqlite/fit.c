#include "store/sqlite/fit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

#define FIT_HEADER_BYTES 100
#define FIT_SCHEMA_COOKIE 40 /* in the header: grows with each change of the schema */
/* A file up to this size is checked page by page at start; it takes some milliseconds. */
#define FIT_CHECK_BYTES (16 << 20)

/* The path of the lock: one for all names (links, relative paths) of the same file. */
static int fit_lock_path(const char *database, char out[PATH_MAX])
{
    char real[PATH_MAX];
    if (realpath(database, real) == NULL) {
        char copy[PATH_MAX], name[PATH_MAX], folder[PATH_MAX];
        if (strlen(database) >= sizeof copy)
            return -1;
        strcpy(copy, database);
        strcpy(name, database);
        if (realpath(dirname(copy), folder) == NULL)
            return -1;
        if ((size_t)snprintf(real, sizeof real, "%s/%s", folder, basename(name)) >= sizeof real)
            return -1;
    }
    return (size_t)snprintf(out, PATH_MAX, "%s.lock", real) < PATH_MAX ? 0 : -1;
}

/* A lock that root has made for another user's database, by a command, is that user's: the daemon
 * must be able to open it. */
static void fit_lock_give(int fd, const char *path, const char *database)
{
    struct stat lock, owner;
    if (geteuid() != 0 || fstat(fd, &lock) != 0 || stat(database, &owner) != 0)
        return;
    /* Not another file by a second name. */
    if (lock.st_uid != 0 || lock.st_nlink != 1 || owner.st_uid == 0)
        return;
    if (fchown(fd, owner.st_uid, owner.st_gid) != 0)
        log_warn("%s: can't be given to the owner of the database: %s", path, strerror(errno));
}

int fit_lock(const char *database, struct error *err)
{
    char path[PATH_MAX], who[32] = "";
    errno = 0;
    if (fit_lock_path(database, path) != 0) {
        error_set(err, "%s: %s", database,
                  errno == EACCES || errno == ENOMEM ? strerror(errno)
                                                     : "no such directory, or too long a path");
        return STORE_UNFIT;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set(err, "%s: %s", path, strerror(errno));
        return STORE_UNFIT;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        if (held) {
            if (pread(fd, who, sizeof who - 1, 0) < 0)
                who[0] = '\0';
            who[strspn(who, "0123456789")] = '\0';
            error_set(err, "%s is in use by process %s; stop it first", database,
                      who[0] != '\0' ? who : "(unknown)");
        } else {
            error_set(err, "%s: %s", path, strerror(errno));
        }
        close(fd);
        return held ? STORE_HELD : STORE_UNFIT;
    }
    fit_lock_give(fd, path, database);
    int len = snprintf(who, sizeof who, "%ld\n", (long)getpid());
    /* The content only helps a person; the lock holds without it, on a full disk too. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, who, (size_t)len, 0) != len)
        log_warn("%s: can't write the process number: %s", path, strerror(errno));
    return fd;
}

static uint32_t fit_number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int fit_verdict(const char *database, int64_t application, int64_t version, struct error *err)
{
    if (application != FIT_APPLICATION_ID) {
        error_set(err, "%s is another program's database; name another file with --database",
                  database);
        return STORE_UNFIT;
    }
    if (version > SQL_MIGRATION_COUNT) {
        error_set(err,
                  "%s was written by a newer beacond (schema %lld, this one knows %d); run that "
                  "one, or name another file",
                  database, (long long)version, (int)SQL_MIGRATION_COUNT);
        return STORE_UNFIT;
    }
    return STORE_OK;
}

/* Whether a file of that name with a suffix is there and not empty. */
static bool fit_beside(const char *database, const char *suffix)
{
    char real[PATH_MAX], path[PATH_MAX];
    struct stat info;
    /* SQLite puts them beside the file that a link leads to. */
    return realpath(database, real) != NULL &&
           (size_t)snprintf(path, sizeof path, "%s%s", real, suffix) < sizeof path &&
           stat(path, &info) == 0 && info.st_size > 0;
}

int fit_header(const char *database, struct error *err)
{
    unsigned char header[FIT_HEADER_BYTES];
    int status = STORE_UNFIT;
    /* O_NONBLOCK: a FIFO of that name must not hang the start. */
    int fd = open(database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT)
            return STORE_OK;
        error_set(err, "%s: %s", database, strerror(errno));
        return STORE_UNFIT;
    }
    struct stat info;
    if (fstat(fd, &info) != 0) {
        error_set(err, "%s: %s", database, strerror(errno));
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        error_set(err, "%s is no regular file", database);
        goto out;
    }
    if (info.st_size == 0) {
        status = STORE_OK;
        goto out;
    }
    if (pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header ||
        memcmp(header, "SQLite format 3", 16) != 0) {
        error_set(err,
                  "%s is no SQLite database, or a damaged one; restore a backup, or name "
                  "another file with --database",
                  database);
        goto out;
    }
    uint32_t application = fit_number(header + 68), version = fit_number(header + 60);
    /* 0: perhaps all of it is in the WAL still; SQLite tells later. And without a schema it is what
     * a first start leaves that was ended before its first commit: nobody has ever made a table in
     * it. */
    bool blank = version == 0 && fit_number(header + FIT_SCHEMA_COOKIE) == 0;
    status = application == 0 && (blank || fit_beside(database, "-wal"))
                 ? STORE_OK
                 : fit_verdict(database, application, version, err);
out:
    close(fd);
    return status;
}

static int fit_damaged(const char *database, const char *what, struct error *err)
{
    error_set(
        err, "%s is damaged (%s); restore a backup, or rescue what is left with sqlite3's .recover",
        database, what);
    return STORE_UNFIT;
}

/* What a look that failed says of the file: nothing, when it was for want of memory. */
static int fit_finding(const struct db *db, const char *database, const char *what,
                       struct error *err)
{
    if ((sqlite3_errcode(db->handle) & 0xff) != SQLITE_NOMEM)
        return fit_damaged(database, what, err);
    error_set(err, "%s: out of memory", database);
    return STORE_BUSY;
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
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        if (db_script_number(db, probes[i], &number, &why) != STORE_OK)
            return fit_finding(db, database, why.text, err);
    if (db_script_number(db, "PRAGMA page_count", &pages, &why) != STORE_OK ||
        db_script_number(db, "PRAGMA page_size", &page_bytes, &why) != STORE_OK)
        return fit_finding(db, database, why.text, err);
    if (pages * page_bytes > FIT_CHECK_BYTES)
        return STORE_OK;
    sqlite3_stmt *check = NULL;
    int status;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK ||
        sqlite3_step(check) != SQLITE_ROW) {
        error_set(&why, "%s", sqlite3_errmsg(db->handle));
    } else {
        const char *found = (const char *)sqlite3_column_text(check, 0);
        if (found == NULL || strcmp(found, "ok") != 0)
            error_set(&why, "%s", found != NULL ? found : "out of memory");
    }
    status = why.text[0] == '\0' ? STORE_OK : fit_finding(db, database, why.text, err);
    sqlite3_finalize(check);
    return status;
}

/* A file that lost its end and has no WAL to make up for it. */
static int fit_whole(struct db *db, const char *database, struct error *err)
{
    int64_t pages = 0, page_bytes = 0;
    struct stat file;
    struct error why = {""};
    if (db_script_number(db, "PRAGMA page_count", &pages, &why) != STORE_OK ||
        db_script_number(db, "PRAGMA page_size", &page_bytes, &why) != STORE_OK)
        return fit_finding(db, database, why.text, err);
    if (fit_beside(database, "-wal"))
        return STORE_OK;
    if (stat(database, &file) == 0 && file.st_size < pages * page_bytes)
        return fit_damaged(database, "its end is missing", err);
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
    if (status == STORE_BUSY) {
        error_set(err, "%s: %s", database, why.text);
        return status;
    }
    if (status != STORE_OK)
        return fit_finding(db, database, why.text, err);
    if (application == 0 && objects == 0 && *version == 0)
        return STORE_OK;
    status = fit_verdict(database, application, *version, err);
    if (status == STORE_OK)
        status = fit_whole(db, database, err);
    if (status == STORE_OK && *version == SQL_MIGRATION_COUNT)
        status = fit_sound(db, database, err);
    return status;
}

int fit_open(struct db *db, const struct store_options *options, struct error *err)
{
    struct error why = {""};
    int64_t version = 0;
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
