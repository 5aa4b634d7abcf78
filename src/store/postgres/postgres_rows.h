/*
 * postgres_rows.h: the events of an append, on their way into the table events.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_ROWS_H
#define BEACOND_STORE_POSTGRES_POSTGRES_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "contract/batch.h"
#include "store/store.h"

struct postgres_store;

/* An event that is to be stored, and its place among those of its part. */
struct postgres_row {
    struct batch_event *event;
    struct store_item *item;
    size_t place;
};

/* What one statement stores: beacond's own ids first, then given ones, these by (ts, id). */
struct postgres_part {
    struct postgres_row *rows;
    size_t count, plain;
};

struct postgres_rows {
    struct postgres_row *rows;
    size_t count;
    struct postgres_part *parts; /* in the order of the events */
    size_t part_count;
    bool unmarked; /* some are of batches that no receipt tells of */
};

/* Gathers what is not known of the items, and begins to count in them: saved, duplicate. Clear it
 * in any case. 0, or -1 when out of memory. */
int postgres_rows_gather(const struct postgres_store *store, struct postgres_rows *rows,
                         struct store_item *items, size_t count) MUST_CHECK;
void postgres_rows_clear(struct postgres_rows *rows);

/* Sends for each part its statement, and behind it @insist_given where it has given ids, and gives
 * the transaction time for each; hear takes the results in that order, which set the events'
 * numbers and count on in the items. A status of store.h. */
int postgres_rows_send(struct postgres_store *store, const struct postgres_rows *rows,
                       struct error *err) MUST_CHECK;
int postgres_rows_hear(struct postgres_store *store, const struct postgres_rows *rows,
                       struct error *err) MUST_CHECK;

/* Numbers of what was rolled back are nobody's. */
void postgres_rows_forget(const struct postgres_rows *rows);

#endif
