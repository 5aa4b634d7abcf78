#include "store/sqlite/checkpoint.h"

#include "base/clock.h"
#include "base/log.h"

/* Pages (of 8 KiB) in the WAL after which it is put back between two commits. */
#define CHECKPOINT_PAGES 4000
/* A WAL this long means that something keeps a read transaction open. */
#define CHECKPOINT_WARN_PAGES (10 * CHECKPOINT_PAGES)
#define CHECKPOINT_WARN_MS 60000

static int checkpoint_on_commit(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    ((struct checkpoint *)arg)->pages = pages;
    return SQLITE_OK;
}

void checkpoint_init(struct checkpoint *checkpoint, struct db *db, const char *database)
{
    /* One page, perhaps: what a killed run left is put back when idle. */
    *checkpoint = (struct checkpoint){.database = database, .pages = 1};
    (void)sqlite3_wal_hook(db->handle, checkpoint_on_commit, checkpoint);
}

static void checkpoint_complain(struct checkpoint *checkpoint)
{
    int64_t now = clock_mono_ms();
    if (checkpoint->pages < CHECKPOINT_WARN_PAGES ||
        now - checkpoint->warned_ms < CHECKPOINT_WARN_MS)
        return;
    checkpoint->warned_ms = now;
    log_warn("%s-wal holds %d pages and can't be put back: another program keeps a read "
             "transaction open",
             checkpoint->database, checkpoint->pages);
}

bool checkpoint_tend(struct checkpoint *checkpoint, struct db *db, bool idle)
{
    int log = 0, done = 0;
    if (checkpoint->pages == 0)
        return false;
    if (!idle && checkpoint->pages < checkpoint->tried + CHECKPOINT_PAGES)
        return true;
    /* Whoever reads is not waited for: it is tried again. */
    (void)sqlite3_busy_timeout(db->handle, 0);
    int code = sqlite3_wal_checkpoint_v2(
        db->handle, NULL, idle ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &log,
        &done);
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        log_warn("%s: checkpoint failed: %s", checkpoint->database, sqlite3_errmsg(db->handle));
    if (code == SQLITE_OK && (idle || log == done)) {
        checkpoint->pages = checkpoint->tried = 0;
        return !idle;
    }
    checkpoint->tried = checkpoint->pages;
    checkpoint_complain(checkpoint);
    return true;
}

void checkpoint_finish(struct checkpoint *checkpoint, struct db *db)
{
    if (sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
        SQLITE_OK)
        log_warn("%s: the last checkpoint failed (%s); nothing is lost, the next start makes up "
                 "for it",
                 checkpoint->database, sqlite3_errmsg(db->handle));
    else
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
}
