/*
 * checkpoint.h: puts the WAL back into the database file. The writer's thread.
 *
 * Explicit, between two commits: SQLite's automatic one swallows errors. A passive one once there
 * are some thousand pages, which copies what no reader is in the way of; a truncating one when
 * nothing else is to be done. Neither waits for anybody.
 *
 * SQLite begins the WAL anew when all of it was put back and nobody reads from it. Short reads that
 * overlap leave no such moment, whatever they are of. So once the WAL is twice as long as it should
 * get, our own readers are kept outside their gate while it is put back: those under way end in
 * milliseconds, and who comes in afterwards reads the database alone, so that the next commit finds
 * nobody in the WAL. Who takes longer is waited for a quarter of a second, once in some thousand
 * pages; so much another process costs, too, which can't be kept out.
 *
 * Nobody is answered meanwhile, and most of the time is spent on flushing the database. So most of
 * it is done beforehand, in parts of some hundred pages: a reader of our own keeps SQLite from
 * copying what is newer than its mark, and a checkpoint that copies a part flushes nothing, since
 * the WAL stays as it is. The system begins to write what was copied. Little of it is left for the
 * checkpoint that copies the rest, flushes the database and so gives the WAL free.
 *
 * A flush that fails says nothing of what: the system may have dropped pages of parts long copied,
 * and say so once only. SQLite would neither copy them again nor read them from the WAL any more.
 * So then, and at the start, which can't know, all of the WAL is taken for not copied yet: the
 * count of what is, in the -shm, is set back to 0, as SQLite does when it recovers. From then on
 * everything is read from the WAL, which is kept until all of it was copied anew and flushed
 * without a fault.
 */
#ifndef BEACOND_STORE_SQLITE_CHECKPOINT_H
#define BEACOND_STORE_SQLITE_CHECKPOINT_H

#include "base/gate.h"
#include "store/sqlite/db.h"

struct checkpoint {
    const char *database; /* its name, for the log; the owner's */
    struct gate *gate;    /* of all readers of this process; the owner's */
    int pages;            /* in the WAL after the last commit; 0: all of it has been put back */
    int tried;            /* of them when that was last tried; 0: SQLite has begun it anew since */
    int64_t warned_ms;    /* when a long WAL was last complained about */
    struct db mark;       /* the reader */
    int marked;           /* pages in the WAL when it began to read; 0: it does not */
    int file;             /* descriptor of the database, to have it written; -1 for none */
    bool whole;           /* never in parts */
    int64_t done, failed; /* checkpoints of all of the WAL since it was opened; see store.h */
    int64_t last_ms;      /* when all was last put back, by the wall clock; 0: not yet */
    bool spoilt;          /* what was copied may not be on the disk: the WAL must stay */
    bool recopy;          /* the count of what was copied is to be set back first */
    int64_t again_ms;     /* while spoilt: when to try next, */
    int64_t pause_ms;     /* and how long after that */
};

/* Has SQLite take all of the WAL for not put back: readers find it there, and the next checkpoint
 * copies it. The count may be lower than what is true at any moment; only whoever raises it must
 * hold the lock. db has read something. False: another program checkpoints, or this SQLite's -shm
 * is one that we don't know. Between two transactions. */
bool checkpoint_set_back(struct db *db);

/* Begins to count the pages of db's commits. whole: never in parts, which in some modes cost a
 * flush of the WAL. A store_status; checkpoint_close it in any case, once no other connection to
 * the database is open in this process: a descriptor that is closed takes SQLite's locks with it.
 */
int checkpoint_open(struct checkpoint *checkpoint, struct db *db, const char *database,
                    struct gate *gate, bool whole, struct error *err) MUST_CHECK;
void checkpoint_close(struct checkpoint *checkpoint);

/* Runs one, or a part, if it is due. idle: nothing waits. Returns whether there is more to do once
 * idle. */
bool checkpoint_tend(struct checkpoint *checkpoint, struct db *db, bool idle);

/* All of it, after which the WAL is an empty file, on the disk too: a loss of power does not bring
 * back what it held. Waits a moment for readers, and lets none of ours in. STORE_OK, or
 * STORE_BUSY while one is in the way or when the disk has failed. */
int checkpoint_empty(struct checkpoint *checkpoint, struct db *db, struct error *err) MUST_CHECK;

/* The last one, before db is closed: whatever fails is logged, and the next start makes up for it.
 * Takes the empty WAL away when the connection is closed, so that the one file is all there is. */
void checkpoint_finish(struct checkpoint *checkpoint, struct db *db);

#endif
