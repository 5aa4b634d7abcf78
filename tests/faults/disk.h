/*
 * disk.h: a disk that fails when told so. disk.c is what SQLite calls, disk_own.c what our own
 * objects call.
 *
 * FAULTY_DISK names a file of DISK_BYTES that the test has made. It is mapped here and there: the
 * test writes into it, while the daemon runs, which calls are to fail, and reads how many there
 * were. tests/faults/disk.py has the same numbers in the same order (Disk).
 */
#ifndef BEACOND_TESTS_DISK_H
#define BEACOND_TESTS_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_BYTES 4096

enum disk_op {
    /* SQLite's */
    DISK_OPEN,
    DISK_DELETE,
    DISK_ACCESS,
    DISK_FULL_PATH,
    DISK_READ,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_SIZE,
    DISK_LOCK,
    DISK_SHM_MAP,
    DISK_SHM_LOCK,
    /* ours */
    DISK_OWN_OPEN,
    DISK_OWN_READ,  /* and pread */
    DISK_OWN_WRITE, /* and pwrite */
    DISK_OWN_SYNC,
    DISK_OWN_TRUNCATE,
    DISK_OWN_RENAME, /* and link */
    DISK_OWN_UNLINK,
    DISK_OWN_ROOM,       /* statvfs: of the one that asks, no fault but no room */
    DISK_OWN_SYNC_RANGE, /* sync_file_range */
    DISK_OPS
};

enum disk_file {
    DISK_DATABASE, /* whatever has no other name */
    DISK_WAL,
    DISK_SHM,
    DISK_JOURNAL,
    DISK_TEMP,   /* without a name */
    DISK_TARGET, /* .partial-…: a backup, a file that a command writes */
    DISK_LOCK_FILE,
    DISK_SOCKET, /* .control */
    DISK_LOG,    /* standard error */
    DISK_STREAM, /* pipes, sockets, eventfds: never failed, nor counted */
    DISK_FILES
};

enum disk_error {
    DISK_EIO = 1,
    DISK_ENOSPC,
    DISK_EIO_HALF,    /* half of the bytes are read or written all the same */
    DISK_ENOSPC_HALF, /* the same */
    DISK_LOSSY,       /* EIO; a flush has dropped what was written since the last: with .track */
    DISK_ENOMEM,
    DISK_EMFILE,
};

struct disk {
    atomic_uint here;  /* set once it is mapped */
    atomic_uint armed; /* the test writes all below first */
    uint32_t ops;      /* sets of bits */
    uint32_t files;
    uint32_t from;    /* the first call that fails, from 1 */
    uint32_t times;   /* how many fail; 0: until it is disarmed */
    uint32_t error;   /* enum disk_error */
    atomic_uint seen; /* calls of ops on files since the test set this to 0 */
    atomic_uint hits; /* of them, failed */
    uint32_t track;   /* remember what is written between two flushes */
    uint32_t spare[6];
    atomic_uint calls[DISK_OPS][DISK_FILES]; /* since the start, armed or not */
};

extern struct disk *disk; /* NULL when FAULTY_DISK is not set */

enum disk_file disk_file_of(const char *path);

/* Counts a call. 0, or the enum disk_error with which it is to fail. */
int disk_asked(enum disk_op op, enum disk_file file);

/* The errno of it. */
int disk_errno(int error);

#endif
