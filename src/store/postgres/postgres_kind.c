/* PostgreSQL's databases by name, also where beacond was built without libpq. */

#include "store/ops.h"
#include "store/postgres/postgres_name.h"

#ifdef HAVE_LIBPQ
#include "store/postgres/postgres_store.h"
#include "store/postgres/postgres_take.h"
#else
static int kind_is_missing(struct error *err)
{
    error_set(err, "this beacond was built without PostgreSQL (configure --with-postgresql)");
    return STORE_UNFIT;
}

static int postgres_check(const char *database, struct error *err)
{
    (void)database;
    return kind_is_missing(err);
}

static int postgres_store_open(struct store **out, const struct store_options *options,
                               struct error *err)
{
    (void)out;
    (void)options;
    return kind_is_missing(err);
}

static int postgres_reader_open(const char *database, struct store_reader **out, struct error *err)
{
    (void)database;
    (void)out;
    return kind_is_missing(err);
}

static int postgres_audit(const char *database, enum store_audit_depth depth,
                          const struct store_audit_ear *ear, struct store_audit_facts *facts,
                          struct error *err)
{
    (void)database;
    (void)depth;
    (void)ear;
    (void)facts;
    return kind_is_missing(err);
}

static int postgres_take_open(const char *database, const struct store_origin *origin,
                              struct store_taker **out, struct error *err)
{
    (void)database;
    (void)origin;
    (void)out;
    return kind_is_missing(err);
}

static bool postgres_query_at(size_t n, struct store_query *out)
{
    (void)n;
    (void)out;
    return false;
}

static const char *postgres_views(void)
{
    return "";
}
#endif

const struct store_kind postgres_kind = {
    .file = false,
    .takes = postgres_name_is,
    .name = postgres_name_show,
    .check = postgres_check,
    .open = postgres_store_open,
    .reader_open_file = postgres_reader_open,
    .audit = postgres_audit,
    .query_at = postgres_query_at,
    .views = postgres_views,
    .take_open = postgres_take_open,
};
