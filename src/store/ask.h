/*
 * ask.h: questions in SQL, of a person to a database as it is: the ready ones of sql/queries, or
 * for PostgreSQL of sql/postgresql/queries, and any other that reads alone.
 *
 * Nothing can be changed by one: the connection is read-only, and whatever is no SELECT is refused
 * before it runs. The views of views.sql are there. A question lasts as long as its rows take, and
 * the transaction with it, during which a daemon's WAL can't be put back.
 */
#ifndef BEACOND_STORE_ASK_H
#define BEACOND_STORE_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

/* One of sql/queries. help is a line, text the whole file; both end in a newline. Constant. */
struct store_query {
    const char *name;
    const char *help;
    const char *text;
};

/* The n-th by name, from 0, of those for a database of that name. False behind the last. Each kind
 * of database has the same ones, in its own SQL. */
bool store_query_at(const char *database, size_t n, struct store_query *out) MUST_CHECK;

/* The text of its views.sql. */
const char *store_views(const char *database);

enum store_cell_kind {
    STORE_CELL_NULL,
    STORE_CELL_INTEGER,
    STORE_CELL_REAL, /* text may be "Inf" or "-Inf" */
    STORE_CELL_TEXT, /* of strangers: any bytes */
    STORE_CELL_BLOB,
};

/* One value of a row; numbers as text too. Valid during the call. */
struct store_cell {
    enum store_cell_kind kind;
    const char *text; /* "" for NULL */
    size_t len;
};

/* What a parameter is given, ":name", "@name" or "$name" in the question, for PostgreSQL ":name"
 * alone, where it is a text; those not named are NULL. */
struct store_parameter {
    const char *name; /* without the colon, ended by a NUL */
    const char *text;
};

struct store_ask {
    const char *sql; /* one statement */
    const struct store_parameter *parameters;
    size_t parameter_count;
    /* Called once before the rows, then for each of them; non-zero ends it. */
    int (*columns)(void *arg, const char *const *names, size_t count);
    int (*row)(void *arg, const struct store_cell *cells, size_t count);
    bool (*stop)(void *arg); /* asked often, also between rows; true: it is given up */
    void *arg;
};

/* Asks. A reader that was asked is of no other use. STORE_OK, also when a call has ended it;
 * STORE_REFUSED when the question is no single SELECT, is no SQL, or knows no such parameter;
 * STORE_BUSY when it failed or was stopped, STORE_UNFIT when the file is damaged. */
int store_ask(struct store_reader *reader, const struct store_ask *ask,
              struct error *err) MUST_CHECK;

#endif
