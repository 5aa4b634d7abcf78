/*
 * postgres_schema.h: the tables in a PostgreSQL database: are they beacond's, and of which version?
 */
#ifndef BEACOND_STORE_POSTGRES_SCHEMA_H
#define BEACOND_STORE_POSTGRES_SCHEMA_H

#include "store/postgres/pg.h"

/* Makes the tables where there are none, brings older ones up to date, refuses newer ones and
 * databases whose schema beacond is another's. One node does it, the others wait. STORE_OK,
 * STORE_UNFIT or STORE_BUSY. */
int postgres_schema_fit(struct pg *pg, struct error *err) MUST_CHECK;

/* For those that only read: changes nothing, and refuses a database without tables or with older
 * ones as well. */
int postgres_schema_judge(struct pg *pg, struct error *err) MUST_CHECK;

/* STORE_UNFIT while a database is being moved into it (postgres_take.h). STORE_OK or STORE_BUSY. */
int postgres_schema_whole(struct pg *pg, struct error *err) MUST_CHECK;

#endif
