/*
 * sound.h: SQLite's own look at every page, at the start.
 *
 * Its check tells of a page that the disk did not give in the words for a page that is wrong, or in
 * none of its own ("Failed to read ptrmap"). Only damage is a reason to restore a backup, so what
 * it finds counts when the whole file can be read and it finds it again.
 */
#ifndef BEACOND_STORE_SQLITE_SOUND_H
#define BEACOND_STORE_SQLITE_SOUND_H

#include "store/sqlite/db.h"

/* Takes as long as reading the file, so it is for small ones. Within a transaction or not.
 * STORE_OK, STORE_UNFIT (err has the first thing that is wrong) or STORE_BUSY. */
int sound_check(struct db *db, struct error *err) MUST_CHECK;

#endif
