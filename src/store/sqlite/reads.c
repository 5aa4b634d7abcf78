#include "store/sqlite/reads.h"

#include <stddef.h>

/*
 * The file object that SQLite made gets another table of methods: a copy of its own but for xRead.
 * It holds no place for anything of ours, hence one connection a thread.
 */
static _Thread_local struct {
    struct reads *reads;
    const sqlite3_io_methods *own;
    sqlite3_io_methods heard;
    sqlite3_file *file;
} reads_here;

static int reads_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    int code = reads_here.own->xRead(file, to, len, at);
    struct reads *reads = reads_here.reads;
    if (reads != NULL) {
        reads->bytes += len;
        if (reads->heard(reads->arg, reads->bytes) != 0)
            sqlite3_interrupt(reads->handle);
    }
    return code;
}

void reads_hear(struct reads *reads, sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    reads->handle = handle;
    if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL)
        return;
    reads_here.own = file->pMethods;
    reads_here.heard = *file->pMethods;
    reads_here.heard.xRead = reads_read;
    reads_here.reads = reads;
    reads_here.file = file;
    file->pMethods = &reads_here.heard;
}

void reads_ignore(struct reads *reads)
{
    if (reads_here.reads != reads || reads == NULL)
        return;
    reads_here.file->pMethods = reads_here.own;
    reads_here.file = NULL;
    reads_here.reads = NULL;
}
