/*
 * audit_parts.h: the inside of the audit, for its own files alone.
 */
#ifndef BEACOND_STORE_SQLITE_AUDIT_PARTS_H
#define BEACOND_STORE_SQLITE_AUDIT_PARTS_H

#include "store/audit.h"
#include "store/sqlite/db.h"
#include "store/sqlite/reads.h"

struct audit {
    struct db db;
    const char *database;
    const struct store_audit_ear *ear;
    struct store_audit_facts *facts;
    struct reads reads;
    int64_t reads_total; /* so many bytes are expected to be read */
    bool stopped;        /* the ear wants it */
};

/* Tells the ear a line; what is wrong is counted. Bytes that are not printable come out as "?". */
void audit_say(struct audit *audit, bool ok, const char *format, ...) PRINTF_LIKE(3, 4);

/* A statement failed: says that what can't be read, or notes that the ear wants to stop. */
void audit_failed(struct audit *audit, const char *what);

/* How far it is. True: stop. */
bool audit_step(struct audit *audit, const char *what, int64_t done, int64_t total);

/* A statement of its own, finalised by the caller. NULL: audit_failed was called. */
sqlite3_stmt *audit_prepare(struct audit *audit, const char *what, const char *sql) MUST_CHECK;

/* audit_schema.c: tables, indexes, view and triggers against those of the migrations. */
void audit_schema(struct audit *audit);

/* audit_tally.c: all four steps against the events, one by one. */
void audit_tally(struct audit *audit);

#endif
