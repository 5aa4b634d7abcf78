/*
 * reads.h: hears of what a connection reads from its file, page by page.
 *
 * SQLite's integrity check goes through a whole file in one step of its virtual machine: no
 * progress handler runs meanwhile. Here every read of the file passes by, so that a person sees how
 * far it is and can stop it. One thread, that of the connection.
 */
#ifndef BEACOND_STORE_SQLITE_READS_H
#define BEACOND_STORE_SQLITE_READS_H

#include <sqlite3.h>
#include <stdint.h>

struct reads {
    int64_t bytes; /* read so far */
    /* After each read; non-zero interrupts the statement that runs. */
    int (*heard)(void *arg, int64_t bytes);
    void *arg;
    sqlite3 *handle;
};

/* From here on reads of the connection's file are counted, on this thread. One connection a thread
 * at a time. reads must outlive the connection, or reads_ignore be called before. */
void reads_hear(struct reads *reads, sqlite3 *handle);
void reads_ignore(struct reads *reads);

#endif
