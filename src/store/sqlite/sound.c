#include "store/sqlite/sound.h"

#include <string.h>

#define SOUND_PIECE 8192

static int sound_ask(struct db *db, struct error *err)
{
    sqlite3_stmt *check = NULL;
    int status = STORE_OK;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK ||
        sqlite3_step(check) != SQLITE_ROW) {
        status = db_failure(db, err);
    } else {
        const char *found = (const char *)sqlite3_column_text(check, 0);
        if (found == NULL) {
            status = db_failure(db, err); /* no memory for it */
        } else if (strcmp(found, "ok") != 0) {
            error_set(err, "%s", found);
            status = STORE_UNFIT;
        }
    }
    sqlite3_finalize(check);
    return status;
}

/* Reads a file of the connection, which: SQLITE_FCNTL_…_POINTER, to its end. By SQLite's
 * descriptor, since to close one of our own would drop SQLite's locks. */
static int sound_read(struct db *db, int which, struct error *err)
{
    char piece[SOUND_PIECE];
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int code = sqlite3_file_control(db->handle, "main", which, &file);
    if (code != SQLITE_OK || file == NULL || file->pMethods == NULL)
        return STORE_OK;
    code = file->pMethods->xFileSize(file, &size);
    for (sqlite3_int64 at = 0; at < size && code == SQLITE_OK; at += SOUND_PIECE) {
        code = file->pMethods->xRead(file, piece, SOUND_PIECE, at);
        if (code == SQLITE_IOERR_SHORT_READ) /* the end */
            code = SQLITE_OK;
    }
    if (code == SQLITE_OK)
        return STORE_OK;
    error_set(err, "%s", sqlite3_errstr(code));
    return STORE_BUSY;
}

int sound_check(struct db *db, struct error *err)
{
    int status = sound_ask(db, err);
    if (status != STORE_UNFIT)
        return status;
    status = sound_read(db, SQLITE_FCNTL_FILE_POINTER, err);
    if (status == STORE_OK)
        status = sound_read(db, SQLITE_FCNTL_JOURNAL_POINTER, err);
    return status == STORE_OK ? sound_ask(db, err) : status;
}
