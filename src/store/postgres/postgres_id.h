/*
 * postgres_id.h: how an event's id stands in the column id (sql/postgresql/0001-schema.sql). Pure.
 *
 * PostgreSQL's text holds neither U+0000 nor half of a surrogate pair, both of which a JSON string
 * may spell, and its indexes take no values of many kilobytes. Such an id is spelt: U+0001, x and
 * its bytes in hexadecimal; or, where that would be too long, U+0001, h and its SHA-256. Ids that
 * begin with U+0001 are spelt too, so no two ids become the same text.
 */
#ifndef BEACOND_STORE_POSTGRES_ID_H
#define BEACOND_STORE_POSTGRES_ID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* The longest text in the column. */
#define POSTGRES_ID_BYTES 2000

/* Whether the id stands there as it is. */
bool postgres_id_is_plain(const char *id, size_t len);

/* Appends what stands there instead, or the id itself if it is plain. 0, or -1 when out of memory.
 */
int postgres_id_spell(struct bytes *out, const char *id, size_t len) MUST_CHECK;

#endif
