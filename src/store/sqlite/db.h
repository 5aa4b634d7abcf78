/*
 * db.h: one SQLite connection with its prepared statements.
 *
 * Statements come from sql/statements.sql by name and are prepared when first used. One thread at
 * a time. Statuses are those of store.h.
 */
#ifndef BEACOND_STORE_SQLITE_DB_H
#define BEACOND_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "store/sqlite/sql.h"
#include "store/store.h"

/* Someone in the sqlite3 shell may hold the write lock for a moment. */
#define DB_BUSY_MS 250

struct db {
    sqlite3 *handle;                     /* NULL while closed */
    sqlite3_stmt *statements[SQL_COUNT]; /* NULL until first used */
};

/* flags as for sqlite3_open_v2. On failure the connection is closed again. STORE_OK, STORE_UNFIT
 * (no database, damaged) or STORE_BUSY. */
int db_open(struct db *db, const char *path, int flags, struct error *err) MUST_CHECK;
void db_close(struct db *db);

/* What the connection's last error means, with SQLite's words in err. Never STORE_OK. */
int db_failure(struct db *db, struct error *err);

/* A statement ready to be bound and stepped, or NULL (then db_failure tells). */
sqlite3_stmt *db_statement(struct db *db, enum sql_statement name) MUST_CHECK;

/* Binds a named parameter (":at"); the statement must have it. */
void db_bind_int(sqlite3_stmt *statement, const char *parameter, int64_t value);

/* Steps a statement that yields no row (or whose rows nobody wants) to its end and resets it. */
int db_finish(struct db *db, sqlite3_stmt *statement, struct error *err) MUST_CHECK;

/* Steps a bound statement for its one row of one number (0 for NULL or no row) and resets it. */
int db_number(struct db *db, sqlite3_stmt *statement, int64_t *out, struct error *err) MUST_CHECK;

/* db_statement and db_finish of a statement without parameters. */
int db_run(struct db *db, enum sql_statement name, struct error *err) MUST_CHECK;

/* Rolls back if a transaction is open; SQLite may have done so itself. */
void db_abandon(struct db *db);

/* Has the disk take what the WAL holds, its size and its name included. Nothing to do without one,
 * and before the first read. STORE_OK or STORE_BUSY. */
int db_flush_wal(struct db *db, struct error *err) MUST_CHECK;

/* Runs SQL text that is no prepared statement: pragmas and migrations. */
int db_script(struct db *db, const char *sql, struct error *err) MUST_CHECK;

/* The first column of the first row of an SQL text, as a number. */
int db_script_number(struct db *db, const char *sql, int64_t *out, struct error *err) MUST_CHECK;

#endif
