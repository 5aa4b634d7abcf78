#include "store/postgres/postgres_take.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_name.h"
#include "store/postgres/postgres_schema.h"
#include "store/postgres/postgres_take_parts.h"

static void taker_close(struct store_taker *base)
{
    struct postgres_taker *taker = taker_of(base);
    pg_close(&taker->pg);
    pg_copy_clear(&taker->rows);
    tally_clear(&taker->tally);
    bytes_clear(&taker->text);
    bytes_clear(&taker->hashed);
    free(taker->database);
    free(taker);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void taker_drop(struct store_taker *base)
{
    struct postgres_taker *taker = taker_of(base);
    postgres_take_reset(taker);
    pg_abandon(&taker->pg);
}

/* Locks the row that says how far it is, which a later run may have taken over. */
static int taker_hold(struct postgres_taker *taker, struct error *err)
{
    PGresult *result;
    int status = pg_ask(&taker->pg, SQL_TAKE_HOLD, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    if (PQntuples(result) != 1 || pg_int(result, 0, 0) != taker->run) {
        error_set(err, "another `beacond migrate` goes on with it");
        status = STORE_UNFIT;
    }
    PQclear(result);
    return status;
}

static int taker_begin(struct store_taker *base, struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    postgres_take_reset(taker);
    int status = pg_connect(&taker->pg, err);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = taker_hold(taker, err);
    return status;
}

static int taker_write_mark(struct postgres_taker *taker, const struct store_take_mark *mark,
                            struct error *err)
{
    struct pg_params params = {0};
    pg_put_int(&params, mark->seq);
    pg_put_int(&params, mark->compared);
    pg_put_int(&params, mark->erasures);
    int status = pg_ask(&taker->pg, SQL_TAKE_MARK, &params, NULL, err);
    pg_params_clear(&params);
    return status;
}

static int taker_end(struct store_taker *base, const struct store_take_mark *mark,
                     struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    int status = postgres_take_flush(base, err);
    if (status == STORE_OK)
        status = taker_write_mark(taker, mark, err);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_COMMIT, err);
    if (status == STORE_OK)
        base->mark = *mark;
    return status;
}

/* --- erasing ---------------------------------------------------------------------------------- */

static int taker_erase_day(struct store_taker *base, int64_t at_ms, struct error *err)
{
    struct pg_params params = {0};
    pg_put_int(&params, at_ms);
    pg_put_int(&params, at_ms + step_ms[STEP_DAY]);
    int status = pg_ask(&taker_of(base)->pg, SQL_TAKE_ERASE_DAY, &params, NULL, err);
    pg_params_clear(&params);
    return status;
}

static int taker_erase_rejects(struct store_taker *base, struct error *err)
{
    return pg_run(&taker_of(base)->pg, SQL_TAKE_ERASE_REJECTS, err);
}

static int taker_erase_receipts(struct store_taker *base, struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    taker->serial = 0;
    return pg_run(&taker->pg, SQL_TAKE_ERASE_RECEIPTS, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static int taker_ask_finish(struct postgres_taker *taker, int64_t max_seq, struct error *err)
{
    struct pg_params params = {0};
    int64_t now_ms = clock_wall_ms();
    pg_put_int(&params, max_seq);
    pg_put_int(&params, taker->last_reject);
    int status = pg_ask(&taker->pg, SQL_TAKE_NUMBERS, &params, NULL, err);
    pg_params_reset(&params);
    pg_put_int(&params, max_seq);
    pg_put_int(&params, now_ms);
    if (status == STORE_OK)
        status = pg_ask(&taker->pg, SQL_TAKE_COMMIT, &params, NULL, err);
    pg_params_reset(&params);
    pg_put_int(&params, now_ms);
    if (status == STORE_OK)
        status = pg_ask(&taker->pg, SQL_TAKE_FINISH, &params, NULL, err);
    pg_params_clear(&params);
    return status;
}

static int taker_finish(struct store_taker *base, int64_t max_seq, struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    struct error why;
    int status = taker_begin(base, err);
    if (status == STORE_OK)
        status = taker_ask_finish(taker, max_seq, err);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_COMMIT, err);
    if (status != STORE_OK)
        taker_drop(base);
    else if (pg_run(&taker->pg, SQL_TAKE_ANALYZE, &why) != STORE_OK)
        log_debug("events can't be analyzed: %s", why.text);
    return status;
}

/* --- the beginning ---------------------------------------------------------------------------- */

static const struct store_take_ops postgres_take_ops = {
    .close = taker_close,
    .begin = taker_begin,
    .drop = taker_drop,
    .erase_day = taker_erase_day,
    .erase_rejects = taker_erase_rejects,
    .erase_receipts = taker_erase_receipts,
    .event = postgres_take_event,
    .reject = postgres_take_reject,
    .receipts = postgres_take_receipts,
    .flush = postgres_take_flush,
    .end = taker_end,
    .hash = postgres_take_hash,
    .ask_sums = postgres_take_ask_sums,
    .hear_sums = postgres_take_hear_sums,
    .finish = taker_finish,
};

enum { LOOK_NODES, LOOK_BEGUN, LOOK_SAME };

static int taker_unfit(const char *why, struct error *err)
{
    error_set(err, "%s. To begin anew: DROP SCHEMA beacond CASCADE", why);
    return STORE_UNFIT;
}

/* Whether it may be taken over into, and whether that has begun. */
static int taker_look(struct postgres_taker *taker, const struct pg_params *secret, bool *begun,
                      struct error *err)
{
    PGresult *result;
    int status = pg_ask(&taker->pg, SQL_TAKE_LOOK, secret, &result, err);
    if (status != STORE_OK)
        return status;
    *begun = pg_bool(result, 0, LOOK_BEGUN);
    if (pg_bool(result, 0, LOOK_NODES))
        status = taker_unfit(
            "beacond has been started on it: a database is moved into an empty one", err);
    else if (*begun && !pg_bool(result, 0, LOOK_SAME))
        status = taker_unfit("another database is being moved into it", err);
    PQclear(result);
    return status;
}

/* The first run: it must be empty. */
static int taker_begin_first(struct postgres_taker *taker, const struct pg_params *secret,
                             struct error *err)
{
    PGresult *result;
    int status = pg_ask(&taker->pg, SQL_TAKE_ANY, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    if (pg_bool(result, 0, 0))
        status = taker_unfit("it is not empty", err);
    PQclear(result);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_TAKE_FIRST, err);
    if (status == STORE_OK)
        status = pg_ask(&taker->pg, SQL_TAKE_SECRET, secret, NULL, err);
    return status;
}

/* Begins another run, which ends any before it. */
static int taker_begin_run(struct postgres_taker *taker, struct error *err)
{
    PGresult *result;
    int status = pg_run(&taker->pg, SQL_TAKE_REOPEN, err);
    if (status == STORE_OK)
        status = pg_ask(&taker->pg, SQL_TAKE_RUN, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    taker->run = pg_int(result, 0, 0);
    taker->base.mark = (struct store_take_mark){
        .seq = pg_int(result, 0, 1),
        .compared = pg_int(result, 0, 2),
        .erasures = pg_int(result, 0, 3),
    };
    PQclear(result);
    return STORE_OK;
}

static int taker_enter(struct postgres_taker *taker, const struct pg_params *secret,
                       struct error *err)
{
    bool begun = false;
    /* What nodes hold while they enter themselves: none comes between this look and the end. */
    int status = pg_run(&taker->pg, SQL_NODE_LOCK, err);
    if (status == STORE_OK)
        status = taker_look(taker, secret, &begun, err);
    if (status == STORE_OK && !begun)
        status = taker_begin_first(taker, secret, err);
    if (status == STORE_OK)
        status = taker_begin_run(taker, err);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_COMMIT, err);
    return status;
}

static int taker_open(struct postgres_taker *taker, const struct store_origin *origin,
                      struct error *err)
{
    struct pg_params secret = {0};
    pg_put_bytes(&secret, origin->secret, sizeof origin->secret);
    int status = pg_connect(&taker->pg, err);
    if (status == STORE_OK)
        status = postgres_schema_fit(&taker->pg, err);
    if (status == STORE_OK)
        status = pg_run(&taker->pg, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = taker_enter(taker, &secret, err);
    if (status != STORE_OK)
        pg_abandon(&taker->pg);
    pg_params_clear(&secret);
    return status == STORE_REFUSED ? STORE_BUSY : status;
}

int postgres_take_open(const char *database, const struct store_origin *origin,
                       struct store_taker **out, struct error *err)
{
    struct postgres_taker *taker = calloc(1, sizeof *taker);
    char *copy = strdup(database);
    if (taker == NULL || copy == NULL) {
        free(taker);
        free(copy);
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    taker->base.ops = &postgres_take_ops;
    taker->database = copy;
    taker->last_reject = origin->last_reject;
    pg_init(&taker->pg, copy, false);
    tally_init(&taker->tally);
    struct error why = {""};
    int status = taker_open(taker, origin, &why);
    if (status == STORE_OK) {
        *out = &taker->base;
        return STORE_OK;
    }
    char name[STORE_NAME_SIZE];
    postgres_name_show(database, name, sizeof name);
    error_set(err, "%s: %s", name, why.text);
    taker_close(&taker->base);
    return status;
}
