/*
 * leases.h: how many bytes of answers made in one piece are on their way to clients that take them
 * at their leisure.
 *
 * Outlives the engine as long as a lease is out: what was handed to a socket is let go of when the
 * socket is. Any thread.
 */
#ifndef BEACOND_ENGINE_LEASES_H
#define BEACOND_ENGINE_LEASES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct leases;

/* most: what may be out at once. NULL when out of memory. */
struct leases *leases_new(size_t most) MUST_CHECK;
void leases_drop(struct leases *leases); /* the maker's reference. NULL is fine */

/* Takes a lease of so many bytes, to be given back; false when that would be too much. */
bool leases_take(struct leases *leases, size_t bytes) MUST_CHECK;
void leases_give(struct leases *leases, size_t bytes);

size_t leases_out(struct leases *leases); /* bytes at the moment */

#endif
