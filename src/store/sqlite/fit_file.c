/* The lock beside the file, and what the file itself says before SQLite opens it. */
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

#include "base/log.h"

#define FIT_HEADER_BYTES 100
#define FIT_PAGE_BYTES 8192

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

/* A call of ours has failed, as errno says: for what may pass, or for good. */
static int fit_failed(const char *path, struct error *err)
{
    bool passes = errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == ENOMEM ||
                  errno == EMFILE || errno == ENFILE;
    error_set(err, "%s: %s", path, strerror(errno));
    return passes ? STORE_BUSY : STORE_UNFIT;
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
    if (fd < 0)
        return fit_failed(path, err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        if (held) {
            if (pread(fd, who, sizeof who - 1, 0) < 0)
                who[0] = '\0';
            who[strspn(who, "0123456789")] = '\0';
            error_set(err, "%s is in use by process %s; stop it first", database,
                      who[0] != '\0' ? who : "(unknown)");
        } else {
            (void)fit_failed(path, err);
        }
        close(fd);
        return held ? STORE_HELD : STORE_UNFIT;
    }
    fit_lock_give(fd, path, database);
    int len = snprintf(who, sizeof who, "%ld\n", (long)getpid());
    /* Another file by a second name, or no file at all: it is not ours to write to. */
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink != 1) {
        log_warn("%s: is no file of its own, and is not written to", path);
        return fd;
    }
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

/* SQLite puts them beside the file that a link leads to. */
static bool fit_path(const char *database, const char *suffix, char out[PATH_MAX])
{
    char real[PATH_MAX];
    return realpath(database, real) != NULL &&
           (size_t)snprintf(out, PATH_MAX, "%s%s", real, suffix) < PATH_MAX;
}

bool fit_beside(const char *database, const char *suffix)
{
    char path[PATH_MAX];
    struct stat info;
    return fit_path(database, suffix, path) && stat(path, &info) == 0 && info.st_size > 0;
}

/* Whether the journal beside it is that of a first transaction, of a database that was no longer
 * than nothing before it and is to have pages of our size. SQLite rolls any journal back, and takes
 * away what is none, so it sees no other; but what can't be read is for SQLite to complain of. */
static bool fit_journal_begun(const char *database)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char journal[28];
    char path[PATH_MAX];
    if (!fit_path(database, "-journal", path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno != ENOENT;
    ssize_t got = pread(fd, journal, sizeof journal, 0);
    close(fd);
    if (got != (ssize_t)sizeof journal)
        return got < 0;
    return memcmp(journal, magic, sizeof magic) == 0 && fit_number(journal + 16) == 0 &&
           fit_number(journal + 24) == FIT_PAGE_BYTES;
}

/* Whether a file of one page is a database that was begun here, as fit_pragmas sets it, when a kill
 * or a loss of power came before its first commit; it may have nothing of the page but its size, if
 * the journal says so. SQLite judges it. */
static bool fit_begun(const unsigned char *header, const char *database)
{
    static const unsigned char nothing[FIT_HEADER_BYTES];
    if (memcmp(header, nothing, sizeof nothing) == 0)
        return fit_journal_begun(database);
    return memcmp(header, "SQLite format 3", 16) == 0 && fit_number(header + 68) == 0 &&
           fit_number(header + 60) == 0 &&
           (header[16] << 8 | header[17]) == FIT_PAGE_BYTES && /* auto_vacuum, incremental: */
           fit_number(header + 52) != 0 && fit_number(header + 64) == 1;
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
        return fit_failed(database, err);
    }
    struct stat info;
    if (fstat(fd, &info) != 0) {
        status = fit_failed(database, err);
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
    ssize_t got = pread(fd, header, sizeof header, 0);
    if (got < 0) {
        status = fit_failed(database, err);
        goto out;
    }
    bool whole = got == (ssize_t)sizeof header;
    if (whole && info.st_size <= FIT_PAGE_BYTES && fit_begun(header, database)) {
        status = STORE_OK;
        goto out;
    }
    if (!whole || memcmp(header, "SQLite format 3", 16) != 0) {
        error_set(err,
                  "%s is no SQLite database, or a damaged one; restore a backup, or name "
                  "another file with --database",
                  database);
        goto out;
    }
    uint32_t application = fit_number(header + 68), version = fit_number(header + 60);
    /* 0: perhaps all of it is in the WAL still; SQLite tells later. */
    status = application == 0 && fit_beside(database, "-wal")
                 ? STORE_OK
                 : fit_verdict(database, application, version, err);
out:
    close(fd);
    return status;
}
