/*
 * postgres_dead.h: what was erased lies in the server's tables until those are vacuumed. Which ones
 * that concerns is noted here, and store_vacuum goes through them. Any thread.
 *
 * VACUUM makes the room free for other rows, and leaves the bytes there until it is used for some;
 * what was written before is in the write-ahead log, too, and where that is kept or sent.
 */
#ifndef BEACOND_STORE_POSTGRES_DEAD_H
#define BEACOND_STORE_POSTGRES_DEAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store;

/* Tables that hold something of all nodes' rows, beside the partitions. */
enum postgres_dead_table { POSTGRES_DEAD_REJECTS, POSTGRES_DEAD_RECEIPTS, POSTGRES_DEAD_TABLES };

struct postgres_dead {
    pthread_mutex_t mutex;
    int64_t *days; /* since 1970, none twice: in their partitions, events_old or events_other */
    size_t count, room;
    bool tables[POSTGRES_DEAD_TABLES];
    int64_t transaction; /* the newest that has erased something, its number */
};

void postgres_dead_init(struct postgres_dead *dead);
void postgres_dead_clear(struct postgres_dead *dead); /* frees */

/* A transaction is about to erase an event with that timestamp (0, or -1 when out of memory), or
 * rows of a table. */
int postgres_dead_note_day(struct postgres_dead *dead, int64_t transaction, int64_t ts) MUST_CHECK;
void postgres_dead_note_table(struct postgres_dead *dead, int64_t transaction,
                              enum postgres_dead_table table);

/* See store_vacuum. */
int postgres_vacuum(struct store *base, bool *more, struct error *err) MUST_CHECK;

#endif
