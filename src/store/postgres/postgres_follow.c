#include "store/postgres/postgres_follow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/postgres_follow_parts.h"

/* Commits and erasures that are looked at together. An erasure may have a thousand places. */
#define FOLLOW_ROWS 500
/* Commits that have more than so many events together, and are more than those, are not worth to be
 * fetched one after the other, while nothing is committed here. */
#define FOLLOW_EVENTS 200000
/* Places that are handed out at once. */
#define FOLLOW_PLACES 1024

enum { MOMENT_SEQ, MOMENT_INSTANCE, MOMENT_AT, MOMENT_ERASURES, MOMENT_TOTAL, MOMENT_EPOCH };

enum {
    NEWS_KIND,
    NEWS_LAST,
    NEWS_FIRST,
    NEWS_INSTANCE,
    NEWS_AT,
    NEWS_EVENTS,
    NEWS_LOW,
    NEWS_HIGH,
    NEWS_N,
    NEWS_TS,
    NEWS_SEQ,
};
enum { KIND_PLACE, KIND_COMMIT, KIND_ERASURE };

/* One page of the log: first a row of KIND_PLACE, then commits [commit, erasure), then erasures
 * [erasure, end), of which those up to the two numbers have been handed out. */
struct follow {
    struct postgres_store *store;
    const struct store_follow_ask *ask;
    PGresult *page;
    int commit, commit_end;
    int erasure, end;
    bool lost;       /* the log can't be followed: begin anew */
    int64_t *newest; /* see store_follow */
};

/* Nothing here is for what a row holds. */
static int follow_status(int status)
{
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

/* --- a new beginning -------------------------------------------------------------------------- */

int postgres_follow_begin(struct postgres_store *store, struct error *err)
{
    PGresult *moment;
    postgres_follow_drop(store);
    int status = pg_ask(&store->pg, SQL_FOLLOW_MOMENT, NULL, &moment, err);
    if (status != STORE_OK)
        return follow_status(status);
    store->base.state = (struct store_state){
        .last_seq = pg_int(moment, 0, MOMENT_SEQ),
        .total = pg_int(moment, 0, MOMENT_TOTAL),
        .erasures = pg_int(moment, 0, MOMENT_ERASURES),
        .epoch = (uint64_t)pg_int(moment, 0, MOMENT_EPOCH),
    };
    store->place = (struct postgres_place){
        .instance = pg_int(moment, 0, MOMENT_INSTANCE),
        .at = pg_int(moment, 0, MOMENT_AT),
        .made = store->pg.made,
    };
    PQclear(moment);
    postgres_suspect(store);
    return STORE_OK;
}

static void follow_tell_all(const struct follow *follow, bool gap)
{
    const struct store_news news = {
        .kind = STORE_NEWS_ALL, .last = true, .gap = gap, .state = follow->store->base.state};
    follow->ask->fn(follow->ask->arg, &news);
}

static int follow_anew(const struct follow *follow, struct error *err)
{
    int status = postgres_follow_begin(follow->store, err);
    if (status != STORE_OK)
        return status;
    log_warn("what other nodes have stored can't be followed without a gap: beginning anew");
    follow_tell_all(follow, true);
    return STORE_OK;
}

/* --- erasures --------------------------------------------------------------------------------- */

/* An erasure has been told as a whole: what is told next is. */
static void follow_count_erasure(struct follow *follow)
{
    struct store_state *state = &follow->store->base.state;
    state->total -= pg_int(follow->page, follow->erasure, NEWS_EVENTS);
    state->erasures = pg_int(follow->page, follow->erasure, NEWS_N);
}

/* Portion by portion: only with the last one the erasure counts. */
static int follow_places(struct follow *follow, struct error *err)
{
    const PGresult *page = follow->page;
    int row = follow->erasure;
    size_t count = pg_int_count(page, row, NEWS_TS), done = 0;
    struct range_place *places = malloc(FOLLOW_PLACES * sizeof *places);
    struct store_news news = {.kind = STORE_NEWS_ERASED, .places = places};
    if (places == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    do {
        news.place_count = 0;
        while (done < count && news.place_count < FOLLOW_PLACES) {
            places[news.place_count++] = (struct range_place){pg_int_of(page, row, NEWS_TS, done),
                                                              pg_int_of(page, row, NEWS_SEQ, done)};
            done++;
        }
        news.last = done == count;
        if (news.last)
            follow_count_erasure(follow);
        news.state = follow->store->base.state;
        follow->ask->fn(follow->ask->arg, &news);
    } while (!news.last);
    free(places);
    return STORE_OK;
}

/* Anything may have changed, and only the tally knows how many events there are. */
static int follow_all(struct follow *follow, struct error *err)
{
    struct postgres_store *store = follow->store;
    struct store_state *state = &store->base.state;
    struct pg_params params = {0};
    PGresult *total;
    int64_t n = pg_int(follow->page, follow->erasure, NEWS_N);
    pg_put_int(&params, state->last_seq);
    pg_put_int(&params, n);
    int status = pg_ask(&store->pg, SQL_FOLLOW_CHECK, &params, &total, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return follow_status(status);
    state->total = pg_int(total, 0, 0);
    state->erasures = n;
    if (PQgetisnull(follow->page, follow->erasure, NEWS_INSTANCE)) /* nobody of ours */
        postgres_suspect(store);
    PQclear(total);
    follow_tell_all(follow, false);
    return STORE_OK;
}

static int follow_range(struct follow *follow, struct error *err)
{
    struct pg_params params = {0};
    PGresult *left;
    int64_t low = pg_int(follow->page, follow->erasure, NEWS_LOW);
    int64_t high = pg_int(follow->page, follow->erasure, NEWS_HIGH);
    pg_put_int(&params, low);
    pg_put_int(&params, high);
    int status = pg_ask(&follow->store->pg, SQL_FOLLOW_LEFT, &params, &left, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return follow_status(status);
    bool again = pg_bool(left, 0, 0);
    postgres_days_forget(&follow->store->days); /* the partition may be gone */
    PQclear(left);
    if (again)
        return follow_all(follow, err);
    follow_count_erasure(follow);
    const struct store_news news = {.kind = STORE_NEWS_RANGE,
                                    .last = true,
                                    .low = {low, INT64_MIN},
                                    .high = {high, INT64_MIN},
                                    .state = follow->store->base.state};
    follow->ask->fn(follow->ask->arg, &news);
    return STORE_OK;
}

/* Tells the erasures that belong behind what has been told of commits. */
static int follow_erasures(struct follow *follow, struct error *err)
{
    const PGresult *page = follow->page;
    int status = STORE_OK;
    for (; follow->erasure < follow->end && status == STORE_OK; follow->erasure++) {
        int row = follow->erasure;
        if (pg_int(page, row, NEWS_LAST) > follow->store->base.state.last_seq)
            return STORE_OK;
        if (!PQgetisnull(page, row, NEWS_TS))
            status = follow_places(follow, err);
        else if (!PQgetisnull(page, row, NEWS_LOW))
            status = follow_range(follow, err);
        else
            status = follow_all(follow, err);
    }
    return status;
}

/* --- commits ---------------------------------------------------------------------------------- */

/* The state behind a commit, which counts once it has been told. */
static struct store_state follow_behind(const struct follow *follow,
                                        const struct postgres_commit *commit)
{
    struct store_state state = follow->store->base.state;
    state.last_seq = commit->last_seq;
    state.total += commit->events;
    return state;
}

static int follow_commit(struct follow *follow, const struct postgres_commit *commit,
                         struct error *err)
{
    struct postgres_store *store = follow->store;
    const struct store_follow_ask *ask = follow->ask;
    struct store_news news = {
        .kind = STORE_NEWS_COMMIT,
        .own = commit->instance == store->node.instance && commit->first_seq >= ask->held_seq,
        .first_seq = commit->first_seq,
        .last_seq = commit->last_seq,
        .last = true,
        .state = follow_behind(follow, commit),
    };
    int status = STORE_OK;
    if (!news.own && ask->wants != NULL && ask->wants(ask->arg))
        status = postgres_fetch(store, commit, ask, &news, err);
    else
        ask->fn(ask->arg, &news);
    if (status != STORE_OK)
        return status;
    store->base.state = news.state;
    store->place.instance = commit->instance;
    store->place.at = commit->at;
    store->place.part_seq = 0;
    return STORE_OK;
}

static int follow_commits(struct follow *follow, struct error *err)
{
    const PGresult *page = follow->page;
    int status = follow_erasures(follow, err);
    for (; follow->commit < follow->commit_end && status == STORE_OK; follow->commit++) {
        int row = follow->commit;
        const struct postgres_commit commit = {
            .first_seq = pg_int(page, row, NEWS_FIRST),
            .last_seq = pg_int(page, row, NEWS_LAST),
            .instance = pg_int(page, row, NEWS_INSTANCE),
            .at = pg_int(page, row, NEWS_AT),
            .events = pg_int(page, row, NEWS_EVENTS),
            .min_ts = pg_int(page, row, NEWS_LOW),
            .max_ts = pg_int(page, row, NEWS_HIGH),
        };
        status = follow_commit(follow, &commit, err);
        if (status == STORE_OK)
            status = follow_erasures(follow, err);
    }
    return status;
}

/* --- pages ------------------------------------------------------------------------------------ */

static void follow_put_place(const struct postgres_store *store, struct pg_params *params)
{
    pg_put_int(params, store->base.state.last_seq);
    pg_put_int(params, store->place.instance);
    pg_put_int(params, store->place.at);
    pg_put_int(params, store->base.state.erasures);
    pg_put_int(params, FOLLOW_ROWS);
}

int postgres_follow_send(struct postgres_store *store, struct error *err)
{
    struct pg_params params = {0};
    postgres_follow_drop(store);
    follow_put_place(store, &params);
    int status = pg_send(&store->pg, SQL_FOLLOW_NEWS, &params, err);
    pg_params_clear(&params);
    return status;
}

void postgres_follow_hear(struct postgres_store *store)
{
    struct error err;
    store->place.ahead_made = store->pg.made;
    if (pg_line_result(&store->pg, &store->place.ahead, &err) != STORE_OK)
        store->place.ahead = NULL;
}

void postgres_follow_drop(struct postgres_store *store)
{
    PQclear(store->place.ahead);
    store->place.ahead = NULL;
}

static int follow_ask_page(struct follow *follow, struct error *err)
{
    struct postgres_store *store = follow->store;
    struct pg_params params = {0};
    if (store->place.ahead_made != store->pg.made)
        postgres_follow_drop(store);
    follow->page = store->place.ahead;
    store->place.ahead = NULL;
    if (follow->page != NULL)
        return STORE_OK;
    follow_put_place(store, &params);
    int status = pg_ask(&store->pg, SQL_FOLLOW_NEWS, &params, &follow->page, err);
    pg_params_clear(&params);
    return follow_status(status);
}

static void follow_divide(struct follow *follow)
{
    const PGresult *page = follow->page;
    int row = 1;
    follow->end = PQntuples(page);
    follow->lost = follow->end == 0 || PQgetisnull(page, 0, NEWS_LAST);
    *follow->newest = follow->end == 0 ? 0 : pg_int(page, 0, NEWS_FIRST);
    follow->commit = row;
    while (row < follow->end && pg_int(page, row, NEWS_KIND) == KIND_COMMIT)
        row++;
    follow->commit_end = follow->erasure = row;
}

/* Whether the node was away for so long that it better begins anew. */
static bool follow_is_late(const struct follow *follow)
{
    const struct store_follow_ask *ask = follow->ask;
    return follow->commit_end - follow->commit == FOLLOW_ROWS &&
           pg_int(follow->page, 0, NEWS_EVENTS) > FOLLOW_EVENTS && ask->wants != NULL &&
           ask->wants(ask->arg);
}

/* One page; *more: there may be others at once. */
static int follow_page(struct follow *follow, bool *more, struct error *err)
{
    *more = false;
    int status = follow_ask_page(follow, err);
    if (status != STORE_OK)
        return status;
    follow_divide(follow);
    follow->lost = follow->lost || follow_is_late(follow);
    if (!follow->lost) {
        int commits = follow->commit_end - follow->commit;
        int erasures = follow->end - follow->erasure;
        status = follow_commits(follow, err);
        *more =
            commits == FOLLOW_ROWS || (erasures == FOLLOW_ROWS && follow->erasure == follow->end);
    }
    PQclear(follow->page);
    return status;
}

/* Behind a connection that was lost there may be another server, one that has not got all that the
 * first had: the log would say so, but for commits that came in another order than their numbers.
 */
static int follow_check(struct follow *follow, struct error *err)
{
    struct postgres_store *store = follow->store;
    struct store_state *state = &store->base.state;
    struct pg_params params = {0};
    PGresult *check;
    pg_put_int(&params, state->last_seq);
    pg_put_int(&params, state->erasures);
    int status = pg_ask(&store->pg, SQL_FOLLOW_CHECK, &params, &check, err);
    pg_params_clear(&params);
    if (status != STORE_OK)
        return follow_status(status);
    follow->lost = pg_int(check, 0, 0) != state->total;
    if (!follow->lost) {
        state->epoch = (uint64_t)pg_int(check, 0, 1);
        store->place.made = store->pg.made;
    }
    PQclear(check);
    return STORE_OK;
}

static int follow_on(struct follow *follow, struct error *err)
{
    bool more = true;
    int status = STORE_OK;
    follow->lost = false;
    while (status == STORE_OK && more && !follow->lost)
        status = follow_page(follow, &more, err);
    if (status == STORE_OK && !follow->lost && follow->store->place.made != follow->store->pg.made)
        status = follow_check(follow, err);
    if (status == STORE_OK && follow->lost)
        status = follow_anew(follow, err);
    return status;
}

/* What somebody has changed by hand is counted anew before anyone is told of it, and then told as
 * what it is. Where that can't be done now it is tried again later. */
static int follow_doubt(struct follow *follow, struct error *err)
{
    struct postgres_store *store = follow->store;
    struct error why;
    if (store->tally_state == POSTGRES_TALLY_FINE)
        return STORE_OK;
    store->until_ms = 0; /* all events are read */
    if (postgres_recount(store, &why) != STORE_OK)
        return STORE_OK;
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    return follow_on(follow, err);
}

int postgres_follow(struct store *base, const struct store_follow_ask *ask, int64_t *newest,
                    struct error *err)
{
    struct postgres_store *store = (struct postgres_store *)base;
    struct follow follow = {.store = store, .ask = ask, .newest = newest};
    uint64_t made = store->pg.made;
    store->until_ms = clock_mono_ms() + POSTGRES_PATIENCE_MS;
    int status = pg_connect(&store->pg, err);
    if (status == STORE_OK)
        status = follow_on(&follow, err);
    /* A connection that has rested may turn out to be gone. */
    if (status != STORE_OK && store->pg.connection == NULL && store->pg.made == made &&
        pg_connect(&store->pg, err) == STORE_OK)
        status = follow_on(&follow, err);
    if (status == STORE_OK)
        status = follow_doubt(&follow, err);
    store->until_ms = 0;
    return status;
}
