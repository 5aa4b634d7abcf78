/*
 * sqlite_reader_parts.h: the inside of the SQLite store's reading half, for its own files alone.
 */
#ifndef BEACOND_STORE_SQLITE_READER_PARTS_H
#define BEACOND_STORE_SQLITE_READER_PARTS_H

#include "store/ops.h"
#include "store/sqlite/db.h"
#include "store/sqlite/sqlite_reader.h"

struct sqlite_reader {
    struct store_reader base;
    struct db db;
    bool notes; /* sqlite_known.c has made its table */
};

/* The rows of a tally, newest first, of [:first, :last]. */
extern const enum sql_statement sqlite_reader_steps[];

/* Counts [since, until] in the transaction that is open; both clamped (step.h). */
int sqlite_reader_total(struct db *db, int64_t since, int64_t until, int64_t *total,
                        struct error *err) MUST_CHECK;

/* Binds the two statements of a page downwards (sql/statements.sql), of place's millisecond and of
 * what is older. False: there is nothing in [since, place]. */
bool sqlite_reader_bind_down(sqlite3_stmt *same, sqlite3_stmt *older, int64_t since,
                             int64_t max_seq, struct range_place place) MUST_CHECK;

#endif
