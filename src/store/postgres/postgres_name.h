/*
 * postgres_name.h: names of databases that PostgreSQL has: URIs that libpq takes, postgresql://… or
 * postgres://…. Needs no libpq.
 */
#ifndef BEACOND_STORE_POSTGRES_NAME_H
#define BEACOND_STORE_POSTGRES_NAME_H

#include <stdbool.h>
#include <stddef.h>

bool postgres_name_is(const char *database);

/* Writes it without its password, wherever that stands; cut where there is no room. */
void postgres_name_show(const char *database, char *out, size_t size);

#endif
