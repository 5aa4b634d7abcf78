/* What a server's database needs little of: upkeep, and what a file asks for. */

#include "store/postgres/postgres_store_parts.h"

bool postgres_tend(struct store *base, bool idle)
{
    struct postgres_store *store = (struct postgres_store *)base;
    (void)idle;
    postgres_days_tend(store);
    return false;
}

int postgres_probe(struct store *base, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    int status = postgres_store_begin(store, err);
    return postgres_store_end(store, status, err);
}

bool postgres_changed(struct store *base)
{
    (void)base;
    return false;
}

void postgres_doubted(struct store *base)
{
    (void)base;
}

int postgres_size(struct store *base, struct store_size *out, struct error *err)
{
    (void)base;
    (void)err;
    *out = (struct store_size){0};
    return STORE_OK;
}

int postgres_shrink(struct store *base, int64_t pages, int64_t *left, struct error *err)
{
    (void)base;
    (void)pages;
    (void)err;
    *left = 0;
    return STORE_OK;
}

int postgres_scrub(struct store *base, struct error *err)
{
    (void)base;
    (void)err;
    return STORE_OK;
}

int postgres_find_traces(struct store *base, int64_t *page, store_trace_fn *fn, void *arg,
                         bool *more, struct error *err)
{
    (void)base;
    (void)page;
    (void)fn;
    (void)arg;
    (void)err;
    *more = false;
    return STORE_OK;
}

int postgres_clean_traces(struct store *base, const int64_t *pages, size_t count, struct error *err)
{
    (void)base;
    (void)pages;
    (void)count;
    (void)err;
    return STORE_OK;
}
