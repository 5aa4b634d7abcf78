/*
 * postgres_take.h: a PostgreSQL database as the target of store/take.h.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_TAKE_H
#define BEACOND_STORE_POSTGRES_POSTGRES_TAKE_H

#include "store/take_ops.h"

/* See store_take_open. */
int postgres_take_open(const char *database, const struct store_origin *origin,
                       struct store_taker **out, struct error *err) MUST_CHECK;

#endif
