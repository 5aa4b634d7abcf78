/*
 * postgres_erase.h: rows go, and the tally follows in the same transaction. The writer's thread.
 *
 * Who erases events holds the lock of lock_erasing(), so erasures are numbered without a gap and
 * two nodes never wait for each other's rows; who stores events never takes that lock. The tally is
 * lowered in this node's own rows.
 */
#ifndef BEACOND_STORE_POSTGRES_ERASE_H
#define BEACOND_STORE_POSTGRES_ERASE_H

#include "store/postgres/sql.h"
#include "store/store.h"

struct postgres_store;

/* See store.h. */
int postgres_erase_oldest(struct store *base, int64_t before_ms, size_t most,
                          struct range_place *places, size_t *erased, struct error *err) MUST_CHECK;
int postgres_erase(struct store *base, const struct range_place *places, size_t count,
                   size_t *erased, struct error *err) MUST_CHECK;
int postgres_erase_rejects(struct store *base, const int64_t *numbers, size_t count, size_t *erased,
                           struct error *err) MUST_CHECK;
int postgres_replace_receipts(struct store *base, const struct store_receipts_row *rows,
                              size_t count, struct error *err) MUST_CHECK;

/* The next transaction, with a first statement that tells its number and takes this node's lock:
 * SQL_ERASE_BEGIN_EVENTS, or SQL_ERASE_BEGIN where no events go. postgres_store_end in any case. */
int postgres_erase_begin(struct postgres_store *store, enum sql_statement first,
                         int64_t *transaction, struct error *err) MUST_CHECK;

/* postgres_retry.c */
int postgres_retry_rejects(struct store *base, struct store_retry *retries, size_t count,
                           struct error *err) MUST_CHECK;

#endif
