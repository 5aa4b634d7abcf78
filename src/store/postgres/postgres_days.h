/*
 * postgres_days.h: the partitions of events, one a day, UTC.
 *
 * Those of today and the next days are made ahead, by every node; that of another day before its
 * first event is inserted, when it lies within POSTGRES_DAYS_BACK. The rest goes to the partitions
 * events_old and events_other, and to the latter what a day's partition can't be made for just now:
 * when it is made later, the day's events move there. So nothing here fails. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_DAYS_H
#define BEACOND_STORE_POSTGRES_DAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/shared.h"
#include "store/store.h"

struct postgres_store;

/* Ahead of today, besides today itself, and back: fewer than the 500 days that events_old lay
 * behind when the tables were made (old_until() in 0001-schema.sql). */
#define POSTGRES_DAYS_AHEAD 7
#define POSTGRES_DAYS_BACK 400

/* The days that are known to have partitions. Zero it. */
struct postgres_days {
    int64_t *days; /* since 1970, ascending */
    size_t count, room;
    bool known;
    uint64_t made;    /* the connection (struct pg) when they were asked for */
    int64_t look_ms;  /* when postgres_days_tend looks again, by the monotonic clock */
    int64_t again_ms; /* not before, after one could not be made */
};

void postgres_days_clear(struct postgres_days *days); /* frees */

/* What is known is no more: partitions have been dropped, for example. */
void postgres_days_forget(struct postgres_days *days);

/* Makes those that these batches want. Before the first statement on events of a transaction, or
 * outside of one: it uses a connection of its own, and waits for who holds the tables, though not
 * for long. */
void postgres_days_ensure(struct postgres_store *store, const struct store_item *items,
                          size_t count);

/* Makes those ahead when they are due: at first, and then every hour. */
void postgres_days_tend(struct postgres_store *store);

/* See store_drop_days. No transaction is open. */
int postgres_store_drop_days(struct store *base, int64_t before_ms, int64_t used_bytes,
                             struct store_dropped *out, struct error *err) MUST_CHECK;

#endif
