/*
 * postgres_store.h: the store that keeps events in a PostgreSQL database, to which other nodes
 * write as well (store/shared.h). sql/postgresql/0001-schema.sql says how.
 */
#ifndef BEACOND_STORE_POSTGRES_STORE_H
#define BEACOND_STORE_POSTGRES_STORE_H

#include "store/ask.h"
#include "store/audit.h"
#include "store/store.h"

/* See store_check. */
int postgres_check(const char *database, struct error *err) MUST_CHECK;

int postgres_store_open(struct store **out, const struct store_options *options,
                        struct error *err) MUST_CHECK;

/* See store_reader_open_file. */
int postgres_reader_open(const char *database, struct store_reader **out,
                         struct error *err) MUST_CHECK;

/* The same for a store of this process. It connects when it is first asked. */
int postgres_reader_open_for(const char *database, struct store_reader **out,
                             struct error *err) MUST_CHECK;

/* See store_query_at and store_views. */
bool postgres_query_at(size_t n, struct store_query *out) MUST_CHECK;
const char *postgres_views(void);

/* See store_audit. */
int postgres_audit(const char *database, enum store_audit_depth depth,
                   const struct store_audit_ear *ear, struct store_audit_facts *facts,
                   struct error *err) MUST_CHECK;

#endif
