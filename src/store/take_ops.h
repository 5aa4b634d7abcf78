/*
 * take_ops.h: what an implementation of store/take.h provides; only store/ and its implementations
 * look in here.
 */
#ifndef BEACOND_STORE_TAKE_OPS_H
#define BEACOND_STORE_TAKE_OPS_H

#include "store/take.h"

struct store_take_ops {
    void (*close)(struct store_taker *taker);
    int (*begin)(struct store_taker *taker, struct error *err);
    void (*drop)(struct store_taker *taker);
    int (*erase_day)(struct store_taker *taker, int64_t at_ms, struct error *err);
    int (*erase_rejects)(struct store_taker *taker, struct error *err);
    int (*erase_receipts)(struct store_taker *taker, struct error *err);
    int (*event)(struct store_taker *taker, const struct store_row *row);
    int (*reject)(struct store_taker *taker, const struct store_reject *reject);
    int (*receipts)(struct store_taker *taker, int64_t at_ms, const void *data, size_t len);
    int (*flush)(struct store_taker *taker, struct error *err);
    int (*end)(struct store_taker *taker, const struct store_take_mark *mark, struct error *err);
    uint64_t (*hash)(struct store_taker *taker, const struct store_row *row);
    int (*ask_sums)(struct store_taker *taker, const struct store_take_stretch *stretch,
                    struct error *err);
    int (*hear_sums)(struct store_taker *taker, store_take_sum_fn *fn, void *arg,
                     struct error *err);
    int (*finish)(struct store_taker *taker, int64_t max_seq, struct error *err);
};

/* An implementation embeds this as its first member. */
struct store_taker {
    const struct store_take_ops *ops;
    struct store_take_mark mark;
};

#endif
