/*
 * checkpoint.h: puts the WAL back into the database file. The writer's thread.
 *
 * Explicit, between two commits: SQLite's automatic one swallows errors. A passive one once there
 * are some thousand pages, which copies what no reader is in the way of; a truncating one when
 * nothing else is to be done. Neither waits for anybody.
 */
#ifndef BEACOND_STORE_SQLITE_CHECKPOINT_H
#define BEACOND_STORE_SQLITE_CHECKPOINT_H

#include "store/sqlite/db.h"

struct checkpoint {
    const char *database; /* its name, for the log; the owner's */
    int pages;            /* in the WAL after the last commit */
    int tried;            /* of them when one was last tried in vain */
    int64_t warned_ms;    /* when a long WAL was last complained about */
};

/* Begins to count the pages of db's commits. */
void checkpoint_init(struct checkpoint *checkpoint, struct db *db, const char *database);

/* Runs one if it is due. idle: nothing waits. Returns whether there is more to do once idle. */
bool checkpoint_tend(struct checkpoint *checkpoint, struct db *db, bool idle);

/* The last one, before closing: whatever fails is logged, and the next start makes up for it. Takes
 * the empty WAL away when the connection is closed, so that the one file is all there is. */
void checkpoint_finish(struct checkpoint *checkpoint, struct db *db);

#endif
