/*
 * pg_copy.h: rows for a COPY … FROM STDIN (FORMAT binary), gathered first and sent in a stroke.
 */
#ifndef BEACOND_STORE_POSTGRES_PG_COPY_H
#define BEACOND_STORE_POSTGRES_PG_COPY_H

#include "store/postgres/pg.h"

/* Zero it, pg_copy_clear it. Putting is never checked: where memory runs out, sending fails. */
struct pg_copy {
    struct bytes bytes;
    size_t rows;
    bool failed; /* out of memory */
};

void pg_copy_clear(struct pg_copy *copy);
void pg_copy_reset(struct pg_copy *copy); /* keeps the memory */

/* Begins a row, whose columns follow in order. */
void pg_copy_row(struct pg_copy *copy, int columns);
void pg_copy_int(struct pg_copy *copy, int64_t value);   /* bigint */
void pg_copy_int32(struct pg_copy *copy, int32_t value); /* integer */
void pg_copy_bool(struct pg_copy *copy, bool value);
void pg_copy_bytes(struct pg_copy *copy, const void *data, size_t len); /* text or bytea */

/* Runs that COPY with them, in the open transaction, and resets copy, whatever comes of it. Nothing
 * is done where there are none. */
int pg_copy_send(struct pg *pg, enum sql_statement name, struct pg_copy *copy,
                 struct error *err) MUST_CHECK;

#endif
