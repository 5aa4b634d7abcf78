/*
 * fit.h: is this file ours to open? Start-up only; blocks.
 */
#ifndef BEACOND_STORE_SQLITE_FIT_H
#define BEACOND_STORE_SQLITE_FIT_H

#include "store/sqlite/db.h"

#define FIT_APPLICATION_ID 0x4245434e /* "BECN" */

/* Takes the lock file beside the database, which says by content and by flock who holds it. The
 * descriptor (close it to let go; the file stays) or STORE_HELD, STORE_UNFIT, STORE_BUSY with err.
 * The kernel lets go when the process dies, however it dies. STORE_BUSY: the disk failed. */
int fit_lock(const char *database, struct error *err) MUST_CHECK;

/* Looks at the file before SQLite does, reading alone: absent and empty are fine; something that is
 * no SQLite database, another program's, or a newer beacond's is STORE_UNFIT; one that the disk
 * does not give is STORE_BUSY. */
int fit_header(const char *database, struct error *err) MUST_CHECK;

/* Whether a file of that name with a suffix is there and not empty. */
bool fit_beside(const char *database, const char *suffix);

/* What application_id and user_version say: STORE_OK, also when it is to be migrated, or
 * STORE_UNFIT when it is another program's or a newer beacond's. */
int fit_verdict(const char *database, int64_t application, int64_t version,
                struct error *err) MUST_CHECK;

/* Opens the writing connection, refuses what is foreign, newer or damaged without having changed
 * it, creates or migrates what is not. STORE_OK, STORE_UNFIT or STORE_BUSY; db is closed then. */
int fit_open(struct db *db, const struct store_options *options, struct error *err) MUST_CHECK;

/* Opens a connection that only reads, with the same refusals; there must be a database of this
 * schema. The file must not be open in this process: its lock would be lost. */
int fit_open_reader(struct db *db, const char *database, struct error *err) MUST_CHECK;

/* Opens a connection that only reads, whatever the file holds; where SQLite's files beside it can't
 * be made and none are there, as it is. As db_open. */
int fit_open_live(struct db *db, const char *database, struct error *err) MUST_CHECK;

#endif
