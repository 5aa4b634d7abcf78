/*
 * pg.h: one connection to PostgreSQL, its statements and their parameters.
 *
 * Statements come from sql/postgresql/statements.sql by name and are sent unnamed, with their
 * parameters in binary, results in binary too: nothing is left in a session between two
 * transactions, so that poolers which hand sessions around are no matter. In a session that is no
 * pooler's some may be kept: see pg_keep. One thread at a time.
 * Statuses are those of store.h.
 *
 * A connection that breaks is closed at once; pg_connect makes a new one, and where that fails, the
 * next attempt not before PG_AGAIN_MS.
 */
#ifndef BEACOND_STORE_POSTGRES_PG_H
#define BEACOND_STORE_POSTGRES_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "store/postgres/sql.h"
#include "store/store.h"

#define PG_AGAIN_MS 100
#define PG_LOOK_MS 100
/* Before a server that does not answer is taken for one that is not there. */
#define PG_CONNECT_SECONDS "5"

struct pg {
    const char *database; /* the owner's: a connection string */
    PGconn *connection;   /* NULL while there is none */
    uint64_t made;        /* how many there have been: another number, another session */
    int64_t again_ms;     /* not before, by the monotonic clock */
    unsigned syncs;       /* of its pipeline, which have not come back yet */
    bool unsynced;        /* statements were sent behind the last */
    bool read_only;       /* sessions that can't write, and may be a standby's */
    bool kept[SQL_COUNT]; /* this session has these statements, with their plans */
    bool forgetful;       /* one has lost them: none is given any more */
    /* The next four are the owner's, set behind pg_init. */
    bool primary;         /* read_only, but no standby's: those lag behind */
    const char *settings; /* further ones for each session, as -c name=value; NULL: none */
    /* Called each PG_LOOK_MS while an answer is waited for; false gives up, and the connection with
     * it. NULL: waits. */
    bool (*waits)(void *arg);
    void *waits_arg;
};

/* database stays the caller's. Nothing is opened yet. */
void pg_init(struct pg *pg, const char *database, bool read_only);
void pg_close(struct pg *pg);

/* Makes sure that there is a connection, as far as is known, with the settings that beacond relies
 * on (search path, deadlines). STORE_OK, or STORE_BUSY: there is no server, it takes no more, or it
 * was tried a moment ago. */
int pg_connect(struct pg *pg, struct error *err) MUST_CHECK;

/* --- parameters ------------------------------------------------------------------------------- */

#define PG_PARAMETERS 16

/* Zero it, put parameters in the order of their numbers, pg_params_clear it. Putting is never
 * checked: where memory runs out, running the statement fails. */
struct pg_params {
    struct bytes bytes;
    size_t starts[PG_PARAMETERS];
    int lens[PG_PARAMETERS];
    Oid types[PG_PARAMETERS];
    int count;
    size_t length_at; /* of the array that is being put: where its length stands */
    int32_t elements; /* and how many it has so far */
    bool failed;      /* out of memory, */
    bool too_large;   /* or more than PostgreSQL takes in one message */
};

void pg_params_clear(struct pg_params *params);
void pg_params_reset(struct pg_params *params); /* keeps the memory */

void pg_put_int(struct pg_params *params, int64_t value); /* bigint */
void pg_put_bool(struct pg_params *params, bool value);
void pg_put_text(struct pg_params *params, const char *text, size_t len);  /* text */
void pg_put_bytes(struct pg_params *params, const void *data, size_t len); /* bytea */

/* An array: begin, its elements, end. */
void pg_ints_begin(struct pg_params *params); /* bigint[] */
void pg_ints_add(struct pg_params *params, int64_t value);
void pg_put_ints(struct pg_params *params, const struct bytes *ints); /* int64_t each, as a whole */
void pg_texts_begin(struct pg_params *params);                        /* text[] */
void pg_texts_add(struct pg_params *params, const char *text, size_t len);
void pg_blobs_begin(struct pg_params *params); /* bytea[] */
void pg_blobs_add(struct pg_params *params, const void *data, size_t len);
void pg_array_end(struct pg_params *params);

/* --- statements ------------------------------------------------------------------------------- */

/* What a result that is no success means, NULL: the connection itself, with PostgreSQL's words in
 * err. Never STORE_OK. STORE_REFUSED: what a row holds can't be stored; else STORE_BUSY. A
 * connection that is broken is closed. */
int pg_failure(struct pg *pg, const PGresult *result, struct error *err);

/* The same where pg_next gave up, and where there is no connection. STORE_BUSY. */
int pg_no_answer(struct error *err);
int pg_no_connection(struct error *err);

/* Has the session keep a statement with its plan, for parameters of those types, as long as it
 * lasts: else each is planned anew. No pipeline is open. Planning locks the statement's tables, for
 * which it waits as the statement would. STORE_OK, or STORE_BUSY: it can't be kept now, or the
 * connection is lost. */
int pg_keep(struct pg *pg, enum sql_statement name, const struct pg_params *params,
            struct error *err) MUST_CHECK;

/* Runs a statement; params may be NULL. STORE_OK and, unless out is NULL, *out, which the caller
 * clears with PQclear; STORE_BUSY or STORE_REFUSED as pg_failure says. */
int pg_ask(struct pg *pg, enum sql_statement name, const struct pg_params *params, PGresult **out,
           struct error *err) MUST_CHECK;

/* The same without parameters and results. */
int pg_run(struct pg *pg, enum sql_statement name, struct error *err) MUST_CHECK;

/* SQL text of several statements, without parameters or results. */
int pg_script(struct pg *pg, const char *sql, struct error *err) MUST_CHECK;

/* Several statements in one round trip: begin, send each, sync, then look at their results in the
 * order of sending, then end, which passes over results that were not looked at. Behind a statement
 * that fails none of the others up to the sync is run. STORE_OK, STORE_BUSY, or of a result
 * STORE_REFUSED. After any failure: pg_line_end. */
int pg_line_begin(struct pg *pg, struct error *err) MUST_CHECK;
int pg_send(struct pg *pg, enum sql_statement name, const struct pg_params *params,
            struct error *err) MUST_CHECK;
int pg_line_sync(struct pg *pg, struct error *err) MUST_CHECK;
/* out may be NULL: nothing of it is of interest but that it succeeded. */
int pg_line_result(struct pg *pg, PGresult **out, struct error *err) MUST_CHECK;
void pg_line_end(struct pg *pg);

/* Waits for the next result of what was sent, as PQgetResult gives it: NULL behind the last one of
 * a statement. NULL as well where the owner gave up or the connection broke: PQstatus tells. */
PGresult *pg_next(struct pg *pg);

/* Has the server end the statement that is running, on a connection made for that. Whether it was
 * told. */
bool pg_cancel(struct pg *pg);

/* Values of a result's row: bigint (0 for NULL), boolean, text or bytea, which are the result's. */
int64_t pg_int(const PGresult *result, int row, int column);
bool pg_bool(const PGresult *result, int row, int column);
/* How many elements a bigint[] has, 0 for NULL, and one of them. */
size_t pg_int_count(const PGresult *result, int row, int column);
int64_t pg_int_of(const PGresult *result, int row, int column, size_t n);
const char *pg_bytes(const PGresult *result, int row, int column, size_t *len);

/* Rolls back if a transaction is open and the connection stands. */
void pg_abandon(struct pg *pg);

#endif
