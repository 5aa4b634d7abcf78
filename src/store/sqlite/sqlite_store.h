/*
 * sqlite_store.h: the store that keeps events in one SQLite file (DESIGN.md 4).
 *
 * WAL, one writing connection that alone checkpoints, readers opened read-only. A lock file beside
 * the database keeps a second process out for as long as this one lives.
 */
#ifndef BEACOND_STORE_SQLITE_STORE_H
#define BEACOND_STORE_SQLITE_STORE_H

#include "store/store.h"

int sqlite_store_open(struct store **out, const struct store_options *options,
                      struct error *err) MUST_CHECK;

/* See store_reader_open_file. */
int sqlite_store_reader_open_file(const char *database, struct store_reader **out,
                                  struct error *err) MUST_CHECK;

#endif
