#include "store/postgres/postgres_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/postgres/postgres_erase.h"
#include "store/postgres/postgres_name.h"
#include "store/postgres/postgres_store_parts.h"

/* Somewhat less than POSTGRES_PATIENCE_MS: a session that waits for a lock does not notice that it
 * was given up, and a new one would be left behind with each try, until the server takes no more.
 */
#define STORE_SETTINGS "-c lock_timeout=19s"

static void postgres_store_close(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    postgres_release(base);
    postgres_follow_drop(store);
    pg_close(&store->pg);
    postgres_signal_stop(store->signal);
    pg_params_clear(&store->params);
    bytes_clear(&store->keys);
    bytes_clear(&store->doubt.keys);
    bytes_clear(&store->doubt.serials);
    bytes_clear(&store->losing.serials);
    bytes_clear(&store->losing.sure);
    hash_set_clear(&store->repeats);
    tally_clear(&store->tally);
    postgres_days_clear(&store->days);
    postgres_dead_clear(&store->dead);
    free(store->database);
    free(store);
}

static uint64_t postgres_store_first_serial(const struct store *base)
{
    const struct postgres_store *store = (const struct postgres_store *)base;
    return (uint64_t)store->first_instance * POSTGRES_SERIALS;
}

static void postgres_store_limit_rejects(struct store *base, int64_t max_rejects,
                                         int64_t max_rejects_bytes)
{
    struct postgres_store *store = (struct postgres_store *)base;
    atomic_store(&store->max_rejects, max_rejects);
    atomic_store(&store->max_rejects_bytes, max_rejects_bytes);
}

/* Nodes look at receipts in the database, each time. What is told is when the last commit was: by
 * that a clock is judged that is far ahead of it. */
static int postgres_store_load_receipts(struct store *base, store_receipts_fn *fn, void *arg,
                                        struct error *err)
{
    const struct postgres_store *store = (const struct postgres_store *)base;
    (void)err;
    if (store->place.at > 0)
        (void)fn(arg, 0, store->place.at, "", 0);
    return STORE_OK;
}

static int postgres_store_reader_open(struct store *base, struct store_reader **out,
                                      struct error *err)
{
    return postgres_reader_open_for(((struct postgres_store *)base)->database, out, err);
}

static void postgres_store_on_news(struct store *base, void (*fn)(void *arg), void *arg)
{
    struct postgres_store *store = (struct postgres_store *)base;
    postgres_signal_on_news(store->signal, fn, arg);
}

static const struct store_ops postgres_store_ops = {
    .close = postgres_store_close,
    .append = postgres_append,
    .limit_rejects = postgres_store_limit_rejects,
    .append_apart = postgres_append_apart,
    .load_receipts = postgres_store_load_receipts,
    .size = postgres_size,
    .shrink = postgres_shrink,
    .scrub = postgres_scrub,
    .find_traces = postgres_find_traces,
    .clean_traces = postgres_clean_traces,
    .rebuild_index = postgres_scrub,
    .rewrite = postgres_scrub,
    .tend = postgres_tend,
    .probe = postgres_probe,
    .changed = postgres_changed,
    .doubt = postgres_doubted,
    .claim = postgres_claim,
    .release = postgres_release,
    .lose = postgres_lose,
    .first_serial = postgres_store_first_serial,
    .erase_oldest = postgres_erase_oldest,
    .erase = postgres_erase,
    .erase_rejects = postgres_erase_rejects,
    .retry_rejects = postgres_retry_rejects,
    .replace_receipts = postgres_replace_receipts,
    .drop_days = postgres_store_drop_days,
    .vacuum = postgres_vacuum,
    .follow = postgres_follow,
    .reader_open = postgres_store_reader_open,
    .on_news = postgres_store_on_news,
    .copy_instead = "a database of PostgreSQL's is backed up by its own programs: pg_dump, or "
                    "pg_basebackup and the archive of its write-ahead log",
};

/* While the server is waited for. */
static bool store_waits(void *arg)
{
    const struct postgres_store *store = arg;
    if (store->base.works != NULL)
        store->base.works(store->base.works_arg);
    return store->until_ms == 0 || clock_mono_ms() < store->until_ms;
}

static int store_read_secret(struct postgres_store *store, struct error *err)
{
    PGresult *result;
    size_t len;
    int status = pg_ask(&store->pg, SQL_SECRET, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    const char *secret = PQntuples(result) == 1 ? pg_bytes(result, 0, 0, &len) : NULL;
    if (secret != NULL && len == SIPHASH_KEY_BYTES) {
        memcpy(store->base.secret, secret, len);
    } else {
        error_set(err, "its table meta holds no secret of 16 bytes");
        status = STORE_UNFIT;
    }
    PQclear(result);
    return status;
}

static int store_take_up(struct postgres_store *store, const char *node, struct error *err)
{
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = postgres_schema_fit(&store->pg, err);
    if (status == STORE_OK)
        status = store_read_secret(store, err);
    if (status == STORE_OK)
        status = postgres_count_rejects(store, err);
    if (status == STORE_OK)
        status = postgres_signal_start(&store->signal, store->database, node, err);
    if (status == STORE_OK) {
        store->node = postgres_signal_node(store->signal);
        store->first_instance = store->node.instance;
        status = postgres_follow_begin(store, err);
    }
    if (status == STORE_OK)
        status = postgres_keep(store, err);
    if (status == STORE_OK)
        postgres_days_tend(store);
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

int postgres_store_open(struct store **out, const struct store_options *options, struct error *err)
{
    struct postgres_store *store = calloc(1, sizeof *store);
    char *database = strdup(options->database);
    if (store == NULL || database == NULL) {
        free(store);
        free(database);
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    store->base.ops = &postgres_store_ops;
    store->base.shared = true;
    store->database = database;
    pg_init(&store->pg, database, false);
    store->pg.settings = options->synchronous == STORE_SYNC_FULL
                             ? STORE_SETTINGS " -c synchronous_commit=on"
                             : STORE_SETTINGS " -c synchronous_commit=off";
    store->pg.waits = store_waits;
    store->pg.waits_arg = store;
    tally_init(&store->tally);
    postgres_store_limit_rejects(&store->base, options->max_rejects, options->max_rejects_bytes);
    store->upkeep.receipts_bytes = options->max_receipts_bytes;
    postgres_dead_init(&store->dead);
    struct error why = {""};
    int status = store_take_up(store, options->node, &why);
    if (status == STORE_OK) {
        *out = &store->base;
        return STORE_OK;
    }
    char name[STORE_NAME_SIZE];
    postgres_name_show(database, name, sizeof name);
    error_set(err, "%s: %s", name, why.text);
    postgres_store_close(&store->base);
    return status;
}
