/*
 * rejects.h: the bounded table of what could not be stored.
 *
 * rows and bytes say what is committed plus what the open transaction adds; the owner has them read
 * anew after a rollback. Belongs to the writing connection and its thread.
 */
#ifndef BEACOND_STORE_SQLITE_REJECTS_H
#define BEACOND_STORE_SQLITE_REJECTS_H

#include <stdatomic.h>

#include "store/sqlite/db.h"

struct rejects {
    int64_t rows;           /* in the table */
    int64_t bytes;          /* of their events */
    atomic_llong max_rows;  /* bounds, which any thread may change; what is oldest goes first */
    atomic_llong max_bytes; /* a single reject over it is not kept at all */
};

/* Reads rows and bytes from the table. */
int rejects_load(struct rejects *rejects, struct db *db, struct error *err) MUST_CHECK;

/* Adds one and drops the oldest until the bounds are kept. Part of the open transaction. */
int rejects_add(struct rejects *rejects, struct db *db, int64_t received, const char *reason,
                const char *text, size_t len, struct error *err) MUST_CHECK;

/* Adds all that a batch kept but for its first known elements. */
int rejects_add_batch(struct rejects *rejects, struct db *db, const struct batch *batch,
                      size_t known, struct error *err) MUST_CHECK;

/* Erases the one of that number, if it is there. Part of the open transaction. */
int rejects_erase(struct rejects *rejects, struct db *db, int64_t n, bool *erased,
                  struct error *err) MUST_CHECK;

#endif
