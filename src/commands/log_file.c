#include "commands/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/interrupt.h"

#define LOG_FILE_READ ((size_t)256 << 10)

/* What errno says. */
static int log_file_failure(struct error *err)
{
    if (errno == EINTR && interrupted()) {
        error_set(err, "interrupted");
        return LOG_FILE_STOPPED;
    }
    error_set(err, "%s", strerror(errno));
    return LOG_FILE_FAILED;
}

/* Reads behind in.len. */
static ssize_t log_file_fill(struct log_file *file, struct error *err)
{
    ssize_t n;
    if (bytes_reserve(&file->in, LOG_FILE_READ) != 0) {
        error_set(err, "out of memory");
        return LOG_FILE_FAILED;
    }
    do
        n = read(file->fd, file->in.data + file->in.len, LOG_FILE_READ);
    while (n < 0 && errno == EINTR && !interrupted());
    if (n < 0)
        return log_file_failure(err);
    file->in.len += (size_t)n;
    file->taken += n;
    file->ended = n == 0;
    return n;
}

int log_file_open(struct log_file *file, const char *path, struct error *err)
{
    struct stat found;
    *file = (struct log_file){.fd = -1};
    bytes_init(&file->in);
    bool standard = strcmp(path, "-") == 0;
    do
        file->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (file->fd < 0 && errno == EINTR && !interrupted());
    if (file->fd < 0 || fstat(file->fd, &found) != 0)
        return log_file_failure(err);
    if (S_ISREG(found.st_mode))
        file->size = found.st_size;
    unsigned char first[2];
    file->regular = !standard && S_ISREG(found.st_mode) &&
                    !(pread(file->fd, first, sizeof first, 0) == 2 && gunzip_is(first, 2));
    if (S_ISREG(found.st_mode))
        (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return 0;
}

void log_file_close(struct log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    gunzip_free(file->gunzip);
    file->gunzip = NULL;
    bytes_clear(&file->in);
}

/* Finds out what it is: two bytes are needed. */
static int log_file_begin(struct log_file *file, struct error *err)
{
    while (!file->ended && file->in.len < 2) {
        ssize_t n = log_file_fill(file, err);
        if (n < 0)
            return (int)n;
    }
    file->begun = true;
    if (!gunzip_is(file->in.data, file->in.len))
        return 0;
    file->gunzip = gunzip_new();
    if (file->gunzip != NULL)
        return 0;
    error_set(err, "out of memory");
    return LOG_FILE_FAILED;
}

/* Plain bytes of what was read. */
static ssize_t log_file_take(struct log_file *file, char *out, size_t room, struct error *err)
{
    size_t have = file->in.len - file->at, used = have < room ? have : room, got = used;
    if (file->gunzip == NULL) {
        if (used > 0)
            memcpy(out, file->in.data + file->at, used);
    } else if (gunzip_read(file->gunzip, file->in.data + file->at, have, &used, out, room, &got,
                           err) != 0) {
        return LOG_FILE_FAILED;
    }
    file->at += used;
    if (file->at == file->in.len)
        file->at = file->in.len = 0;
    return (ssize_t)got;
}

ssize_t log_file_read(struct log_file *file, char *out, size_t room, struct error *err)
{
    int status = file->begun ? 0 : log_file_begin(file, err);
    if (status != 0)
        return status;
    for (;;) {
        size_t had = file->in.len;
        ssize_t n = log_file_take(file, out, room, err);
        if (n != 0)
            return n;
        if (had > 0 && file->in.len > 0)
            continue; /* an empty member */
        if (file->ended)
            break;
        n = log_file_fill(file, err);
        if (n < 0)
            return n;
    }
    if (file->gunzip == NULL || gunzip_whole(file->gunzip))
        return LOG_FILE_END;
    error_set(err, "the gzip is cut short");
    return LOG_FILE_FAILED;
}

bool log_file_ready(const struct log_file *file)
{
    struct pollfd ready = {.fd = file->fd, .events = POLLIN};
    return file->in.len > 0 || file->ended || poll(&ready, 1, 0) != 0;
}

int log_file_read_at(const struct log_file *file, int64_t at, char *out, size_t len,
                     struct error *err)
{
    while (len > 0) {
        ssize_t n = pread(file->fd, out, len, (off_t)at);
        if (n < 0 && errno == EINTR && !interrupted())
            continue;
        if (n < 0)
            return log_file_failure(err);
        if (n == 0) {
            error_set(err, "it has become shorter while it was read");
            return LOG_FILE_FAILED;
        }
        out += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
