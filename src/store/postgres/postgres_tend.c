/* What a server's database needs little of: upkeep, and what a file asks for. */

#include "base/clock.h"
#include "store/postgres/postgres_store_parts.h"

/* A partition that is made late takes the day's events along. */
#define TEND_DAYS_PATIENCE_MS 600000

bool postgres_tend(struct store *base, bool idle, int64_t now_ms)
{
    struct postgres_store *store = (struct postgres_store *)base;
    (void)idle;
    store->at_ms = now_ms;
    store->until_ms = clock_mono_ms() + TEND_DAYS_PATIENCE_MS;
    postgres_days_tend(store);
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    bool more = postgres_upkeep(store);
    store->until_ms = 0;
    return more;
}

/* An event under a number that no other has. */
static int tend_try(struct postgres_store *store, struct error *err)
{
    int64_t number;
    int status = postgres_take_number(store, &number, err); /* and is no change by hand */
    pg_params_reset(&store->params);
    pg_put_int(&store->params, -1 - store->node.instance);
    pg_put_int(&store->params, clock_wall_ms());
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_PROBE_PUT, &store->params, NULL, err);
    return status == STORE_OK ? pg_ask(&store->pg, SQL_PROBE_TAKE, &store->params, NULL, err)
                              : status;
}

int postgres_probe(struct store *base, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    int status = postgres_store_begin(store, err);
    if (status == STORE_OK)
        status = tend_try(store, err);
    status = postgres_store_end(store, status, err);
    /* A trigger may refuse it, which is not the server's fault: an event would become a reject. */
    return status == STORE_REFUSED ? STORE_OK : status;
}

int postgres_size(struct store *base, struct store_size *out, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *result;
    int status = pg_connect(&store->pg, err);
    *out = (struct store_size){0};
    if (status == STORE_OK)
        status = pg_ask(&store->pg, SQL_SIZE, NULL, &result, err);
    if (status != STORE_OK)
        return STORE_BUSY;
    out->page_bytes = pg_int(result, 0, 0);
    out->pages = pg_int(result, 0, 1) / out->page_bytes;
    out->free_pages = pg_int(result, 0, 2) / out->page_bytes;
    PQclear(result);
    return STORE_OK;
}

int postgres_shrink(struct store *base, int64_t pages, int64_t *left, struct error *err)
{
    (void)base;
    (void)pages;
    (void)err;
    *left = INT64_MAX; /* no page is given back: more calls are no use */
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
