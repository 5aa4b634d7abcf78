#include "server/files_load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/url_path.h"

struct files_loader {
    const char *dir; /* as the operator calls it: for err */
    char *root;      /* what it really is; nothing outside of it is read */
    struct files *files;
    struct error *err;
};

/* name: below dir, without a '/' in front. */
static int files_load_fail(const struct files_loader *loader, const char *name, const char *why)
{
    error_set(loader->err, "%s%s%s: %s", loader->dir, *name != '\0' ? "/" : "", name, why);
    return -1;
}

/* Whether path, which realpath has made, is dir or something in it. */
static bool files_load_inside(const struct files_loader *loader, const char *path)
{
    size_t len = strlen(loader->root);
    return strncmp(path, loader->root, len) == 0 &&
           (path[len] == '\0' || path[len] == '/' || len == 1);
}

/* Opens what stands at name; what it is can't be changed behind the descriptor. -1 with err. */
static int files_load_open(const struct files_loader *loader, const char *name, struct stat *stat)
{
    char path[PATH_MAX], real[PATH_MAX];
    int fd = -1;
    if (snprintf(path, sizeof path, "%s/%s", loader->root, name) >= (int)sizeof path)
        return files_load_fail(loader, name, "the path is too long");
    if (realpath(path, real) == NULL)
        return files_load_fail(loader, name, strerror(errno));
    if (!files_load_inside(loader, real))
        return files_load_fail(loader, name, "is a symbolic link that leads out of the directory");
    /* The links are resolved; and a FIFO must not keep the daemon waiting. */
    fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return files_load_fail(loader, name, strerror(errno));
    if (fstat(fd, stat) == 0 && (S_ISREG(stat->st_mode) || S_ISDIR(stat->st_mode)))
        return fd;
    (void)close(fd);
    return files_load_fail(loader, name, "is neither a file nor a directory");
}

static int files_load_read(const struct files_loader *loader, const char *name, int fd,
                           struct bytes *data)
{
    size_t most = FILES_LOAD_BYTES - files_bytes(loader->files);
    for (;;) {
        if (data->len > most)
            return files_load_fail(loader, name, "with it the files take more than 64 MiB");
        if (bytes_reserve(data, 65536) != 0)
            return files_load_fail(loader, name, "out of memory");
        ssize_t got = read(fd, data->data + data->len, data->capacity - data->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return files_load_fail(loader, name, strerror(errno));
        if (got == 0)
            return 0;
        data->len += (size_t)got;
    }
}

static int files_load_file(const struct files_loader *loader, const char *name, int fd)
{
    struct bytes data;
    bytes_init(&data);
    int status = 0;
    if (files_count(loader->files) == FILES_LOAD_COUNT)
        status = files_load_fail(loader, name, "there are more than 4096 files with it");
    if (status == 0)
        status = files_load_read(loader, name, fd, &data);
    if (status == 0 && files_add_take(loader->files, name, &data) != 0)
        status = files_load_fail(loader, name, "out of memory");
    bytes_clear(&data);
    return status;
}

static int files_load_directory(const struct files_loader *loader, const char *name, int fd,
                                unsigned depth);

/* entry: one in the directory of that name. */
static int files_load_entry(const struct files_loader *loader, const char *directory,
                            const char *entry, unsigned depth)
{
    char name[URL_PATH_SIZE];
    struct stat stat = {0};
    int len =
        snprintf(name, sizeof name, "%s%s%s", directory, *directory != '\0' ? "/" : "", entry);
    if (!url_path_segment(entry, strlen(entry)))
        return files_load_fail(loader, directory, "a name in it can't stand in a URL");
    if (len >= (int)sizeof name)
        return files_load_fail(loader, directory, "the path of a file in it is too long");
    int fd = files_load_open(loader, name, &stat);
    if (fd < 0)
        return -1;
    if (S_ISDIR(stat.st_mode))
        return files_load_directory(loader, name, fd, depth + 1);
    int status = files_load_file(loader, name, fd);
    (void)close(fd);
    return status;
}

/* fd is taken over. */
static int files_load_directory(const struct files_loader *loader, const char *name, int fd,
                                unsigned depth)
{
    int status = 0;
    struct dirent *entry;
    DIR *list = depth <= FILES_LOAD_DEPTH ? fdopendir(fd) : NULL;
    if (list == NULL) {
        (void)close(fd);
        return files_load_fail(loader, name, "is more than 16 directories deep");
    }
    while (status == 0 && (errno = 0, entry = readdir(list)) != NULL) {
        if (entry->d_name[0] != '.')
            status = files_load_entry(loader, name, entry->d_name, depth);
    }
    if (status == 0 && errno != 0)
        status = files_load_fail(loader, name, strerror(errno));
    (void)closedir(list);
    return status;
}

static int files_load_all(const struct files_loader *loader)
{
    int fd = open(loader->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return files_load_fail(loader, "", strerror(errno));
    if (files_load_directory(loader, "", fd, 1) != 0)
        return -1;
    files_end(loader->files);
    if (files_find(loader->files, "index.html") == NULL)
        return files_load_fail(loader, "index.html",
                               "is missing: the directory of a built dashboard has one");
    return 0;
}

struct files *files_load(const char *dir, struct error *err)
{
    struct files_loader loader = {.dir = dir, .err = err, .files = files_new()};
    loader.root = realpath(dir, NULL);
    int status = -1;
    if (loader.files == NULL)
        error_set(err, "out of memory");
    else if (loader.root == NULL)
        (void)files_load_fail(&loader, "", strerror(errno));
    else
        status = files_load_all(&loader);
    free(loader.root);
    if (status == 0)
        return loader.files;
    files_drop(loader.files);
    return NULL;
}
