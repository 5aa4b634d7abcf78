/*
 * Ends the process at a named point, as kill -9 there would: FAULTY_POINT=NAME:N, at the Nth time
 * that NAME is passed (N may be left out: the first), FAULTY_POINT=any:N at the Nth point whatever
 * it is. FAULTY_POINT=list prints all of them, a line "KIND NAME" each, and exits. KIND says what
 * must go on for the point to be passed; tests/crash/points.py knows how to bring each about, so
 * that a test can show that every point was really there. NAME:N:MS stops the thread there for so
 * many milliseconds before: what others have been told too early gets out meanwhile.
 *
 * There are two sorts: before and after calls from one source file to another, and before, amid and
 * after what SQLite does to a file. Amid is half of a write: the kernel, too, gives up a long one
 * when its process is killed.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faulty.h"
#include "points.h"

extern struct point *__start_points[], *__stop_points[];

static struct point *points_armed;
static bool points_any; /* instead of one of them */
static unsigned long points_left = 1, points_stall_ms;

void point_pass(struct point *point)
{
    static atomic_ulong passed;
    char text[128];
    if (!points_any && point != points_armed)
        return;
    if (atomic_fetch_add(&passed, 1) + 1 != points_left)
        return;
    usleep(points_stall_ms * 1000); /* as a slow disk does: so others get as far as they may */
    int len = snprintf(text, sizeof text, "point %s\n", point->name);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);
    (void)written;
    faulty_kill();
}

/* --- files ------------------------------------------------------------------------------------ */

/* What is done to one kind of file. */
struct points_acts {
    struct point *write[3]; /* before, amid, after */
    struct point *sync[2];  /* before, after; NULL: no point */
    struct point *truncate[2];
    struct point *erase[2];
    struct point *read;
};

#define FILE_WRITES(file, kind)                          \
    POINT(file##_write, kind, "before-" #file "-write"); \
    POINT(file##_half, kind, "amid-" #file "-write");    \
    POINT(file##_wrote, kind, "after-" #file "-write")
#define FILE_ACT(file, act, kind)                                 \
    POINT(file##_##act##_before, kind, "before-" #file "-" #act); \
    POINT(file##_##act##_after, kind, "after-" #file "-" #act)
#define WRITES(file)                               \
    {                                              \
        &file##_write, &file##_half, &file##_wrote \
    }
#define ACT(file, act)                                \
    {                                                 \
        &file##_##act##_before, &file##_##act##_after \
    }

FILE_WRITES(database, "forget");
FILE_ACT(database, sync, "forget");
FILE_ACT(database, truncate, "prune");
FILE_WRITES(wal, "commit");
FILE_ACT(wal, sync, "commit");
FILE_ACT(wal, truncate, "forget");
FILE_ACT(wal, delete, "end");
POINT(wal_read, "start", "before-wal-read"); /* it is recovered */
FILE_WRITES(journal, "fresh");
FILE_ACT(journal, sync, "fresh");
FILE_ACT(journal, delete, "fresh");
FILE_WRITES(copy, "backup");

static const struct points_acts points_database = {
    .write = WRITES(database), .sync = ACT(database, sync), .truncate = ACT(database, truncate)};
static const struct points_acts points_wal = {.write = WRITES(wal),
                                              .sync = ACT(wal, sync),
                                              .truncate = ACT(wal, truncate),
                                              .erase = ACT(wal, delete),
                                              .read = &wal_read};
static const struct points_acts points_journal = {
    .write = WRITES(journal), .sync = ACT(journal, sync), .erase = ACT(journal, delete)};
static const struct points_acts points_copy = {.write = WRITES(copy)};

/* A file of ours, the real one behind it in the same memory. */
struct points_file {
    sqlite3_file base;
    const struct points_acts *acts; /* NULL: none */
};

static sqlite3_vfs *points_real;
static sqlite3_vfs points_vfs;

static sqlite3_file *points_behind(sqlite3_file *file)
{
    return (sqlite3_file *)((struct points_file *)file + 1);
}

static void points_pass(struct point *point)
{
    if (point != NULL)
        point_pass(point);
}

#define REAL(file) points_behind(file)->pMethods

static int points_close(sqlite3_file *file)
{
    return REAL(file)->xClose(points_behind(file));
}

static int points_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    const struct points_acts *acts = ((struct points_file *)file)->acts;
    points_pass(acts != NULL ? acts->read : NULL);
    return REAL(file)->xRead(points_behind(file), data, len, at);
}

static int points_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    const struct points_acts *acts = ((struct points_file *)file)->acts;
    if (acts == NULL)
        return REAL(file)->xWrite(points_behind(file), data, len, at);
    points_pass(acts->write[0]);
    int code = SQLITE_OK, half = len / 2;
    /* In two, if it is to end there; who counts writes elsewhere counts one. */
    if (points_any || points_armed == acts->write[1]) {
        code = half > 0 ? REAL(file)->xWrite(points_behind(file), data, half, at) : SQLITE_OK;
        points_pass(acts->write[1]);
    }
    if (code == SQLITE_OK)
        code = REAL(file)->xWrite(points_behind(file), data, len, at);
    points_pass(acts->write[2]);
    return code;
}

static int points_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const struct points_acts *acts = ((struct points_file *)file)->acts;
    points_pass(acts != NULL ? acts->truncate[0] : NULL);
    int code = REAL(file)->xTruncate(points_behind(file), size);
    points_pass(acts != NULL ? acts->truncate[1] : NULL);
    return code;
}

static int points_sync(sqlite3_file *file, int flags)
{
    const struct points_acts *acts = ((struct points_file *)file)->acts;
    points_pass(acts != NULL ? acts->sync[0] : NULL);
    int code = REAL(file)->xSync(points_behind(file), flags);
    points_pass(acts != NULL ? acts->sync[1] : NULL);
    return code;
}

static int points_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file)->xFileSize(points_behind(file), size);
}

static int points_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->xLock(points_behind(file), lock);
}

static int points_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->xUnlock(points_behind(file), lock);
}

static int points_reserved(sqlite3_file *file, int *out)
{
    return REAL(file)->xCheckReservedLock(points_behind(file), out);
}

static int points_control(sqlite3_file *file, int what, void *arg)
{
    return REAL(file)->xFileControl(points_behind(file), what, arg);
}

static int points_sector(sqlite3_file *file)
{
    return REAL(file)->xSectorSize(points_behind(file));
}

static int points_device(sqlite3_file *file)
{
    return REAL(file)->xDeviceCharacteristics(points_behind(file));
}

static int points_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return REAL(file)->xShmMap(points_behind(file), page, size, extend, out);
}

static int points_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return REAL(file)->xShmLock(points_behind(file), at, n, flags);
}

static void points_shm_barrier(sqlite3_file *file)
{
    REAL(file)->xShmBarrier(points_behind(file));
}

static int points_shm_unmap(sqlite3_file *file, int erase)
{
    return REAL(file)->xShmUnmap(points_behind(file), erase);
}

static int points_fetch(sqlite3_file *file, sqlite3_int64 at, int len, void **out)
{
    return REAL(file)->xFetch(points_behind(file), at, len, out);
}

static int points_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    return REAL(file)->xUnfetch(points_behind(file), at, page);
}

static const sqlite3_io_methods points_methods = {
    .iVersion = 3,
    .xClose = points_close,
    .xRead = points_read,
    .xWrite = points_write,
    .xTruncate = points_truncate,
    .xSync = points_sync,
    .xFileSize = points_size,
    .xLock = points_lock,
    .xUnlock = points_unlock,
    .xCheckReservedLock = points_reserved,
    .xFileControl = points_control,
    .xSectorSize = points_sector,
    .xDeviceCharacteristics = points_device,
    .xShmMap = points_shm_map,
    .xShmLock = points_shm_lock,
    .xShmBarrier = points_shm_barrier,
    .xShmUnmap = points_shm_unmap,
    .xFetch = points_fetch,
    .xUnfetch = points_unfetch,
};

static const struct points_acts *points_which(const char *name, int flags)
{
    if (name == NULL)
        return NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0)
        return strstr(name, ".partial-") != NULL ? &points_copy : &points_database;
    if ((flags & SQLITE_OPEN_WAL) != 0)
        return &points_wal;
    return (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0 ? &points_journal : NULL;
}

static int points_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    int code = points_real->xOpen(points_real, name, points_behind(file), flags, out);
    ((struct points_file *)file)->acts = points_which(name, flags);
    file->pMethods = points_behind(file)->pMethods != NULL ? &points_methods : NULL;
    return code;
}

static int points_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    const char *end = strrchr(name, '-');
    const struct points_acts *acts = end == NULL                    ? NULL
                                     : strcmp(end, "-wal") == 0     ? &points_wal
                                     : strcmp(end, "-journal") == 0 ? &points_journal
                                                                    : NULL;
    points_pass(acts != NULL ? acts->erase[0] : NULL);
    int code = points_real->xDelete(points_real, name, sync);
    points_pass(acts != NULL ? acts->erase[1] : NULL);
    return code;
}

/* --- beginning -------------------------------------------------------------------------------- */

static void points_arm(const char *setting)
{
    const char *colon = strchr(setting, ':');
    size_t len = colon != NULL ? (size_t)(colon - setting) : strlen(setting);
    points_any = len == 3 && strncmp(setting, "any", len) == 0;
    for (struct point **at = __start_points; at < __stop_points; at++)
        if (strlen((*at)->name) == len && strncmp((*at)->name, setting, len) == 0)
            points_armed = *at;
    if (colon != NULL)
        (void)sscanf(colon, ":%lu:%lu", &points_left, &points_stall_ms);
    if ((points_armed == NULL && !points_any) || points_left == 0) {
        fprintf(stderr, "FAULTY_POINT=%s: there is no such point\n", setting);
        _exit(3);
    }
}

__attribute__((constructor)) static void points_begin(void)
{
    const char *setting = faulty_setting("POINT");
    if (setting == NULL)
        return;
    if (strcmp(setting, "list") == 0) {
        for (struct point **at = __start_points; at < __stop_points; at++)
            printf("%s %s\n", (*at)->kind, (*at)->name);
        fflush(stdout);
        _exit(0);
    }
    points_arm(setting);
    points_real = sqlite3_vfs_find(NULL);
    points_vfs = *points_real;
    points_vfs.zName = "points";
    points_vfs.szOsFile = (int)sizeof(struct points_file) + points_real->szOsFile;
    points_vfs.xOpen = points_open;
    points_vfs.xDelete = points_delete;
    (void)sqlite3_vfs_register(&points_vfs, 1);
}
