/*
 * postgres_store_parts.h: the inside of the PostgreSQL store's writing half, for its own files
 * alone. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_STORE_PARTS_H
#define BEACOND_STORE_POSTGRES_STORE_PARTS_H

#include "store/ops.h"
#include "store/postgres/pg.h"
#include "store/postgres/postgres_days.h"
#include "store/postgres/postgres_follow.h"
#include "store/tally.h"

/* Numbers of one block (sql/postgresql/0001-schema.sql). */
#define POSTGRES_BLOCK 4096

/* A node's numbers for receipts begin at its instance times this. */
#define POSTGRES_SERIALS ((uint64_t)1 << 36)

/*
 * base.state is the moment that has been followed, and nothing newer: what an append has committed
 * becomes part of it by store_follow. What it counts on is the log of commits and erasures, so
 * total is exact at each moment.
 */
struct postgres_store {
    struct store base;
    char *database;
    struct pg pg;
    int64_t instance;   /* of this start, nodes.instance */
    int16_t slot;       /* of this node's rows in the tally */
    bool claimed;       /* a transaction is open that holds receipts' keys */
    struct tally tally; /* of the open transaction */
    struct postgres_days days;
    struct postgres_place place; /* of base.state in the log */
};

/* postgres_schema.c: makes the tables where there are none, brings older ones up to date, refuses
 * newer ones and databases whose schema beacond is another's. One node does it, the others wait.
 * STORE_OK, STORE_UNFIT or STORE_BUSY. */
int postgres_schema_fit(struct pg *pg, struct error *err) MUST_CHECK;

/* The next transaction of the writing side: connects if need be and begins. postgres_store_end in
 * any case. */
int postgres_store_begin(struct postgres_store *store, struct error *err) MUST_CHECK;

/* Ends it: with STORE_OK flushes the tally and commits, else rolls back. Returns the status of the
 * whole. */
int postgres_store_end(struct postgres_store *store, int status, struct error *err) MUST_CHECK;

#endif
