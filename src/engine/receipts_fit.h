/*
 * receipts_fit.h: whether a row of receipts is whole. Pure.
 *
 * Reading takes what it can of a row (receipts.h); who checks a database wants to know. Both go by
 * the format in sql/0001-schema.sql.
 */
#ifndef BEACOND_ENGINE_RECEIPTS_FIT_H
#define BEACOND_ENGINE_RECEIPTS_FIT_H

#include <stdbool.h>
#include <stddef.h>

/* True for rows of an older version as well, which are left alone until they are old enough. */
bool receipts_fit(const void *data, size_t len);

#endif
