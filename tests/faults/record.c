/* These give other names, or bodies, to the functions that are defined here. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#include "record.h"

#include "faulty.h"

/* Where a file's offset is as wide as a register, write64 and write are one; glibc has both names.
 */
#if defined __GLIBC__ && __SIZEOF_LONG__ == 8

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORD_ANSWER_BYTES 256 /* of an answer: its beginning tells which it is */

/* Of the whole process; set before main, but for the count. */
static struct {
    bool on;
    int file; /* the record; -1: none */
    dev_t device;
    ino_t inode;
    const char *halt;
    const char *count;
    unsigned long kill, full;
    unsigned long calls; /* guarded by mutex */
    pthread_mutex_t mutex;
} record = {.file = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

/* The library's own function of that name and type. */
#define REAL(name, type)                                                                  \
    static type real_function;                                                            \
    if (__atomic_load_n(&real_function, __ATOMIC_RELAXED) == NULL)                        \
        __atomic_store_n(&real_function, (type)dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED); \
    type real = __atomic_load_n(&real_function, __ATOMIC_RELAXED)

typedef ssize_t write_fn(int fd, const void *from, size_t len);
typedef ssize_t pwrite_fn(int fd, const void *from, size_t len, off_t at);
typedef ssize_t writev_fn(int fd, const struct iovec *parts, int count);
typedef int truncate_fn(int fd, off_t size);
typedef int sync_fn(int fd);
typedef int rename_fn(const char *from, const char *to);
typedef int unlink_fn(const char *path);
typedef long syscall_fn(long number, ...);

static ssize_t record_real_writev(int fd, const struct iovec *parts, int count)
{
    REAL("writev", writev_fn *);
    return real(fd, parts, count);
}

/* A file that a call is about. */
struct record_file {
    uint64_t inode;
    off_t size;
    char path[4096];
};

static bool record_ends(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Whether the file is one of those that are recorded. */
static bool record_knows(int fd, struct record_file *out)
{
    struct stat info;
    char link[64];
    if (fstat(fd, &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) ||
        (record.file >= 0 && info.st_ino == record.inode && info.st_dev == record.device))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, out->path, sizeof out->path - 1);
    if (len <= 0)
        return false;
    out->path[len] = '\0';
    out->inode = info.st_ino;
    out->size = info.st_size;
    return info.st_nlink > 0 && !record_ends(out->path, "-shm") &&
           !record_ends(out->path, " (deleted)");
}

static void record_note(enum record_kind kind, const char *path, uint64_t inode, uint64_t offset,
                        const void *data, size_t len)
{
    if (record.file < 0)
        return;
    struct record_entry entry = {.path_len = (uint32_t)strlen(path),
                                 .data_len = (uint32_t)len,
                                 .pid = (uint32_t)getpid(),
                                 .tid = (uint32_t)syscall(SYS_gettid),
                                 .inode = inode,
                                 .offset = offset,
                                 .kind = kind,
                                 .magic = RECORD_MAGIC};
    struct iovec parts[] = {{&entry, sizeof entry},
                            {(void *)(uintptr_t)path, entry.path_len},
                            {(void *)(uintptr_t)data, len}};
    pthread_mutex_lock(&record.mutex);
    if (record_real_writev(record.file, parts, 3) != (ssize_t)(sizeof entry + entry.path_len + len))
        abort();
    pthread_mutex_unlock(&record.mutex);
}

/* A call is about to change a file. Returns its number. */
static unsigned long record_count(void)
{
    pthread_mutex_lock(&record.mutex);
    unsigned long n = ++record.calls;
    pthread_mutex_unlock(&record.mutex);
    if (n == record.kill)
        faulty_kill();
    return n;
}

static bool record_is_full(unsigned long n, const struct record_file *file, off_t end)
{
    if (record.full == 0 || n < record.full || end <= file->size)
        return false;
    errno = ENOSPC;
    return true;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    REAL("pwrite", pwrite_fn *);
    struct record_file file;
    if (!record.on || !record_knows(fd, &file))
        return real(fd, from, len, at);
    if (record_is_full(record_count(), &file, at + (off_t)len))
        return -1;
    ssize_t done = real(fd, from, len, at);
    int error = errno;
    if (done > 0)
        record_note(RECORD_WRITE, file.path, file.inode, (uint64_t)at, from, (size_t)done);
    errno = error;
    return done;
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
    return pwrite(fd, from, len, at);
}

ssize_t write(int fd, const void *from, size_t len)
{
    REAL("write", write_fn *);
    struct record_file file;
    int error = errno;
    bool known = record.on && record_knows(fd, &file);
    errno = error;
    if (!known)
        return real(fd, from, len);
    off_t at = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? file.size : lseek(fd, 0, SEEK_CUR);
    if (record_is_full(record_count(), &file, at + (off_t)len))
        return -1;
    ssize_t done = real(fd, from, len);
    error = errno;
    if (done > 0)
        record_note(RECORD_WRITE, file.path, file.inode, (uint64_t)at, from, (size_t)done);
    errno = error;
    return done;
}

/* Nothing writes to files so; it is how answers leave. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof peer;
    int error = errno;
    if (record.on && record.file >= 0 && count > 0 &&
        getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0) {
        uint64_t port =
            peer.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)&peer)->sin_port) : 0;
        size_t len =
            parts[0].iov_len < RECORD_ANSWER_BYTES ? parts[0].iov_len : RECORD_ANSWER_BYTES;
        record_note(RECORD_ANSWER, "", 0, port, parts[0].iov_base, len);
    }
    errno = error;
    return record_real_writev(fd, parts, count);
}

int ftruncate(int fd, off_t size)
{
    REAL("ftruncate", truncate_fn *);
    struct record_file file;
    if (!record.on || !record_knows(fd, &file))
        return real(fd, size);
    if (record_is_full(record_count(), &file, size))
        return -1;
    int status = real(fd, size), error = errno;
    if (status == 0)
        record_note(RECORD_TRUNCATE, file.path, file.inode, (uint64_t)size, NULL, 0);
    errno = error;
    return status;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

static int record_sync(int fd, sync_fn *real)
{
    struct record_file file;
    if (!record.on || !record_knows(fd, &file))
        return real(fd);
    (void)record_count();
    if (record.halt != NULL && record_ends(file.path, "-wal") && access(record.halt, F_OK) == 0)
        faulty_kill();
    record_note(RECORD_BEGIN, file.path, file.inode, 0, NULL, 0);
    int status = real(fd), error = errno;
    if (status == 0)
        record_note(RECORD_SYNC, file.path, file.inode, 0, NULL, 0);
    errno = error;
    return status;
}

int fsync(int fd)
{
    REAL("fsync", sync_fn *);
    return record_sync(fd, real);
}

int fdatasync(int fd)
{
    REAL("fdatasync", sync_fn *);
    return record_sync(fd, real);
}

/* Names are noted as whole paths. */
static const char *record_whole(const char *path, char out[8192])
{
    char here[4096];
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL)
        return path;
    snprintf(out, 8192, "%s/%s", here, path);
    return out;
}

/* Something is about to become of a name. False: it is none that is recorded. */
static bool record_names(const char *path)
{
    int error = errno;
    if (!record.on || record_ends(path, "-shm"))
        return false;
    (void)record_count();
    errno = error;
    return true;
}

static void record_named(enum record_kind kind, const char *from, const char *to)
{
    char from_room[8192], to_room[8192];
    int error = errno;
    const char *whole = to != NULL ? record_whole(to, to_room) : "";
    record_note(kind, record_whole(from, from_room), 0, 0, whole, strlen(whole));
    errno = error;
}

int rename(const char *from, const char *to)
{
    REAL("rename", rename_fn *);
    bool known = record_names(from);
    int status = real(from, to);
    if (known && status == 0)
        record_named(RECORD_RENAME, from, to);
    return status;
}

int link(const char *from, const char *to)
{
    REAL("link", rename_fn *);
    bool known = record_names(from);
    int status = real(from, to);
    if (known && status == 0)
        record_named(RECORD_LINK, from, to);
    return status;
}

int unlink(const char *path)
{
    REAL("unlink", unlink_fn *);
    bool known = record_names(path);
    int status = real(path);
    if (known && status == 0)
        record_named(RECORD_UNLINK, path, NULL);
    return status;
}

/* base/rename_new asks the kernel itself. Whoever gave fewer than six arguments left the rest as
 * they were, which is nothing that AddressSanitizer should look at. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
    REAL("syscall", syscall_fn *);
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    const char *from = (const char *)arguments[1];
    bool known = number == SYS_renameat2 && record_names(from);
    long status = real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                       arguments[5]);
    if (known && status == 0)
        record_named(RECORD_RENAME, from, (const char *)arguments[3]);
    return status;
}

static unsigned long record_number(const char *name)
{
    const char *text = faulty_setting(name);
    return text != NULL ? strtoul(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void record_begin(void)
{
    const char *path = faulty_setting("RECORD");
    struct stat info;
    if (path != NULL) {
        record.file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (record.file < 0 || fstat(record.file, &info) != 0)
            abort();
        record.device = info.st_dev;
        record.inode = info.st_ino;
    }
    record.halt = faulty_setting("RECORD_HALT");
    record.count = faulty_setting("RECORD_COUNT");
    record.kill = record_number("RECORD_KILL");
    record.full = record_number("RECORD_FULL");
    record.on = path != NULL || record.halt != NULL || record.count != NULL || record.kill != 0 ||
                record.full != 0;
}

__attribute__((destructor)) static void record_end(void)
{
    if (record.count == NULL)
        return;
    record.on = false;
    FILE *file = fopen(record.count, "w");
    if (file == NULL || fprintf(file, "%lu\n", record.calls) < 0 || fclose(file) != 0)
        abort();
}

#else

#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void record_begin(void)
{
    if (faulty_setting("RECORD") == NULL && faulty_setting("RECORD_KILL") == NULL)
        return;
    fputs("beacond-faulty: nothing can be recorded on this system\n", stderr);
    exit(77);
}

#endif
