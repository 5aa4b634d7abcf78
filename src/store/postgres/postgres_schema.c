#include "store/postgres/postgres_schema.h"

#include <string.h>

/* The oldest version of PostgreSQL that will do; versions are numbers of six digits to libpq. */
#define SCHEMA_SERVER 13
#define SCHEMA_MAJOR 10000

/* Held by the node that makes or changes the tables. */
#define SCHEMA_LOCK "SELECT pg_advisory_xact_lock((67::bigint << 56))"

/* The version that the tables have, 0 where there are none. Part of the open transaction. */
static int schema_version(struct pg *pg, int64_t *version, struct error *err)
{
    PGresult *result;
    *version = 0;
    int status = pg_ask(pg, SQL_SCHEMA_EXISTS, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    bool there = pg_bool(result, 0, 0), ours = pg_bool(result, 0, 1);
    PQclear(result);
    if (!there)
        return STORE_OK;
    if (!ours) {
        error_set(err, "its schema beacond is not beacond's: there is no table meta in it");
        return STORE_UNFIT;
    }
    status = pg_ask(pg, SQL_SCHEMA_VERSION, NULL, &result, err);
    if (status == STORE_OK) {
        *version = PQntuples(result) == 1 ? pg_int(result, 0, 0) : -1;
        PQclear(result);
    }
    return status;
}

/* As schema_version, but refuses what is newer. */
static int schema_known(struct pg *pg, int64_t *version, struct error *err)
{
    int status = schema_version(pg, version, err);
    if (status != STORE_OK || (*version >= 0 && *version <= SQL_MIGRATION_COUNT))
        return status;
    if (*version < 0)
        error_set(err, "its table meta does not say which version its schema has");
    else
        error_set(err,
                  "it was made by a newer beacond (schema %lld, this one knows %d): install that "
                  "one",
                  (long long)*version, SQL_MIGRATION_COUNT);
    return STORE_UNFIT;
}

static int schema_bring(struct pg *pg, struct error *err)
{
    int64_t version;
    int status = schema_known(pg, &version, err);
    for (int64_t n = version; n < SQL_MIGRATION_COUNT && status == STORE_OK; n++)
        status = pg_script(pg, sql_migrations[n], err);
    if (status == STORE_OK && version < SQL_MIGRATION_COUNT)
        status = pg_script(pg, sql_views, err);
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

/* Whether the server has what the tables and statements need, and the database takes any text. */
static int schema_check_server(const struct pg *pg, struct error *err)
{
    int version = PQserverVersion(pg->connection) / SCHEMA_MAJOR;
    const char *encoding = PQparameterStatus(pg->connection, "server_encoding");
    if (version < SCHEMA_SERVER) {
        error_set(err, "its server is PostgreSQL %d; beacond needs %d or newer", version,
                  SCHEMA_SERVER);
        return STORE_UNFIT;
    }
    if (encoding == NULL || strcmp(encoding, "UTF8") == 0)
        return STORE_OK;
    error_set(err, "its encoding is %s: make one with ENCODING 'UTF8'", encoding);
    return STORE_UNFIT;
}

/* Each statement must see what others have committed until it begins. Sessions ask for that, which
 * a pooler may keep from the server. */
static int schema_check_isolation(struct pg *pg, struct error *err)
{
    PGresult *result;
    size_t len;
    int status = pg_ask(pg, SQL_ISOLATION, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    const char *isolation = pg_bytes(result, 0, 0, &len);
    if (strncmp(isolation, "read ", 5) != 0) { /* "uncommitted" is the same to PostgreSQL */
        error_set(
            err,
            "its transactions are \"%s\" by default, and a pooler keeps beacond from asking for "
            "others: ALTER ROLE ... SET default_transaction_isolation = 'read committed'",
            isolation);
        status = STORE_UNFIT;
    }
    PQclear(result);
    return status;
}

int postgres_schema_fit(struct pg *pg, struct error *err)
{
    int status = schema_check_server(pg, err);
    if (status == STORE_OK)
        status = schema_check_isolation(pg, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = pg_script(pg, SCHEMA_LOCK, err);
    if (status == STORE_OK)
        status = schema_bring(pg, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_COMMIT, err);
    if (status != STORE_OK)
        pg_abandon(pg);
    return status;
}

int postgres_schema_judge(struct pg *pg, struct error *err)
{
    int64_t version;
    int status = schema_known(pg, &version, err);
    if (status != STORE_OK || version == SQL_MIGRATION_COUNT)
        return status == STORE_REFUSED ? STORE_BUSY : status;
    if (version == 0)
        error_set(err, "there is no schema beacond in it: no beacond has used it yet");
    else
        error_set(err, "it was made by an older beacond; run this one's daemon on it once");
    return STORE_UNFIT;
}

int postgres_schema_whole(struct pg *pg, struct error *err)
{
    PGresult *result;
    int status = pg_ask(pg, SQL_MOVING, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    if (pg_bool(result, 0, 0)) {
        error_set(err, "a database is being moved into it: stop the daemon that has that open and "
                       "run `beacond migrate` again, until it says that it is finished");
        status = STORE_UNFIT;
    }
    PQclear(result);
    return status;
}
