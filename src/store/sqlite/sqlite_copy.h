/*
 * sqlite_copy.h: copies an SQLite database by SQLite's backup API, on the writing connection.
 *
 * Commits of that connection are carried over into what has been copied already; those of another
 * one, and a rollback, make it begin anew. See store/copy.h for what each call promises.
 */
#ifndef BEACOND_STORE_SQLITE_COPY_H
#define BEACOND_STORE_SQLITE_COPY_H

#include "store/copy.h"

int sqlite_copy_begin(struct store *store, const char *path, struct store_copy **out,
                      struct error *err) MUST_CHECK;
int sqlite_copy_step(struct store_copy *copy, struct store_copy_state *out,
                     struct error *err) MUST_CHECK;
void sqlite_copy_end(struct store_copy *copy);
int sqlite_copy_settle(const char *path, struct error *err) MUST_CHECK;

#endif
