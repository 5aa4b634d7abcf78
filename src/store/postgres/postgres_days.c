#include "store/postgres/postgres_days.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_erase.h"
#include "store/postgres/postgres_store_parts.h"
#include "store/step.h"

#define DAYS_LOOK_MS (INT64_C(3600) * 1000)
/* Where one could not be made its events go elsewhere, and wait no longer than this. */
#define DAYS_AGAIN_MS (INT64_C(10) * 1000)
/* Also where make_day() has not come to its own. */
#define DAYS_SETTINGS "-c lock_timeout=200ms"
/* That are erased one by one in a transaction: commits wait for that. */
#define DAYS_FAR_EVENTS 250

static int64_t days_of(int64_t ms)
{
    return step_floor(STEP_DAY, ms) / step_ms[STEP_DAY];
}

/* --- what is known ------------------------------------------------------------------------------
 */

void postgres_days_clear(struct postgres_days *days)
{
    free(days->days);
    *days = (struct postgres_days){0};
}

void postgres_days_forget(struct postgres_days *days)
{
    days->count = 0;
    days->known = false;
}

/* Where it stands, or belongs. */
static size_t days_find(const struct postgres_days *days, int64_t day)
{
    size_t low = 0, high = days->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (days->days[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool days_has(const struct postgres_days *days, int64_t day)
{
    size_t at = days_find(days, day);
    return at < days->count && days->days[at] == day;
}

/* One that there is no memory for is asked for once more. */
static void days_add(struct postgres_days *days, int64_t day)
{
    size_t at = days_find(days, day);
    if (at < days->count && days->days[at] == day)
        return;
    if (days->count == days->room) {
        size_t room = days->room == 0 ? 64 : days->room * 2;
        int64_t *more = realloc(days->days, room * sizeof *more);
        if (more == NULL)
            return;
        days->days = more;
        days->room = room;
    }
    memmove(days->days + at + 1, days->days + at, (days->count - at) * sizeof *days->days);
    days->days[at] = day;
    days->count++;
}

static int days_ask(struct postgres_days *days, struct pg *pg, struct error *err)
{
    PGresult *result;
    int status = pg_ask(pg, SQL_DAYS, NULL, &result, err);
    if (status != STORE_OK)
        return status;
    postgres_days_forget(days);
    for (int i = 0; i < PQntuples(result); i++)
        days_add(days, pg_int(result, i, 0));
    PQclear(result);
    days->known = true;
    return STORE_OK;
}

/* --- making them --------------------------------------------------------------------------------
 */

/* A session of its own: the writer's may be in the midst of a transaction, and what is made here
 * must be there when that goes on. */
struct days_work {
    struct postgres_store *store;
    struct pg pg;
    bool begun;
    int status;
    struct error err;
};

static void days_begin(struct days_work *work)
{
    struct postgres_days *days = &work->store->days;
    if (work->begun)
        return;
    work->begun = true;
    pg_init(&work->pg, work->store->database, false);
    work->pg.settings = DAYS_SETTINGS;
    work->pg.waits = work->store->pg.waits;
    work->pg.waits_arg = work->store->pg.waits_arg;
    work->status = pg_connect(&work->pg, &work->err);
    if (work->status == STORE_OK && !days->known)
        work->status = days_ask(days, &work->pg, &work->err);
}

static void days_want(struct days_work *work, int64_t day)
{
    struct postgres_days *days = &work->store->days;
    struct pg_params params = {0};
    if (days->known && days_has(days, day))
        return;
    days_begin(work);
    if (work->status != STORE_OK || days_has(days, day))
        return;
    pg_put_int(&params, day);
    work->status = pg_ask(&work->pg, SQL_MAKE_DAY, &params, NULL, &work->err);
    pg_params_clear(&params);
    if (work->status == STORE_OK)
        days_add(days, day);
}

static void days_end(struct days_work *work)
{
    struct postgres_days *days = &work->store->days;
    if (!work->begun)
        return;
    pg_close(&work->pg);
    if (work->status != STORE_OK) {
        days->again_ms = clock_mono_ms() + DAYS_AGAIN_MS;
        log_debug("a day's partition can't be made now, its events go to events_other: %s",
                  work->err.text);
    }
}

/* What another session was told may not be so any more. */
static void days_check(struct postgres_store *store)
{
    if (store->days.made == store->pg.made)
        return;
    postgres_days_forget(&store->days);
    store->days.made = store->pg.made;
}

void postgres_days_ensure(struct postgres_store *store, const struct store_item *items,
                          size_t count)
{
    struct days_work work = {.store = store};
    int64_t today = days_of(clock_wall_ms()), last = INT64_MIN;
    days_check(store);
    if (clock_mono_ms() < store->days.again_ms)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct batch *batch = items[i].batch;
        for (size_t n = 0; n < batch->event_count && work.status == STORE_OK; n++) {
            int64_t day = days_of(batch->events[n].ts);
            if (day != last && day >= today - POSTGRES_DAYS_BACK &&
                day <= today + POSTGRES_DAYS_AHEAD)
                days_want(&work, day);
            last = day;
        }
    }
    days_end(&work);
}

void postgres_days_tend(struct postgres_store *store)
{
    struct days_work work = {.store = store};
    struct postgres_days *days = &store->days;
    int64_t today = days_of(clock_wall_ms()), now_ms = clock_mono_ms();
    days_check(store);
    if (now_ms < days->look_ms)
        return;
    postgres_days_forget(days);
    for (int64_t day = today; day <= today + POSTGRES_DAYS_AHEAD && work.status == STORE_OK; day++)
        days_want(&work, day);
    days_end(&work);
    days->look_ms = now_ms + (work.status == STORE_OK ? DAYS_LOOK_MS : DAYS_AGAIN_MS);
}

/* --- dropping them ------------------------------------------------------------------------------
 */

/* Runs a statement about a day. */
static int days_run(struct postgres_store *store, enum sql_statement name, const int64_t *values,
                    size_t count, PGresult **out, struct error *err)
{
    struct pg_params params = {0};
    for (size_t i = 0; i < count; i++)
        pg_put_int(&params, values[i]);
    int status = pg_ask(&store->pg, name, &params, out, err);
    pg_params_clear(&params);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

/* Erases a day's events, *events: how many, or -1: what the database uses is little enough. The
 * partitions of today and the days ahead stay, empty. */
static int days_erase(struct postgres_store *store, int64_t day, int64_t used_bytes,
                      int64_t *events, struct error *err)
{
    const int64_t values[] = {day, store->node.instance, used_bytes};
    PGresult *result;
    struct error why;
    int status = days_run(store, SQL_CLEAR_DAY, values, 3, &result, err);
    if (status != STORE_OK)
        return status;
    *events = pg_int(result, 0, 0);
    PQclear(result);
    if (*events < 0)
        return STORE_OK;
    /* Nothing of it is left: where the table is not free it is dropped the next time. */
    if (day < days_of(clock_wall_ms())) {
        if (days_run(store, SQL_DROP_DAY, values, 2, NULL, &why) != STORE_OK)
            log_debug("an empty partition can't be dropped now: %s", why.text);
        postgres_days_forget(&store->days);
    }
    postgres_signal_committed(store->signal);
    return STORE_OK;
}

/* What events that were erased one by one have left; *cleared: there was some. */
static int days_clear_far(struct postgres_store *store, bool *cleared, struct error *err)
{
    PGresult *result;
    int status = pg_ask(&store->pg, SQL_CLEAR_FAR, NULL, &result, err);
    if (status != STORE_OK)
        return STORE_BUSY;
    *cleared = pg_bool(result, 0, 0);
    PQclear(result);
    return STORE_OK;
}

/* Erases some events that are older than any day with a partition: row by row, as the tables they
 * stand in hold others. */
static int days_erase_far(struct postgres_store *store, int64_t before_ms,
                          struct store_dropped *out, struct error *err)
{
    struct range_place places[DAYS_FAR_EVENTS];
    size_t erased;
    int status =
        postgres_erase_oldest(&store->base, before_ms, DAYS_FAR_EVENTS, places, &erased, err);
    if (status != STORE_OK)
        return STORE_BUSY;
    if (erased == 0)
        return STORE_OK;
    out->events = (int64_t)erased;
    out->low = (struct range_place){INT64_MIN, INT64_MIN};
    out->high = (struct range_place){places[erased - 1].ts, places[erased - 1].seq + 1};
    out->more = true;
    return STORE_OK;
}

static int days_erase_one(struct postgres_store *store, int64_t day, int64_t used_bytes,
                          struct store_dropped *out, struct error *err)
{
    int64_t low = day * step_ms[STEP_DAY];
    out->low = (struct range_place){low, INT64_MIN};
    out->high = (struct range_place){low + step_ms[STEP_DAY], INT64_MIN};
    return days_erase(store, day, used_bytes, &out->events, err);
}

/* Erases what is oldest among these days. What is far goes up to the next of them; where it does
 * not go (another node was quicker, a trigger refuses it) nothing newer goes to save room. */
static int days_erase_oldest(struct postgres_store *store, const PGresult *days, int64_t before,
                             int64_t used_bytes, struct store_dropped *out, struct error *err)
{
    int count = PQntuples(days);
    int status = STORE_OK;
    for (int i = 0; i < count && status == STORE_OK && out->events == 0; i++) {
        int64_t next = i + 1 < count ? pg_int(days, i + 1, 0) : before;
        if (pg_bool(days, i, 1)) {
            status = days_erase_far(store, next * step_ms[STEP_DAY], out, err);
            if (used_bytes > 0 || out->events > 0)
                return status;
        } else {
            status = days_erase_one(store, pg_int(days, i, 0), used_bytes, out, err);
            out->more = status == STORE_OK && out->events > 0 && i + 1 < count;
        }
    }
    if (out->events < 0)
        out->events = 0;
    return status;
}

int postgres_store_drop_days(struct store *base, int64_t before_ms, int64_t used_bytes,
                             struct store_dropped *out, struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    PGresult *result = NULL;
    int64_t before = days_of(step_clamp(before_ms));
    *out = (struct store_dropped){0};
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = days_clear_far(store, &out->more, err);
    /* Whoever reads those tables alone does not keep days from growing too old. */
    if (status != STORE_OK && used_bytes == 0)
        status = pg_connect(&store->pg, err);
    if (status != STORE_OK || out->more)
        return status;
    status = days_run(store, SQL_DAYS_BEFORE, &before, 1, &result, err);
    if (status == STORE_OK)
        status = days_erase_oldest(store, result, before, used_bytes, out, err);
    PQclear(result);
    return status;
}
