/*
 * postgres_take_parts.h: the inside of postgres_take, for its own files alone.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_TAKE_PARTS_H
#define BEACOND_STORE_POSTGRES_POSTGRES_TAKE_PARTS_H

#include "store/postgres/pg_copy.h"
#include "store/take_ops.h"
#include "store/tally.h"

struct postgres_taker {
    struct store_taker base;
    char *database;
    struct pg pg;
    int64_t run; /* of this one: moved.run */
    int64_t last_reject;
    enum sql_statement kind; /* of what is put: SQL_TAKE_EVENTS and so on */
    struct pg_copy rows;
    struct tally tally;             /* of the events among them */
    struct range_place first, last; /* of them */
    int64_t serial;                 /* of the last receipt put */
    struct bytes text;              /* an id in its other form, or a receipt */
    struct bytes hashed;            /* what a row's hash is of */
    bool starved;                   /* no memory for what was put */
};

static inline struct postgres_taker *taker_of(struct store_taker *base)
{
    return (struct postgres_taker *)base;
}

/* postgres_take_rows.c: forgets what was put. */
void postgres_take_reset(struct postgres_taker *taker);

/* The id as its column has it: itself, or what taker->text then holds. 0, or -1: no memory. */
int postgres_take_id(struct postgres_taker *taker, const struct store_row *row, const char **id,
                     size_t *len) MUST_CHECK;

/* See store/take.h. */
int postgres_take_event(struct store_taker *base, const struct store_row *row) MUST_CHECK;
int postgres_take_reject(struct store_taker *base, const struct store_reject *reject) MUST_CHECK;
int postgres_take_receipts(struct store_taker *base, int64_t at_ms, const void *data,
                           size_t len) MUST_CHECK;
int postgres_take_flush(struct store_taker *base, struct error *err) MUST_CHECK;

/* postgres_take_sums.c: see store/take.h. */
uint64_t postgres_take_hash(struct store_taker *base, const struct store_row *row);
int postgres_take_ask_sums(struct store_taker *base, const struct store_take_stretch *stretch,
                           struct error *err) MUST_CHECK;
int postgres_take_hear_sums(struct store_taker *base, store_take_sum_fn *fn, void *arg,
                            struct error *err) MUST_CHECK;

#endif
