/*
 * later.h: beacond with a schema that has gone on. Migrations of tests only, behind beacond's own.
 *
 * tests/faults/beacond-later is beacond, but for the sources that know the migrations: each of
 * those is compiled here once more, with these in their place (later_fit.c, later_audit.c,
 * later_schema.c). FAULTY_LATER names files of SQL, separated by colons: schema 2, 3 and so on.
 * Without it beacond-later knows what beacond knows.
 */
#ifndef BEACOND_TESTS_LATER_H
#define BEACOND_TESTS_LATER_H

#include "store/sqlite/db.h"

/* As sql.h has them. */
int later_count(void);
extern const char *later_migrations[];

#ifndef LATER_OWN
#undef SQL_MIGRATION_COUNT
#define SQL_MIGRATION_COUNT later_count()
#define sql_migrations later_migrations
#endif

#endif
