#include "store/sqlite/sqlite_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/ops.h"
#include "store/sqlite/sqlite_store_parts.h"

/* A step: half a millisecond or so. */
#define COPY_PAGES 64
/* Begun anew so often, it won't end: another program keeps writing. */
#define COPY_MOST_RESTARTS 20

struct sqlite_copy {
    struct store_copy base;
    struct sqlite_store *store;
    struct db to;
    sqlite3_backup *backup;
    int64_t page_bytes;
    int done; /* pages */
    int restarts;
};

/* The file is nobody's yet: no journal, no flush. What it holds counts once it was looked at. */
static int copy_open(struct sqlite_copy *copy, const char *path, struct error *err)
{
    struct db *from = &copy->store->db;
    int status = db_open(&copy->to, path, SQLITE_OPEN_READWRITE, err);
    if (status == STORE_OK)
        status = db_script(&copy->to,
                           "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                           "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -1024;",
                           err);
    if (status == STORE_OK)
        status = db_script_number(from, "PRAGMA page_size", &copy->page_bytes, err);
    if (status != STORE_OK)
        return status;
    copy->backup = sqlite3_backup_init(copy->to.handle, "main", from->handle, "main");
    return copy->backup != NULL ? STORE_OK : db_failure(&copy->to, err);
}

int sqlite_copy_begin(struct store *store, const char *path, struct store_copy **out,
                      struct error *err)
{
    struct sqlite_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    copy->base.ops = store->ops;
    copy->store = (struct sqlite_store *)store;
    if (copy_open(copy, path, err) == STORE_OK) {
        *out = &copy->base;
        return STORE_OK;
    }
    sqlite_copy_end(&copy->base);
    return STORE_BUSY;
}

/* The next pages are wanted soon: the system reads them while commits are made. */
static void copy_read_ahead(const struct sqlite_copy *copy)
{
    int file = copy->store->checkpoint.file;
    if (file >= 0)
        (void)posix_fadvise(file, copy->done * copy->page_bytes, COPY_PAGES * copy->page_bytes,
                            POSIX_FADV_WILLNEED);
}

static int copy_failure(int code, struct error *err)
{
    if (code == SQLITE_FULL)
        error_set(err, "no space left there");
    else
        error_set(err, "%s", sqlite3_errstr(code));
    return STORE_BUSY;
}

int sqlite_copy_step(struct store_copy *base, struct store_copy_state *out, struct error *err)
{
    struct sqlite_copy *copy = (struct sqlite_copy *)base;
    int code = sqlite3_backup_step(copy->backup, COPY_PAGES);
    int total = sqlite3_backup_pagecount(copy->backup);
    int done = total - sqlite3_backup_remaining(copy->backup);
    /* Locked: by someone in the shell, for a moment. */
    bool later = code == SQLITE_BUSY || code == SQLITE_LOCKED;
    if (code != SQLITE_OK && code != SQLITE_DONE && !later)
        return copy_failure(code, err);
    /* Begun anew, a step ends where the first one did. */
    bool again = code == SQLITE_OK && done <= copy->done;
    if (again && ++copy->restarts > COPY_MOST_RESTARTS) {
        error_set(err, "another program keeps changing the database");
        return STORE_BUSY;
    }
    copy->done = done;
    *out = (struct store_copy_state){
        .done_bytes = done * copy->page_bytes,
        .total_bytes = total * copy->page_bytes,
        .complete = code == SQLITE_DONE,
        .state = copy->store->base.state,
    };
    if (!out->complete)
        copy_read_ahead(copy);
    return STORE_OK;
}

void sqlite_copy_end(struct store_copy *base)
{
    struct sqlite_copy *copy = (struct sqlite_copy *)base;
    (void)sqlite3_backup_finish(copy->backup);
    if (copy->to.handle != NULL)
        db_close(&copy->to);
    free(copy);
}

int sqlite_copy_settle(const char *path, struct error *err)
{
    struct db db;
    int status = db_open(&db, path, SQLITE_OPEN_READWRITE, err);
    if (status != STORE_OK)
        return STORE_BUSY;
    /* The copy says of itself that there is a WAL, as the database does. */
    status = db_script(&db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE", err);
    db_close(&db);
    if (status != STORE_OK)
        return STORE_BUSY;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fsync(file) != 0) {
        error_set(err, "%s", strerror(errno));
        status = STORE_BUSY;
    }
    if (file >= 0)
        close(file);
    return status;
}
