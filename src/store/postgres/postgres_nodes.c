#include "store/postgres/postgres_nodes.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_schema.h"

/* How long a node of our name may take to be over, and how often that is looked at. */
#define NODE_PATIENCE_MS 3000
#define NODE_AGAIN_US 20000

/* Runs a statement whose one parameter is the instance. */
static int node_ask(struct pg *pg, enum sql_statement name, int64_t instance, PGresult **out,
                    struct error *err)
{
    struct pg_params params = {0};
    pg_put_int(&params, instance);
    int status = pg_ask(pg, name, &params, out, err);
    pg_params_clear(&params);
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

/* The same, of one that returns one boolean. */
static int node_whether(struct pg *pg, enum sql_statement name, int64_t instance, bool *out,
                        struct error *err)
{
    PGresult *result;
    *out = false;
    int status = node_ask(pg, name, instance, &result, err);
    if (status != STORE_OK)
        return status;
    *out = PQntuples(result) == 1 && pg_bool(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

/* Ends the transaction: commits with STORE_OK, else rolls back. Returns the status of the whole. */
static int node_finish(struct pg *pg, int status, struct error *err)
{
    if (status == STORE_OK)
        status = pg_run(pg, SQL_COMMIT, err);
    if (status != STORE_OK)
        pg_abandon(pg);
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

/* Marks it ended, and its bursts as not answered for. Part of the open transaction. */
static int node_close(struct pg *pg, int64_t instance, struct error *err)
{
    bool living;
    int status = node_whether(pg, SQL_NODE_END, instance, &living, err);
    if (status == STORE_OK && living)
        status = node_ask(pg, SQL_NODE_LOSE, instance, NULL, err);
    return status;
}

int postgres_node_end(struct pg *pg, int64_t instance, struct error *err)
{
    int status = pg_run(pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = node_ask(pg, SQL_NODE_SETTLE, instance, NULL, err);
    if (status == STORE_OK)
        status = node_close(pg, instance, err);
    return node_finish(pg, status, err);
}

/* --- those that have died --------------------------------------------------------------------- */

static void node_tell_end(const PGresult *result, int row)
{
    size_t len;
    const char *name = pg_bytes(result, row, 1, &len);
    log_info("the node \"%.*s\" is gone without an end; bursts that it took count as not answered "
             "for",
             (int)len, name);
}

/* Whether it has still not been seen for long; it can't be until the transaction ends. */
static int node_is_silent(struct pg *pg, int64_t instance, bool *out, struct error *err)
{
    PGresult *result;
    struct pg_params params = {0};
    pg_put_int(&params, instance);
    pg_put_int(&params, POSTGRES_NODE_SILENT_MS);
    int status = pg_ask(pg, SQL_NODE_SILENT, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return STORE_BUSY;
    *out = PQntuples(result) == 1 && pg_bool(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

/* One that has not been seen for long. That it lives nevertheless, or has something under way, is
 * no failure. */
static int node_bury(struct pg *pg, const PGresult *result, int row, struct error *err)
{
    int64_t instance = pg_int(result, row, 0);
    bool dead = false;
    int status = pg_run(pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = node_whether(pg, SQL_NODE_DEAD, instance, &dead, err);
    if (status == STORE_OK && dead)
        status = node_is_silent(pg, instance, &dead, err);
    if (status == STORE_OK && dead)
        status = node_close(pg, instance, err);
    status = node_finish(pg, status, err);
    if (status == STORE_OK && dead)
        node_tell_end(result, row);
    return status;
}

int postgres_nodes_tend(struct pg *pg, int64_t instance, struct error *err)
{
    PGresult *result;
    struct pg_params params = {0};
    pg_put_int(&params, instance);
    pg_put_int(&params, POSTGRES_NODE_SILENT_MS);
    int status = pg_ask(pg, SQL_NODES_SILENT, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return status == STORE_REFUSED ? STORE_BUSY : status;
    for (int row = 0; row < PQntuples(result) && status == STORE_OK; row++)
        status = node_bury(pg, result, row, err);
    PQclear(result);
    return status;
}

/* --- a start ---------------------------------------------------------------------------------- */

/* Whether it has died. A moment is given to it: the session of a process that was killed is over
 * soon, but not at once. */
static int node_await_death(struct pg *pg, int64_t instance, bool *dead, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + NODE_PATIENCE_MS;
    for (;;) {
        int status = node_whether(pg, SQL_NODE_DEAD, instance, dead, err);
        if (status != STORE_OK || *dead || clock_mono_ms() >= until_ms)
            return status;
        clock_sleep_us(NODE_AGAIN_US);
    }
}

/* When it was last heard of. */
static int node_seen(struct pg *pg, int64_t instance, int64_t *seen, struct error *err)
{
    PGresult *result;
    int status = node_ask(pg, SQL_NODE_SEEN, instance, &result, err);
    if (status != STORE_OK)
        return status;
    *seen = PQntuples(result) == 1 ? pg_int(result, 0, 0) : 0;
    PQclear(result);
    return STORE_OK;
}

/* It did not die while it was waited for. seen: when it had been heard of before that. */
static int node_in_the_way(struct pg *pg, const char *name, int64_t instance, int64_t seen,
                           struct error *err)
{
    int64_t seen_since;
    int status = node_seen(pg, instance, &seen_since, err);
    if (status != STORE_OK)
        return status;
    if (seen_since != seen) {
        error_set(err, "another node is called \"%s\": give this one another name with node = NAME",
                  name);
        return STORE_HELD;
    }
    error_set(
        err,
        "the node \"%s\" is not heard of, but something of it is still there: its place can be "
        "taken once PostgreSQL has ended that",
        name);
    return STORE_BUSY;
}

static int node_replace(struct pg *pg, const char *name, const PGresult *result, int row,
                        struct error *err)
{
    int64_t instance = pg_int(result, row, 0), seen = pg_int(result, row, 1);
    bool dead;
    int status = node_await_death(pg, instance, &dead, err);
    if (status == STORE_OK && !dead)
        status = node_in_the_way(pg, name, instance, seen, err);
    if (status == STORE_OK)
        status = node_close(pg, instance, err);
    return status;
}

static int node_replace_all(struct pg *pg, const char *name, struct error *err)
{
    PGresult *result;
    struct pg_params params = {0};
    pg_put_text(&params, name, strlen(name));
    int status = pg_ask(pg, SQL_NODES_NAMED, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return status;
    for (int row = 0; row < PQntuples(result) && status == STORE_OK; row++)
        status = node_replace(pg, name, result, row, err);
    PQclear(result);
    return status;
}

static int node_insert(struct pg *pg, const char *name, struct postgres_node *node,
                       struct error *err)
{
    PGresult *result;
    struct pg_params params = {0};
    pg_put_text(&params, name, strlen(name));
    int status = pg_ask(pg, SQL_NODE_REGISTER, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return status;
    *node = (struct postgres_node){.instance = pg_int(result, 0, 0),
                                   .slot = (int16_t)pg_int(result, 0, 1)};
    PQclear(result);
    return STORE_OK;
}

int postgres_node_register(struct pg *pg, const char *name, bool replaces, bool holds,
                           struct postgres_node *node, struct error *err)
{
    struct postgres_node made = {0};
    int status = pg_run(pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = pg_run(pg, SQL_NODE_LOCK, err);
    if (status == STORE_OK)
        status = postgres_schema_whole(pg, err);
    if (status == STORE_OK && replaces)
        status = node_replace_all(pg, name, err);
    if (status == STORE_OK)
        status = node_insert(pg, name, &made, err);
    /* Before anybody sees the row: what is seen and not held has died. */
    if (status == STORE_OK && holds)
        status = postgres_node_hold(pg, made.instance, err);
    status = node_finish(pg, status, err);
    if (status == STORE_OK)
        *node = made;
    return status;
}

int postgres_node_hold(struct pg *pg, int64_t instance, struct error *err)
{
    bool held;
    int status = node_whether(pg, SQL_NODE_HOLD, instance, &held, err);
    if (status == STORE_OK && !held) {
        error_set(err, "an earlier session of this node is not over yet");
        status = STORE_BUSY;
    }
    return status;
}

int postgres_node_let_go(struct pg *pg, int64_t instance, struct error *err)
{
    return node_ask(pg, SQL_NODE_LET_GO, instance, NULL, err);
}

int postgres_node_beat(struct pg *pg, int64_t instance, bool *lives, struct error *err)
{
    return node_whether(pg, SQL_NODE_BEAT, instance, lives, err);
}
