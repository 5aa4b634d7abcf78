#include "engine/backup_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/random.h"
#include "base/rename_new.h"

/* Left to the database on the same disk, so that it goes on taking commits. */
#define PLACE_SPARE_BYTES (64 << 20)

static int place_refuse(struct error *err, const char *file, const char *why)
{
    error_set(err, "%s: %s", file, why);
    return -1;
}

/* folder and file, with the links of the folder followed: whoever runs this may be in another
 * directory by now. */
static int place_resolve(struct backup_place *place, const char *file, struct error *err)
{
    char folder[PATH_MAX];
    const char *name = strrchr(file, '/');
    if (file[0] != '/' || strlen(file) >= sizeof folder)
        return place_refuse(err, file, "no absolute path, or too long a one");
    name++;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return place_refuse(err, file, "names no file");
    memcpy(folder, file, (size_t)(name - file));
    folder[name - file] = '\0';
    if (realpath(folder, place->folder) == NULL)
        return place_refuse(err, folder, strerror(errno));
    const char *slash = strcmp(place->folder, "/") == 0 ? "" : "/";
    if ((size_t)snprintf(place->file, sizeof place->file, "%s%s%s", place->folder, slash, name) >=
        sizeof place->file)
        return place_refuse(err, file, "too long a path");
    return 0;
}

/* The path with the links of its folder followed. False when that can't be. */
static bool place_name(const char *file, char out[PATH_MAX])
{
    char folder[PATH_MAX] = ".", real[PATH_MAX];
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    size_t len = (size_t)(name - file);
    if (len >= sizeof folder)
        return false;
    if (len > 0) {
        memcpy(folder, file, len);
        folder[len] = '\0';
    }
    return realpath(folder, real) != NULL &&
           (size_t)snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) <
               PATH_MAX;
}

bool backup_place_is_own(const char *file, const char *database)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock", ".control"};
    char real[PATH_MAX], name[PATH_MAX], path[PATH_MAX];
    struct stat own, there;
    if (realpath(database, real) == NULL)
        return false;
    bool named = place_name(file, name), exists = stat(file, &there) == 0;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if ((size_t)snprintf(path, sizeof path, "%s%s", real, suffixes[i]) >= sizeof path)
            continue;
        if (named && strcmp(path, name) == 0)
            return true;
        if (exists && stat(path, &own) == 0 && own.st_dev == there.st_dev &&
            own.st_ino == there.st_ino)
            return true;
    }
    return false;
}

/* A path beside the file; false when it is too long. */
static bool place_beside(const struct backup_place *place, const char *suffix, char out[PATH_MAX])
{
    return (size_t)snprintf(out, PATH_MAX, "%s%s", place->file, suffix) < PATH_MAX;
}

/* SQLite would take a WAL that was left there for the backup's, and damage it. */
static bool place_has_log(const struct backup_place *place)
{
    char path[PATH_MAX];
    struct stat info;
    return (place_beside(place, "-wal", path) && stat(path, &info) == 0 && info.st_size > 0) ||
           (place_beside(place, "-journal", path) && stat(path, &info) == 0 && info.st_size > 0);
}

/* A beacond has the database there open. */
static bool place_is_used(const struct backup_place *place)
{
    char path[PATH_MAX];
    int fd =
        place_beside(place, ".lock", path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return false;
    bool used = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return used;
}

static int place_judge(const struct backup_place *place, const char *database, struct error *err)
{
    struct stat info;
    if (backup_place_is_own(place->file, database))
        return place_refuse(err, place->file, "is the database itself, or belongs to it");
    bool there = lstat(place->file, &info) == 0;
    if (!there && errno != ENOENT)
        return place_refuse(err, place->file, strerror(errno));
    if (there && !place->replace)
        return place_refuse(err, place->file, "exists already; --force replaces it");
    if (there && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        return place_refuse(err, place->file, "is no regular file");
    if (there && place_is_used(place))
        return place_refuse(err, place->file, "a beacond has that database open");
    if (place_has_log(place))
        return place_refuse(err, place->file,
                            "beside it is the -wal or -journal of a database that was there, which "
                            "would be taken for the backup's; move that away first");
    return 0;
}

int backup_place_make(struct backup_place *place, const char *database, const char *file,
                      bool replace, struct error *err)
{
    uint64_t number;
    *place = (struct backup_place){.replace = replace, .fd = -1};
    if (place_resolve(place, file, err) != 0 || place_judge(place, database, err) != 0)
        return -1;
    random_fill(&number, sizeof number);
    if ((size_t)snprintf(place->partial, sizeof place->partial, "%s.partial-%016llx", place->file,
                         (unsigned long long)number) >= sizeof place->partial)
        return place_refuse(err, file, "too long a path");
    place->fd = open(place->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return place->fd >= 0 ? 0 : place_refuse(err, place->partial, strerror(errno));
}

int backup_place_room(const struct backup_place *place, const char *database, int64_t bytes,
                      struct error *err)
{
    struct statvfs room;
    struct stat own, there;
    if (fstatvfs(place->fd, &room) != 0)
        return 0; /* nobody knows; it shows */
    bool shared =
        stat(database, &own) == 0 && fstat(place->fd, &there) == 0 && own.st_dev == there.st_dev;
    int64_t needed = bytes + (shared ? PLACE_SPARE_BYTES : 0);
    int64_t left = (int64_t)room.f_bavail * (int64_t)room.f_frsize;
    if (left >= needed)
        return 0;
    int64_t needed_mb = needed / 1000000 + 1, left_mb = left / 1000000;
    error_set(err, "%s: no space: it takes %lld MB%s, and %lld MB are left", place->file,
              (long long)needed_mb, shared ? ", some of them spare for the database" : "",
              (long long)left_mb);
    return -1;
}

/* Not every file system knows RENAME_NOREPLACE; a second name that is refused where there is one
 * says the same. */
static int place_rename(const struct backup_place *place)
{
    if (place->replace)
        return rename(place->partial, place->file);
    if (rename_new(place->partial, place->file) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(place->partial, place->file) != 0)
        return -1;
    return unlink(place->partial);
}

static int place_sync_folder(const struct backup_place *place)
{
    int fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd >= 0 ? fsync(fd) : -1;
    if (fd >= 0)
        close(fd);
    return status;
}

/* What SQLite could not take away beside the partial file belongs to it: it is not one file. */
static bool place_has_rest(const struct backup_place *place)
{
    static const char *const suffixes[] = {"-wal", "-journal"};
    char path[PATH_MAX];
    struct stat info;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if ((size_t)snprintf(path, sizeof path, "%s%s", place->partial, suffixes[i]) <
                sizeof path &&
            stat(path, &info) == 0)
            return true;
    return false;
}

int backup_place_keep(struct backup_place *place, struct error *err)
{
    if (place_has_rest(place))
        return place_refuse(err, place->file, "the disk has failed; a journal was left beside it");
    if (place_has_log(place))
        return place_refuse(err, place->file, "another program has begun to use a database there");
    if (place_rename(place) != 0)
        return place_refuse(err, place->file,
                            errno == EEXIST ? "exists by now; --force replaces it"
                                            : strerror(errno));
    close(place->fd);
    place->fd = -1;
    if (place_sync_folder(place) == 0)
        return 0;
    error_set(err, "%s is there, but its name may not survive a power loss: %s", place->file,
              strerror(errno));
    return -1;
}

void backup_place_clear(struct backup_place *place)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_MAX];
    if (place->fd < 0)
        return;
    close(place->fd);
    place->fd = -1;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if ((size_t)snprintf(path, sizeof path, "%s%s", place->partial, suffixes[i]) < sizeof path)
            (void)unlink(path);
}
