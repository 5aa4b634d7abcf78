/*
 * record.h: what a run asks the disk for, so that a loss of power can be played afterwards.
 *
 * record.c stands in for the calls of the C library that change files, for every caller: SQLite's
 * VFS, our own objects, libevent. One level below a VFS of our own, therefore, which does not see
 * when SQLite flushes a directory. tests/crash/platter.py makes disks of the record.
 *
 *   FAULTY_RECORD=FILE       appends to FILE what is done, an entry a call (struct record_entry,
 * then the path and the data). Several processes may append to one file. FAULTY_RECORD_KILL=N kill
 * -9 right before the Nth call that changes a file FAULTY_RECORD_FULL=N     from the Nth on no file
 * can grow: ENOSPC FAULTY_RECORD_COUNT=FILE counts such calls: FILE holds the number, as text, at
 * the end FAULTY_RECORD_HALT=FILE  once FILE is there: kill -9 right before a write-ahead log is
 * flushed
 *
 * Calls that change a file: writes, truncations, flushes, renames, links and removals of regular
 * files that have a name, but not of -shm, which nobody reads after a loss of power.
 */
#ifndef BEACOND_TESTS_RECORD_H
#define BEACOND_TESTS_RECORD_H

#include <stdint.h>

enum record_kind {
    RECORD_WRITE = 'w',    /* data at offset */
    RECORD_TRUNCATE = 't', /* to offset */
    RECORD_BEGIN = 'b',    /* a flush of a file or directory begins; what follows may miss it */
    RECORD_SYNC = 's',     /* it has succeeded; of the same process and thread */
    RECORD_RENAME = 'r',   /* path, to the path in data */
    RECORD_LINK = 'l',     /* likewise */
    RECORD_UNLINK = 'u',
    RECORD_ANSWER = 'a', /* about to be sent: data to a peer whose port is offset */
};

/* Numbers as this machine has them. */
struct record_entry {
    uint32_t path_len, data_len;
    uint32_t pid, tid;
    uint64_t inode;
    uint64_t offset;
    uint32_t kind;
    uint32_t magic; /* RECORD_MAGIC */
};

#define RECORD_MAGIC 0x52454344

#endif
