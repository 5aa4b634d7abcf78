/* This node among the others. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/postgres/postgres_store_parts.h"

static void nodes_name(char *out, size_t size)
{
    char host[256];
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    (void)snprintf(out, size, "%s:%ld", host, (long)getpid());
}

static int nodes_enter(struct postgres_store *store, const char *name, struct error *err)
{
    PGresult *result;
    int status = pg_run(&store->pg, SQL_NODE_LOCK, err);
    if (status != STORE_OK)
        return status;
    pg_params_reset(&store->params);
    pg_put_text(&store->params, name, strlen(name));
    status = pg_ask(&store->pg, SQL_NODE_REGISTER, &store->params, &result, err);
    if (status != STORE_OK)
        return status;
    store->instance = pg_int(result, 0, 0);
    store->slot = (int16_t)pg_int(result, 0, 1);
    PQclear(result);
    return STORE_OK;
}

int postgres_nodes_register(struct postgres_store *store, const char *name, struct error *err)
{
    char own[300];
    nodes_name(own, sizeof own);
    int status = pg_run(&store->pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = nodes_enter(store, name == NULL ? own : name, err);
    if (status == STORE_OK)
        status = pg_run(&store->pg, SQL_COMMIT, err);
    if (status != STORE_OK)
        pg_abandon(&store->pg);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

void postgres_nodes_end(struct postgres_store *store)
{
    struct error err;
    if (store->instance == 0 || store->pg.connection == NULL)
        return;
    pg_params_reset(&store->params);
    pg_put_int(&store->params, store->instance);
    /* Where that fails others find out by themselves. */
    (void)!pg_ask(&store->pg, SQL_NODE_END, &store->params, NULL, &err);
}
