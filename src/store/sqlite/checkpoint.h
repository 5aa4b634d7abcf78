/*
 * checkpoint.h: puts the WAL back into the database file. The writer's thread.
 *
 * Explicit, between two commits: SQLite's automatic one swallows errors. A passive one once there
 * are some thousand pages, which copies what no reader is in the way of; a truncating one when
 * nothing else is to be done. Neither waits for anybody.
 *
 * Nobody is answered meanwhile, and most of the time is spent on flushing the database. So most of
 * it is done beforehand, in parts of some hundred pages: a reader of our own keeps SQLite from
 * copying what is newer than its mark, and a checkpoint that copies a part flushes nothing, since
 * the WAL stays as it is. The system begins to write what was copied. Little of it is left for the
 * checkpoint that copies the rest, flushes the database and so gives the WAL free.
 *
 * A flush that fails says nothing of what: the system may have dropped pages of parts long copied,
 * and say so once only. SQLite would not copy them again. So nothing is checkpointed any more then,
 * not at the end either; the next start, for which the whole WAL is new, makes up for it. New it is
 * to whoever opens the database first: another program that has it open meanwhile keeps the -shm,
 * in which SQLite has noted what it has copied, so the log says that such programs are to be ended.
 */
#ifndef BEACOND_STORE_SQLITE_CHECKPOINT_H
#define BEACOND_STORE_SQLITE_CHECKPOINT_H

#include "store/sqlite/db.h"

struct checkpoint {
    const char *database; /* its name, for the log; the owner's */
    int pages;            /* in the WAL after the last commit */
    int tried;            /* of them when one was last tried in vain */
    int64_t warned_ms;    /* when a long WAL was last complained about */
    struct db mark;       /* the reader */
    int marked;           /* pages in the WAL when it began to read; 0: it does not */
    int file;             /* descriptor of the database, to have it written; -1 for none */
    bool whole;           /* never in parts */
    int64_t done, failed; /* checkpoints of all of the WAL since it was opened; see store.h */
    int64_t last_ms;      /* when all was last put back, by the wall clock; 0: not yet */
    bool spoilt;          /* what was copied may not be on the disk: the WAL must stay */
};

/* Begins to count the pages of db's commits. whole: never in parts, which in some modes cost a
 * flush of the WAL. A store_status; checkpoint_close it in any case, once no other connection to
 * the database is open in this process: a descriptor that is closed takes SQLite's locks with it.
 */
int checkpoint_open(struct checkpoint *checkpoint, struct db *db, const char *database, bool whole,
                    struct error *err) MUST_CHECK;
void checkpoint_close(struct checkpoint *checkpoint);

/* Runs one, or a part, if it is due. idle: nothing waits. Returns whether there is more to do once
 * idle. */
bool checkpoint_tend(struct checkpoint *checkpoint, struct db *db, bool idle);

/* All of it, after which the WAL is an empty file, on the disk too: a loss of power does not bring
 * back what it held. Waits a moment for readers. STORE_OK, or
 * STORE_BUSY while one is in the way or when the disk has failed. */
int checkpoint_empty(struct checkpoint *checkpoint, struct db *db, struct error *err) MUST_CHECK;

/* The last one, before db is closed: whatever fails is logged, and the next start makes up for it.
 * Takes the empty WAL away when the connection is closed, so that the one file is all there is. */
void checkpoint_finish(struct checkpoint *checkpoint, struct db *db);

#endif
