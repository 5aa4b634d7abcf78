#include "store/take.h"

#include "store/ops.h"
#include "store/take_ops.h"

int store_origin(struct store_reader *reader, struct store_origin *out, struct error *err)
{
    if (reader->ops->origin != NULL)
        return reader->ops->origin(reader, out, err);
    error_set(err, "it is not a file: there is nothing to move");
    return STORE_UNFIT;
}

int store_take_open(const char *database, const struct store_origin *origin,
                    struct store_taker **out, struct error *err)
{
    const struct store_kind *kind = store_kind_of(database);
    int status = store_check(database, err);
    if (status != STORE_OK)
        return status;
    if (kind->take_open != NULL)
        return kind->take_open(database, origin, out, err);
    error_set(err, "%s is a file: `beacond backup` copies a database to one", database);
    return STORE_UNFIT;
}

void store_take_close(struct store_taker *taker)
{
    if (taker != NULL)
        taker->ops->close(taker);
}

void store_take_look(const struct store_taker *taker, struct store_take_mark *out)
{
    *out = taker->mark;
}

int store_take_begin(struct store_taker *taker, struct error *err)
{
    return taker->ops->begin(taker, err);
}

void store_take_drop(struct store_taker *taker)
{
    taker->ops->drop(taker);
}

int store_take_erase_day(struct store_taker *taker, int64_t at_ms, struct error *err)
{
    return taker->ops->erase_day(taker, at_ms, err);
}

int store_take_erase_rejects(struct store_taker *taker, struct error *err)
{
    return taker->ops->erase_rejects(taker, err);
}

int store_take_erase_receipts(struct store_taker *taker, struct error *err)
{
    return taker->ops->erase_receipts(taker, err);
}

int store_take_event(struct store_taker *taker, const struct store_row *row)
{
    return taker->ops->event(taker, row);
}

int store_take_reject(struct store_taker *taker, const struct store_reject *reject)
{
    return taker->ops->reject(taker, reject);
}

int store_take_receipts(struct store_taker *taker, int64_t at_ms, const void *data, size_t len)
{
    return taker->ops->receipts(taker, at_ms, data, len);
}

int store_take_flush(struct store_taker *taker, struct error *err)
{
    return taker->ops->flush(taker, err);
}

int store_take_end(struct store_taker *taker, const struct store_take_mark *mark, struct error *err)
{
    return taker->ops->end(taker, mark, err);
}

uint64_t store_take_hash(struct store_taker *taker, const struct store_row *row)
{
    return taker->ops->hash(taker, row);
}

int store_take_ask_sums(struct store_taker *taker, const struct store_take_stretch *stretch,
                        struct error *err)
{
    return taker->ops->ask_sums(taker, stretch, err);
}

int store_take_hear_sums(struct store_taker *taker, store_take_sum_fn *fn, void *arg,
                         struct error *err)
{
    return taker->ops->hear_sums(taker, fn, arg, err);
}

int store_take_finish(struct store_taker *taker, int64_t max_seq, struct error *err)
{
    return taker->ops->finish(taker, max_seq, err);
}
