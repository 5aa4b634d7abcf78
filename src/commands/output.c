#include "commands/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rename_new.h"
#include "commands/interrupt.h"

static int output_fail(const char *path, struct error *err)
{
    error_set(err, "%s: %s", path[0] != '\0' ? path : "standard output", strerror(errno));
    return OUTPUT_FAILED;
}

/* What stands at path now: nothing, or a file that may be replaced; output->path is where it really
 * is. */
static int output_look(struct output *output, const char *path, struct error *err)
{
    struct stat info;
    size_t len = strlen(path);
    if (len == 0 || len + sizeof ".part-XXXXXX" > sizeof output->path) {
        error_set(err, "%s: no name for a file", path);
        return OUTPUT_FAILED;
    }
    strcpy(output->path, path);
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? OUTPUT_OK : output_fail(path, err);
    /* A link is followed, not replaced. */
    if (stat(path, &info) != 0)
        return output_fail(path, err);
    if (!S_ISREG(info.st_mode)) {
        error_set(err, "%s: is no regular file", path);
        return OUTPUT_FAILED;
    }
    if (!output->force) {
        error_set(err, "%s: exists already; --force replaces it", path);
        return OUTPUT_FAILED;
    }
    if (realpath(path, output->path) == NULL)
        return output_fail(path, err);
    if (strlen(output->path) + sizeof ".part-XXXXXX" <= sizeof output->path)
        return OUTPUT_OK;
    errno = ENAMETOOLONG;
    return output_fail(path, err);
}

int output_open(struct output *output, const char *path, bool force, struct error *err)
{
    *output = (struct output){.fd = STDOUT_FILENO, .force = force};
    bytes_init(&output->bytes);
    if (path == NULL || strcmp(path, "-") == 0) {
        output->terminal = isatty(STDOUT_FILENO) == 1;
        return OUTPUT_OK;
    }
    int status = output_look(output, path, err);
    if (status != OUTPUT_OK)
        return status;
    (void)snprintf(output->part, sizeof output->part, "%.*s.part-XXXXXX",
                   (int)(sizeof output->part - sizeof ".part-XXXXXX"), output->path);
    output->fd = mkostemp(output->part, O_CLOEXEC); /* 0600: what visitors did is nobody else's */
    if (output->fd >= 0)
        return OUTPUT_OK;
    output->part[0] = '\0';
    return output_fail(path, err);
}

int output_flush(struct output *output, struct error *err)
{
    size_t done = 0;
    int status = OUTPUT_OK;
    while (done < output->bytes.len && status == OUTPUT_OK) {
        ssize_t n = interrupted()
                        ? -1
                        : write(output->fd, output->bytes.data + done, output->bytes.len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (interrupted())
            status = OUTPUT_STOPPED;
        else if (errno == EPIPE && output->path[0] == '\0')
            status = OUTPUT_CLOSED;
        else if (errno != EINTR)
            status = output_fail(output->path, err);
    }
    output->written += (int64_t)done;
    output->bytes.len = 0;
    return status;
}

/* A name is only lasting when its folder is on the disk, too. */
static int output_sync_folder(const char *path)
{
    char copy[PATH_MAX];
    strcpy(copy, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int status = fsync(fd);
    close(fd);
    /* Some file systems have nothing to be synced there. */
    return status == 0 || errno == EINVAL ? 0 : -1;
}

static int output_rename(const struct output *output)
{
    if (!output->force) {
        if (rename_new(output->part, output->path) == 0)
            return 0;
        /* Where the file system can't: between a look and rename another one may come. */
        if ((errno != EINVAL && errno != ENOSYS) || access(output->path, F_OK) == 0)
            return -1;
    }
    return rename(output->part, output->path);
}

int output_finish(struct output *output, struct error *err)
{
    int status = output_flush(output, err);
    if (status != OUTPUT_OK || output->part[0] == '\0')
        return status;
    int fd = output->fd;
    if (fsync(fd) != 0)
        return output_fail(output->path, err);
    output->fd = -1;
    if (close(fd) != 0 || output_rename(output) != 0)
        return output_fail(output->path, err);
    output->part[0] = '\0';
    return output_sync_folder(output->path) == 0 ? OUTPUT_OK : output_fail(output->path, err);
}

void output_close(struct output *output)
{
    if (output->path[0] != '\0' && output->fd >= 0)
        close(output->fd);
    output->fd = -1;
    if (output->part[0] != '\0')
        (void)unlink(output->part);
    bytes_clear(&output->bytes);
}
