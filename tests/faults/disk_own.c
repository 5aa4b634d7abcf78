/* The disk as our own objects see it: the linker sends their calls through these. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/rename_new.h"
#include "disk.h"
#include "points.h"

/* A call's own declaration serves for the one behind it and the one before it. */
#define OWN(call) extern __typeof__(call) __real_##call, __wrap_##call
OWN(open);
OWN(read);
OWN(pread);
OWN(write);
OWN(pwrite);
OWN(fsync);
OWN(ftruncate);
OWN(rename);
OWN(rename_new);
OWN(link);
OWN(unlink);
OWN(statvfs);
OWN(fstatvfs);
OWN(sync_file_range);

static enum disk_file own_file(int fd)
{
    char link[64], path[4096];
    struct stat info;
    if (fd == STDERR_FILENO)
        return DISK_LOG;
    if (fstat(fd, &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)))
        return DISK_STREAM;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return disk_file_of(path);
}

static int own_fail(int error)
{
    errno = disk_errno(error);
    return -1;
}

/* The error for this call; 0: none. */
static int own_asked(enum disk_op op, int fd)
{
    if (disk == NULL)
        return 0;
    int before = errno;
    enum disk_file file = own_file(fd);
    errno = before;
    return file != DISK_STREAM ? disk_asked(op, file) : 0;
}

static int own_asked_path(enum disk_op op, const char *path)
{
    return disk != NULL ? disk_asked(op, disk_file_of(path)) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    int error = own_asked_path(DISK_OWN_OPEN, path);
    return error != 0 ? own_fail(error) : __real_open(path, flags, mode);
}

ssize_t __wrap_read(int fd, void *to, size_t len)
{
    int error = own_asked(DISK_OWN_READ, fd);
    return error != 0 ? own_fail(error) : __real_read(fd, to, len);
}

ssize_t __wrap_pread(int fd, void *to, size_t len, off_t at)
{
    int error = own_asked(DISK_OWN_READ, fd);
    return error != 0 ? own_fail(error) : __real_pread(fd, to, len, at);
}

/* A write that is cut short says so by its count; the next one has the error. */
ssize_t __wrap_write(int fd, const void *from, size_t len)
{
    int error = own_asked(DISK_OWN_WRITE, fd);
    if (len > 1 && (error == DISK_EIO_HALF || error == DISK_ENOSPC_HALF))
        return __real_write(fd, from, len / 2);
    return error != 0 ? own_fail(error) : __real_write(fd, from, len);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t len, off_t at)
{
    int error = own_asked(DISK_OWN_WRITE, fd);
    if (len > 1 && (error == DISK_EIO_HALF || error == DISK_ENOSPC_HALF))
        return __real_pwrite(fd, from, len / 2, at);
    return error != 0 ? own_fail(error) : __real_pwrite(fd, from, len, at);
}

int __wrap_fsync(int fd)
{
    int error = own_asked(DISK_OWN_SYNC, fd);
    return error != 0 ? own_fail(error) : __real_fsync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
    int error = own_asked(DISK_OWN_TRUNCATE, fd);
    return error != 0 ? own_fail(error) : __real_ftruncate(fd, size);
}

int __wrap_rename(const char *from, const char *to)
{
    int error = own_asked_path(DISK_OWN_RENAME, from);
    return error != 0 ? own_fail(error) : __real_rename(from, to);
}

/* Here, for a call has one wrap: what points_calls.c does for the others. */
POINT(rename_new_before, "backup", "before-rename_new");
POINT(rename_new_after, "backup", "after-rename_new");

int __wrap_rename_new(const char *from, const char *to)
{
    point_pass(&rename_new_before);
    int error = own_asked_path(DISK_OWN_RENAME, from);
    int got = error != 0 ? own_fail(error) : __real_rename_new(from, to);
    point_pass(&rename_new_after);
    return got;
}

int __wrap_link(const char *from, const char *to)
{
    int error = own_asked_path(DISK_OWN_RENAME, from);
    return error != 0 ? own_fail(error) : __real_link(from, to);
}

int __wrap_unlink(const char *path)
{
    int error = own_asked_path(DISK_OWN_UNLINK, path);
    return error != 0 ? own_fail(error) : __real_unlink(path);
}

int __wrap_statvfs(const char *path, struct statvfs *out)
{
    int error = own_asked_path(DISK_OWN_ROOM, path), code = __real_statvfs(path, out);
    if (error == DISK_ENOSPC)
        out->f_bavail = out->f_bfree = 0;
    return error != 0 && error != DISK_ENOSPC ? own_fail(error) : code;
}

int __wrap_fstatvfs(int fd, struct statvfs *out)
{
    int error = own_asked(DISK_OWN_ROOM, fd), code = __real_fstatvfs(fd, out);
    if (error == DISK_ENOSPC)
        out->f_bavail = out->f_bfree = 0;
    return error != 0 && error != DISK_ENOSPC ? own_fail(error) : code;
}

int __wrap_sync_file_range(int fd, off_t at, off_t len, unsigned flags)
{
    int error = own_asked(DISK_OWN_SYNC_RANGE, fd);
    return error != 0 ? own_fail(error) : __real_sync_file_range(fd, at, len, flags);
}
