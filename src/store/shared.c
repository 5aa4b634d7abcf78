#include "store/shared.h"

#include "store/ops.h"

uint64_t store_first_serial(const struct store *store)
{
    return store->ops->first_serial(store);
}

int store_claim(struct store *store, const uint64_t *keys, size_t count, store_claim_fn *fn,
                void *arg, struct error *err)
{
    return store->ops->claim(store, keys, count, fn, arg, err);
}

void store_release(struct store *store)
{
    store->ops->release(store);
}

int store_lose(struct store *store, const uint64_t *serials, size_t count, struct error *err)
{
    return store->ops->lose(store, serials, count, err);
}

int store_follow(struct store *store, const struct store_follow_ask *ask, int64_t *newest,
                 struct error *err)
{
    return store->ops->follow(store, ask, newest, err);
}

void store_on_news(struct store *store, void (*fn)(void *arg), void *arg)
{
    if (store->ops->on_news != NULL)
        store->ops->on_news(store, fn, arg);
}

int store_moment(struct store_reader *reader, struct store_moment *out, struct error *err)
{
    return reader->ops->moment(reader, out, err);
}

int store_vacuum(struct store *store, bool *more, struct error *err)
{
    return store->ops->vacuum(store, more, err);
}

int store_drop_days(struct store *store, int64_t before_ms, int64_t used_bytes,
                    struct store_dropped *out, struct error *err)
{
    return store->ops->drop_days(store, before_ms, used_bytes, out, err);
}
