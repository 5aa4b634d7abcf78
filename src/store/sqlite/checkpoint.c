#include "store/sqlite/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Pages (of 8 KiB) in the WAL after which it is put back between two commits. */
#define CHECKPOINT_PAGES 4000
/* Those of a part: a millisecond or two. */
#define CHECKPOINT_PART_PAGES 256
/* A WAL this long means that something keeps a read transaction open. */
#define CHECKPOINT_WARN_PAGES (10 * CHECKPOINT_PAGES)
#define CHECKPOINT_WARN_MS 60000
/* One this long is put back with our own readers outside, who are waited for so long. */
#define CHECKPOINT_LONG_PAGES (2 * CHECKPOINT_PAGES)
#define CHECKPOINT_LEAVE_MS 250
/* How long other programs' readers are waited for where the WAL must be emptied. */
#define CHECKPOINT_WAIT_MS 50
/* While the disk fails: pauses from one try to the next, each twice as long as the one before. */
#define CHECKPOINT_PAUSE_MS 1000
#define CHECKPOINT_MOST_PAUSE_MS 60000

/* The beginning of the -shm, as SQLite's "WAL-mode File Format" has it: a header and its copy, then
 * how many frames were put back. */
struct checkpoint_index {
    uint32_t version;
    uint32_t header[23];
    _Atomic uint32_t put_back;
};
#define CHECKPOINT_INDEX_VERSION 3007000
#define CHECKPOINT_INDEX_REGION 32768
#define CHECKPOINT_INDEX_LOCK 1 /* who puts back holds it */

static int checkpoint_on_commit(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct checkpoint *checkpoint = arg;
    (void)handle;
    (void)name;
    if (pages < checkpoint->tried)
        checkpoint->tried = 0;
    checkpoint->pages = pages;
    return SQLITE_OK;
}

bool checkpoint_set_back(struct db *db)
{
    sqlite3_file *file = NULL;
    void volatile *map = NULL;
    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2)
        return false;
    const sqlite3_io_methods *methods = file->pMethods;
    if (methods->xShmLock(file, CHECKPOINT_INDEX_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) !=
        SQLITE_OK)
        return false;
    bool done =
        methods->xShmMap(file, 0, CHECKPOINT_INDEX_REGION, 0, &map) == SQLITE_OK && map != NULL;
    struct checkpoint_index volatile *index = map;
    done = done && index->version == CHECKPOINT_INDEX_VERSION;
    if (done)
        atomic_store(&index->put_back, 0);
    (void)methods->xShmLock(file, CHECKPOINT_INDEX_LOCK, 1,
                            SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return done;
}

int checkpoint_open(struct checkpoint *checkpoint, struct db *db, const char *database,
                    struct gate *gate, bool whole, struct error *err)
{
    /* One page, perhaps: what a killed run left is put back when idle. */
    *checkpoint =
        (struct checkpoint){.database = database, .gate = gate, .pages = 1, .whole = whole};
    checkpoint->warned_ms = clock_mono_ms() - CHECKPOINT_WARN_MS;
    (void)sqlite3_wal_hook(db->handle, checkpoint_on_commit, checkpoint);
    checkpoint->file = open(database, O_RDONLY | O_CLOEXEC);
    return db_open(&checkpoint->mark, database, SQLITE_OPEN_READONLY, err);
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    db_close(&checkpoint->mark);
    if (checkpoint->file >= 0)
        close(checkpoint->file);
    checkpoint->file = -1;
}

/* --- the mark --------------------------------------------------------------------------------- */

static void checkpoint_unmark(struct checkpoint *checkpoint)
{
    /* Whatever was marked: a transaction that is left open would keep the WAL from being emptied.
     */
    if (checkpoint->mark.handle != NULL)
        db_abandon(&checkpoint->mark);
    checkpoint->marked = 0;
}

/* What is committed by now may be copied by the next part, and nothing newer. Without a mark, which
 * is fine, the next one copies all. */
static void checkpoint_mark(struct checkpoint *checkpoint)
{
    struct db *mark = &checkpoint->mark;
    int64_t erasures; /* any row is as good */
    checkpoint_unmark(checkpoint);
    if (db_run(mark, SQL_BEGIN_READ, NULL) != STORE_OK)
        return;
    checkpoint->marked = checkpoint->pages;
    sqlite3_stmt *read = db_statement(mark, SQL_ERASURES);
    if (read == NULL || db_number(mark, read, &erasures, NULL) != STORE_OK)
        checkpoint_unmark(checkpoint);
}

/* --- a disk that fails ------------------------------------------------------------------------ */

static void checkpoint_spoil(struct checkpoint *checkpoint, struct db *db, const char *why)
{
    checkpoint->pause_ms = checkpoint->spoilt ? checkpoint->pause_ms * 2 : CHECKPOINT_PAUSE_MS;
    if (checkpoint->pause_ms > CHECKPOINT_MOST_PAUSE_MS)
        checkpoint->pause_ms = CHECKPOINT_MOST_PAUSE_MS;
    checkpoint->again_ms = clock_mono_ms() + checkpoint->pause_ms;
    /* Now, for what is read until the next try as well. */
    checkpoint->recopy = !checkpoint_set_back(db);
    if (!checkpoint->spoilt)
        log_error("%s: the disk failed to take what was put back (%s). Nothing is lost: %s-wal has "
                  "all of it and is kept, and grows, until the disk has taken it",
                  checkpoint->database, why, checkpoint->database);
    checkpoint->spoilt = true;
}

/* --- copying ---------------------------------------------------------------------------------- */

/* Whether a complaint is due: one in so long is enough. */
static bool checkpoint_may_warn(struct checkpoint *checkpoint)
{
    int64_t now = clock_mono_ms();
    if (now - checkpoint->warned_ms < CHECKPOINT_WARN_MS)
        return false;
    checkpoint->warned_ms = now;
    return true;
}

static void checkpoint_complain(struct checkpoint *checkpoint)
{
    if (checkpoint->pages < CHECKPOINT_WARN_PAGES || !checkpoint_may_warn(checkpoint))
        return;
    log_warn("%s-wal holds %d pages and can't be put back: another program keeps a read "
             "transaction open",
             checkpoint->database, checkpoint->pages);
}

/* All of the WAL has been put back. It may be gone on with all the same, when somebody reads: the
 * next one is not due with each commit then. */
static void checkpoint_note(struct checkpoint *checkpoint, bool emptied)
{
    checkpoint->tried = emptied ? 0 : checkpoint->pages;
    checkpoint->pages = 0;
    checkpoint->done++;
    checkpoint->last_ms = clock_wall_ms();
    if (checkpoint->spoilt)
        log_info("%s: the disk has taken what was put back", checkpoint->database);
    checkpoint->spoilt = false;
}

/* Whoever reads is not waited for: it is tried again. Returns whether all was copied. */
static bool checkpoint_run(struct checkpoint *checkpoint, struct db *db, int mode)
{
    int log = 0, done = 0;
    if (checkpoint->recopy && !checkpoint_set_back(db))
        return false;
    checkpoint->recopy = false;
    (void)sqlite3_busy_timeout(db->handle, 0);
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &log, &done);
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        checkpoint->failed++;
    if (code == SQLITE_IOERR_FSYNC)
        checkpoint_spoil(checkpoint, db, sqlite3_errmsg(db->handle));
    else if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && checkpoint_may_warn(checkpoint))
        log_warn("%s: checkpoint failed: %s", checkpoint->database, sqlite3_errmsg(db->handle));
    return code == SQLITE_OK && (mode == SQLITE_CHECKPOINT_TRUNCATE || log == done);
}

static void checkpoint_part(struct checkpoint *checkpoint, struct db *db)
{
    if (checkpoint->marked > 0) {
        (void)checkpoint_run(checkpoint, db, SQLITE_CHECKPOINT_PASSIVE);
#ifdef HAVE_SYNC_FILE_RANGE
        /* Only a hint; but what it says of failures may be said to no one else. */
        if (checkpoint->file >= 0 &&
            sync_file_range(checkpoint->file, 0, 0, SYNC_FILE_RANGE_WRITE) != 0 &&
            (errno == EIO || errno == ENOSPC || errno == EDQUOT))
            checkpoint_spoil(checkpoint, db, strerror(errno));
#endif
    }
    checkpoint_mark(checkpoint);
}

/* The same with our own readers outside when the WAL is long. */
static bool checkpoint_run_gated(struct checkpoint *checkpoint, struct db *db, int mode)
{
    bool closed = checkpoint->pages >= CHECKPOINT_LONG_PAGES &&
                  gate_close(checkpoint->gate, CHECKPOINT_LEAVE_MS);
    bool all = checkpoint_run(checkpoint, db, mode);
    if (closed)
        gate_open(checkpoint->gate);
    return all;
}

bool checkpoint_tend(struct checkpoint *checkpoint, struct db *db, bool idle)
{
    /* Put back, but still there: it becomes an empty file. */
    bool stale = idle && checkpoint->tried > 0;
    if (checkpoint->pages == 0 && !stale)
        return false;
    if (checkpoint->spoilt && clock_mono_ms() < checkpoint->again_ms)
        return true;
    if (!idle && checkpoint->pages < checkpoint->tried + CHECKPOINT_PAGES) {
        if (!checkpoint->whole && !checkpoint->spoilt &&
            checkpoint->pages >= checkpoint->marked + CHECKPOINT_PART_PAGES)
            checkpoint_part(checkpoint, db);
        return true;
    }
    checkpoint_unmark(checkpoint);
    if (checkpoint_run_gated(checkpoint, db,
                             idle ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE)) {
        checkpoint_note(checkpoint, idle);
        return !idle;
    }
    if (checkpoint->pages > 0)
        checkpoint->tried = checkpoint->pages;
    checkpoint_complain(checkpoint);
    return true;
}

int checkpoint_empty(struct checkpoint *checkpoint, struct db *db, struct error *err)
{
    checkpoint_unmark(checkpoint);
    if (checkpoint->recopy && !checkpoint_set_back(db)) {
        error_set(err, "another program puts the write-ahead log back");
        return STORE_BUSY;
    }
    checkpoint->recopy = false;
    bool closed = gate_close(checkpoint->gate, CHECKPOINT_LEAVE_MS);
    (void)sqlite3_busy_timeout(db->handle, CHECKPOINT_WAIT_MS);
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (closed)
        gate_open(checkpoint->gate);
    if (code == SQLITE_OK) {
        checkpoint_note(checkpoint, true);
        return db_flush_wal(db, err);
    }
    error_set(err, "%s",
              (code & 0xff) == SQLITE_BUSY ? "a reader is in the way" : sqlite3_errmsg(db->handle));
    if (code == SQLITE_IOERR_FSYNC)
        checkpoint_spoil(checkpoint, db, sqlite3_errmsg(db->handle));
    return STORE_BUSY;
}

void checkpoint_finish(struct checkpoint *checkpoint, struct db *db)
{
    checkpoint_unmark(checkpoint);
    db_close(&checkpoint->mark);
    if (checkpoint->recopy && !checkpoint_set_back(db)) {
        log_warn("%s: the last checkpoint can't be made now; nothing is lost, the next start makes "
                 "up for it",
                 checkpoint->database);
        return;
    }
    if (sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
        SQLITE_OK)
        log_warn("%s: the last checkpoint failed (%s); nothing is lost, the next start makes up "
                 "for it",
                 checkpoint->database, sqlite3_errmsg(db->handle));
    else
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
}
