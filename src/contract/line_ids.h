/*
 * line_ids.h: ids for events of a file that have none: the same file gives the same ids again.
 * Pure.
 *
 * An id is made of the timestamp, the event's text and which of all equal ones in its file it is:
 * equal events are events of their own, and the file read again adds nothing. To know that, the
 * hash of each event without an id is kept: 12 to 24 bytes for each, 36 while the table grows.
 */
#ifndef BEACOND_CONTRACT_LINE_IDS_H
#define BEACOND_CONTRACT_LINE_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/uuid.h"

struct line_ids {
    uint64_t *seen; /* hashes, in a table of seen_size places, 0 for a free one */
    size_t seen_count, seen_size;
    struct line_ids_again *again; /* those seen twice and more */
    size_t again_count, again_size;
    uint64_t key; /* of the tables: hash_set_key; 0 at first */
};

void line_ids_init(struct line_ids *ids);
void line_ids_clear(struct line_ids *ids); /* frees; also: another file begins */

/* The id of the next event (build_name_fn; arg is the line_ids). 0, or -1 when out of memory. */
int line_ids_name(void *arg, const char *raw, size_t len, int64_t ts,
                  char out[UUID_LEN]) MUST_CHECK;

#endif
