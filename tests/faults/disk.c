/* The disk as SQLite sees it: a VFS of our own in front of the default one. */

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faulty.h"

struct disk *disk;

/* --- what is to fail -------------------------------------------------------------------------- */

static bool disk_ends(const char *path, const char *suffix)
{
    size_t len = strlen(path), tail = strlen(suffix);
    return len >= tail && strcmp(path + len - tail, suffix) == 0;
}

enum disk_file disk_file_of(const char *path)
{
    if (path == NULL)
        return DISK_TEMP;
    if (strstr(path, ".part") != NULL)
        return DISK_TARGET;
    if (disk_ends(path, "-wal"))
        return DISK_WAL;
    if (disk_ends(path, "-shm"))
        return DISK_SHM;
    if (disk_ends(path, "-journal"))
        return DISK_JOURNAL;
    if (disk_ends(path, ".lock"))
        return DISK_LOCK_FILE;
    return strstr(path, ".control") != NULL ? DISK_SOCKET : DISK_DATABASE;
}

int disk_asked(enum disk_op op, enum disk_file file)
{
    atomic_fetch_add(&disk->calls[op][file], 1);
    if (atomic_load(&disk->armed) == 0 || (disk->ops >> op & 1) == 0 ||
        (disk->files >> file & 1) == 0)
        return 0;
    uint32_t number = atomic_fetch_add(&disk->seen, 1) + 1;
    if (number < disk->from || (disk->times != 0 && number - disk->from >= disk->times))
        return 0;
    atomic_fetch_add(&disk->hits, 1);
    return (int)disk->error;
}

int disk_errno(int error)
{
    switch (error) {
    case DISK_ENOSPC:
    case DISK_ENOSPC_HALF:
        return ENOSPC;
    case DISK_ENOMEM:
        return ENOMEM;
    case DISK_EMFILE:
        return EMFILE;
    default:
        return EIO;
    }
}

/* --- what a flush that fails has lost ----------------------------------------------------------
 *
 * Linux marks pages that it could not write as clean. They may be dropped then, and what is read
 * is what was on the disk before.
 */

struct disk_write {
    struct disk_write *older;
    sqlite3_int64 at;
    int len;
    unsigned char before[];
};

static pthread_mutex_t disk_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct disk_write *disk_unflushed[DISK_FILES];

static void disk_remember(sqlite3_file *real, enum disk_file file, int len, sqlite3_int64 at)
{
    struct disk_write *write = malloc(sizeof *write + (size_t)len);
    if (write == NULL)
        abort();
    memset(write->before, 0, (size_t)len);
    (void)real->pMethods->xRead(real, write->before, len, at);
    write->at = at;
    write->len = len;
    pthread_mutex_lock(&disk_mutex);
    write->older = disk_unflushed[file];
    disk_unflushed[file] = write;
    pthread_mutex_unlock(&disk_mutex);
}

/* real: where what was written is taken back; NULL: it is on the disk. */
static void disk_forget(sqlite3_file *real, enum disk_file file)
{
    pthread_mutex_lock(&disk_mutex);
    struct disk_write *write = disk_unflushed[file];
    disk_unflushed[file] = NULL;
    pthread_mutex_unlock(&disk_mutex);
    while (write != NULL) {
        struct disk_write *older = write->older;
        if (real != NULL)
            (void)real->pMethods->xWrite(real, write->before, write->len, write->at);
        free(write);
        write = older;
    }
}

/* --- an open file ----------------------------------------------------------------------------- */

struct disk_open {
    sqlite3_file base;
    enum disk_file file;
    sqlite3_file *real; /* behind this in memory */
};

#define REAL(f) (((struct disk_open *)(f))->real)
#define ASK(f, op) disk_asked(op, ((struct disk_open *)(f))->file)

static int disk_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}

static int disk_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
    int error = ASK(f, DISK_READ);
    if (error == DISK_EIO_HALF)
        (void)REAL(f)->pMethods->xRead(REAL(f), to, len / 2, at);
    return error != 0 ? SQLITE_IOERR_READ : REAL(f)->pMethods->xRead(REAL(f), to, len, at);
}

static int disk_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    int error = ASK(f, DISK_WRITE);
    if (disk->track != 0)
        disk_remember(REAL(f), ((struct disk_open *)f)->file, len, at);
    if (error == 0)
        return REAL(f)->pMethods->xWrite(REAL(f), from, len, at);
    if (error == DISK_EIO_HALF || error == DISK_ENOSPC_HALF)
        (void)REAL(f)->pMethods->xWrite(REAL(f), from, len / 2, at);
    return disk_errno(error) == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return ASK(f, DISK_TRUNCATE) != 0 ? SQLITE_IOERR_TRUNCATE
                                      : REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int disk_sync(sqlite3_file *f, int flags)
{
    enum disk_file file = ((struct disk_open *)f)->file;
    int error = ASK(f, DISK_SYNC);
    int code = error != 0 ? SQLITE_IOERR_FSYNC : REAL(f)->pMethods->xSync(REAL(f), flags);
    if (code == SQLITE_OK || error == DISK_LOSSY)
        disk_forget(code == SQLITE_OK ? NULL : REAL(f), file);
    return code;
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return ASK(f, DISK_SIZE) != 0 ? SQLITE_IOERR_FSTAT
                                  : REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int disk_lock(sqlite3_file *f, int level)
{
    return ASK(f, DISK_LOCK) != 0 ? SQLITE_IOERR_LOCK : REAL(f)->pMethods->xLock(REAL(f), level);
}

static int disk_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int disk_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int disk_control(sqlite3_file *f, int what, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), what, arg);
}

static int disk_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int disk_traits(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int disk_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    int error = ASK(f, DISK_SHM_MAP);
    if (error != 0)
        return error == DISK_ENOMEM ? SQLITE_NOMEM : SQLITE_IOERR_SHMSIZE;
    return REAL(f)->pMethods->xShmMap(REAL(f), region, size, extend, out);
}

/* To let go of a lock never fails: SQLite doesn't look. */
static int disk_shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && ASK(f, DISK_SHM_LOCK) != 0)
        return SQLITE_IOERR_SHMLOCK;
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int disk_shm_unmap(sqlite3_file *f, int away)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), away);
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2, /* nothing is read through a mapping */
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

/* --- the file system -------------------------------------------------------------------------- */

static sqlite3_vfs *disk_behind;

static int disk_vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct disk_open *open = (struct disk_open *)f;
    open->base.pMethods = NULL;
    open->file = disk_file_of(name);
    open->real = (sqlite3_file *)(open + 1);
    if (ASK(f, DISK_OPEN) != 0)
        return SQLITE_CANTOPEN;
    int code = disk_behind->xOpen(disk_behind, name, open->real, flags, out);
    /* What could be opened in part is to be closed. */
    if (open->real->pMethods != NULL)
        open->base.pMethods = &disk_methods;
    return code;
}

static int disk_vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return disk_asked(DISK_DELETE, disk_file_of(name)) != 0
               ? SQLITE_IOERR_DELETE
               : disk_behind->xDelete(disk_behind, name, sync);
}

static int disk_vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return disk_asked(DISK_ACCESS, disk_file_of(name)) != 0
               ? SQLITE_IOERR_ACCESS
               : disk_behind->xAccess(disk_behind, name, flags, out);
}

static int disk_vfs_full(sqlite3_vfs *vfs, const char *name, int len, char *out)
{
    (void)vfs;
    return disk_asked(DISK_FULL_PATH, disk_file_of(name)) != 0
               ? SQLITE_CANTOPEN_FULLPATH
               : disk_behind->xFullPathname(disk_behind, name, len, out);
}

__attribute__((constructor)) static void disk_begin(void)
{
    static sqlite3_vfs vfs;
    const char *path = faulty_setting("DISK");
    if (path == NULL)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map =
        fd < 0 ? MAP_FAILED : mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    _Static_assert(sizeof(struct disk) <= DISK_BYTES, "it fits");
    disk_behind = sqlite3_vfs_find(NULL);
    if (map == MAP_FAILED || disk_behind == NULL) {
        perror(path);
        _exit(70);
    }
    close(fd);
    vfs = *disk_behind;
    vfs.zName = "faulty";
    vfs.szOsFile += (int)sizeof(struct disk_open);
    vfs.xOpen = disk_vfs_open;
    vfs.xDelete = disk_vfs_delete;
    vfs.xAccess = disk_vfs_access;
    vfs.xFullPathname = disk_vfs_full;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        _exit(70);
    disk = map;
    atomic_store(&disk->here, 1);
}
