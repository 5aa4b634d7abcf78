#include "store/postgres/postgres_dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/postgres_store_parts.h"
#include "store/step.h"

static const char *const dead_tables[POSTGRES_DEAD_TABLES] = {
    [POSTGRES_DEAD_REJECTS] = "rejects",
    [POSTGRES_DEAD_RECEIPTS] = "receipts",
};

void postgres_dead_init(struct postgres_dead *dead)
{
    *dead = (struct postgres_dead){.days = NULL};
    pthread_mutex_init(&dead->mutex, NULL);
}

void postgres_dead_clear(struct postgres_dead *dead)
{
    pthread_mutex_destroy(&dead->mutex);
    free(dead->days);
}

/* Called locked. */
static int dead_add(struct postgres_dead *dead, int64_t day)
{
    for (size_t i = dead->count; i-- > 0;)
        if (dead->days[i] == day)
            return 0;
    if (dead->count == dead->room) {
        size_t room = dead->room == 0 ? 16 : dead->room * 2;
        int64_t *days = realloc(dead->days, room * sizeof *days);
        if (days == NULL)
            return -1;
        dead->days = days;
        dead->room = room;
    }
    dead->days[dead->count++] = day;
    return 0;
}

int postgres_dead_note_day(struct postgres_dead *dead, int64_t transaction, int64_t ts)
{
    pthread_mutex_lock(&dead->mutex);
    dead->transaction = transaction;
    int status = dead_add(dead, step_floor(STEP_DAY, ts) / step_ms[STEP_DAY]);
    pthread_mutex_unlock(&dead->mutex);
    return status;
}

void postgres_dead_note_table(struct postgres_dead *dead, int64_t transaction,
                              enum postgres_dead_table table)
{
    pthread_mutex_lock(&dead->mutex);
    dead->transaction = transaction;
    dead->tables[table] = true;
    pthread_mutex_unlock(&dead->mutex);
}

/* --- vacuuming ----------------------------------------------------------------------------------
 */

/* One of those that are noted. */
struct dead_one {
    bool any, is_day;
    int64_t day;
    enum postgres_dead_table table;
    int64_t transaction;
};

static struct dead_one dead_next(struct postgres_dead *dead)
{
    struct dead_one one = {.any = false};
    pthread_mutex_lock(&dead->mutex);
    one.transaction = dead->transaction;
    if (dead->count > 0) {
        one.any = one.is_day = true;
        one.day = dead->days[dead->count - 1];
    }
    for (int i = 0; i < POSTGRES_DEAD_TABLES && !one.any; i++)
        if (dead->tables[i]) {
            one.any = true;
            one.table = (enum postgres_dead_table)i;
        }
    pthread_mutex_unlock(&dead->mutex);
    return one;
}

/* It is done, unless something has been erased there since. */
static void dead_strike(struct postgres_dead *dead, const struct dead_one *one)
{
    pthread_mutex_lock(&dead->mutex);
    if (dead->transaction == one->transaction && one->is_day) {
        for (size_t i = 0; i < dead->count; i++)
            if (dead->days[i] == one->day)
                dead->days[i--] = dead->days[--dead->count];
    } else if (dead->transaction == one->transaction) {
        dead->tables[one->table] = false;
    }
    pthread_mutex_unlock(&dead->mutex);
}

/* STORE_BUSY while somebody may still see what is to go: VACUUM would leave it. */
static int dead_check_seen(struct pg *pg, int64_t transaction, struct error *err)
{
    struct pg_params params = {0};
    PGresult *result;
    size_t len;
    pg_put_int(&params, transaction);
    int status = pg_ask(pg, SQL_STILL_SEEN, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return status;
    if (PQntuples(result) > 0) {
        const char *name = pg_bytes(result, 0, 1, &len);
        error_set(err,
                  "session %lld of PostgreSQL (%.*s) is in a transaction that began before and may "
                  "still see it",
                  (long long)pg_int(result, 0, 0), (int)len, name);
        status = STORE_BUSY;
    }
    PQclear(result);
    return status;
}

static int dead_run(struct pg *pg, const char *table, size_t len, struct error *err)
{
    char text[128];
    snprintf(text, sizeof text, "VACUUM beacond.%.*s", (int)len, table);
    return pg_script(pg, text, err);
}

static int dead_vacuum_day(struct pg *pg, int64_t day, struct error *err)
{
    struct pg_params params = {0};
    PGresult *result;
    size_t len;
    pg_put_int(&params, day);
    int status = pg_ask(pg, SQL_DAY_TABLE, &params, &result, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return status;
    const char *table = pg_bytes(result, 0, 0, &len);
    status = dead_run(pg, table, len, err);
    PQclear(result);
    return status;
}

static int dead_vacuum(struct pg *pg, const struct dead_one *one, struct error *err)
{
    const char *table = dead_tables[one->table];
    int status = pg_connect(pg, err);
    if (status == STORE_OK)
        status = dead_check_seen(pg, one->transaction, err);
    if (status != STORE_OK)
        return status;
    return one->is_day ? dead_vacuum_day(pg, one->day, err)
                       : dead_run(pg, table, strlen(table), err);
}

int postgres_vacuum(struct store *base, bool *more, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct dead_one one = dead_next(&store->dead);
    struct pg pg;
    *more = one.any;
    if (!one.any)
        return STORE_OK;
    pg_init(&pg, store->database, false);
    int status = dead_vacuum(&pg, &one, err);
    pg_close(&pg);
    if (status == STORE_OK)
        dead_strike(&store->dead, &one);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}
