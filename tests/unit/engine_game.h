/*
 * engine_game.h: what happens in the games of check_engine_model.c: a clock that jumps, commits,
 * and what another program does to the database.
 */
#ifndef BEACOND_TESTS_ENGINE_GAME_H
#define BEACOND_TESTS_ENGINE_GAME_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "contract/etag.h"
#include "contract/inflate.h"
#include "contract/timestamp.h"
#include "dice.h"
#include "engine/erasure.h"
#include "engine/internal.h"
#include "engine/keeper.h"
#include "engine/reading.h"
#include "engine_model.h"
#include "engine_run.h"
#include "rope_text.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define BODIES 4
#define USERS 9
#define TAGS 6
#define ASKS_MOST 3
#define LITTLE_BYTES (1 << 18) /* of text in one game, about */
#define MUCH_BYTES (5 << 18)   /* more than goes out in one piece unless it is sealed */
#define HEAD "{\"response\":"
#define TAIL "}"

static struct dice dice;
static struct model model;
static sqlite3 *shell;           /* another program that changes the database */
static _Atomic int64_t drift_ms; /* how wrong the wall clock is */
static int64_t begin_ms;         /* of the game */
static size_t most_bytes;        /* of text in this game */
static unsigned generation;      /* of tags: another after an erasure or a start */
static struct bytes expected, inflated;

static struct {
    char *text; /* without the end, "]}" */
    size_t len;
} bodies[BODIES];

static struct tag {
    char text[ETAG_SIZE];
    unsigned generation; /* 0: none */
    int64_t total;
} tags[TAGS];

static struct {
    unsigned long glued, same, different, duplicate, rejected, erased, pruned, forgotten, again,
        jumped, pages, given_up, chunks;
} seen;

/* --- the clock, in place of base/clock.c's ---------------------------------------------------- */

static inline int64_t clock_read_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_read_us(CLOCK_REALTIME) / 1000 + atomic_load(&drift_ms);
}

int64_t clock_mono_ms(void)
{
    return clock_read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

void clock_sleep_us(int64_t us)
{
    if (us > 0)
        (void)usleep((useconds_t)us);
}

static inline int64_t below(int64_t most)
{
    return (int64_t)dice_roll(&dice, (size_t)most);
}

static inline void play_jump(void)
{
    static const int64_t far[] = {20 * MINUTE, 10 * HOUR, 40 * DAY};
    int64_t jump = below(far[dice_roll(&dice, 3)]);
    (void)atomic_fetch_add(&drift_ms, dice_roll(&dice, 2) == 0 ? jump : -jump);
    seen.jumped++;
}

/* --- the begin and the end -------------------------------------------------------------------- */

static inline void game_setup(void)
{
    dice = dice_new();
    bytes_init(&expected);
    bytes_init(&inflated);
}

static inline void game_teardown(void)
{
    bytes_clear(&expected);
    bytes_clear(&inflated);
}

/* What is stored from here on is no retry. */
static inline void drop_bodies(void)
{
    for (size_t i = 0; i < BODIES; i++) {
        free(bodies[i].text);
        bodies[i].text = NULL;
    }
}

/* Nothing is stored, and nothing has been. */
static inline void model_begin_anew(void)
{
    (void)model_erase(&model, false, INT64_MIN, INT64_MAX);
    model.last_seq = 0;
    drop_bodies();
    memset(tags, 0, sizeof tags);
}

/* --- commits ---------------------------------------------------------------------------------- */

static inline int64_t some_ts(void)
{
    int64_t now = clock_wall_ms();
    switch (dice_roll(&dice, 14)) {
    case 0:
        return now - below(MINUTE);
    case 1:
        return now - below(10 * HOUR);
    case 2:
        return now + below(20 * MINUTE);
    case 3:
        return now + below(2 * HOUR);
    case 4:
        return now + 365 * DAY + below(10);
    case 5: /* where the ceiling is, and where it is moved to */
        return now + 5 * MINUTE + below(2 * MINUTE);
    case 6:
        if (model.count > 0)
            return model.list[dice_roll(&dice, model.count)]->place.ts;
        return now;
    default:
        return now - below(4);
    }
}

static inline void add_event(struct bytes *body, int64_t ts, size_t pad)
{
    static const char letters[] = "the quick brown fox jumps over the lazy dog 0123456789";
    char stamp[TIMESTAMP_SIZE], id[32] = "";
    if (dice_roll(&dice, 20) == 0) { /* may have been before */
        ts = begin_ms - below(4);
        snprintf(id, sizeof id, "\"id\":\"g%u\",", (unsigned)below(20));
    }
    timestamp_format(stamp, ts);
    ck_assert_int_eq(bytes_append_format(body,
                                         "{%s\"timestamp\":\"%s\",\"userId\":\"u%u\",\"pad\":\"",
                                         id, stamp, (unsigned)below(USERS)),
                     0);
    for (size_t i = 0; i < pad; i += 8)
        ck_assert_int_eq(bytes_append(body, letters + dice_roll(&dice, sizeof letters - 9), 8), 0);
    ck_assert_int_eq(bytes_append_text(body, "\"}"), 0);
}

static inline void add_events(struct bytes *body)
{
    static const char *const bad[] = {"5", "{\"n\":1}", "{\"timestamp\":\"yesterday\"}", "[[]]"};
    size_t count = (size_t)below(20), pad = 0;
    bool alike = dice_roll(&dice, 4) == 0;
    if (dice_roll(&dice, 20) == 0 && model.bytes < most_bytes / 2)
        count = 300 + (size_t)below(700);
    else if (dice_roll(&dice, 100) == 0)
        pad = 100000 + (size_t)below(100000); /* one that is larger than a chunk */
    int64_t ts = some_ts();
    for (size_t i = 0; i < count; i++) {
        if (body->data[body->len - 1] != '[')
            ck_assert_int_eq(bytes_append(body, ",", 1), 0);
        if (dice_roll(&dice, 50) == 0)
            ck_assert_int_eq(bytes_append_text(body, bad[dice_roll(&dice, 4)]), 0);
        else
            add_event(body, alike ? ts : some_ts(), i == 0 ? pad : (size_t)below(200));
    }
}

/* A new body, or an old one, perhaps with newer events behind it. */
static inline struct batch *some_batch(void)
{
    struct bytes body;
    size_t n = dice_roll(&dice, BODIES);
    bytes_init(&body);
    if (bodies[n].text != NULL && dice_roll(&dice, 6) == 0)
        ck_assert_int_eq(bytes_append(&body, bodies[n].text, bodies[n].len), 0);
    else
        ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    if (body.data[body.len - 1] == '[' || dice_roll(&dice, 2) == 0)
        add_events(&body);
    free(bodies[n].text);
    bodies[n].len = body.len;
    ck_assert_int_eq(bytes_append(&body, "]}", sizeof "]}"), 0);
    struct batch *batch = body_of(body.data);
    bodies[n].text = bytes_steal(&body, &(size_t){0});
    return batch;
}

static inline void commit(struct batch *batch)
{
    struct order order;
    order_submit(&order, mailbox, batch);
    order_wait(&order, mailbox);
    struct submission *answer = &order.submission;
    ck_assert(answer->stored);
    ck_assert_uint_eq(answer->rejected, batch->reject_count);
    size_t stored = model_commit(&model, batch);
    ck_assert_uint_eq(answer->saved, batch->event_count);
    ck_assert_uint_eq(answer->saved - answer->duplicate, stored);
    seen.duplicate += answer->duplicate;
    seen.rejected += answer->rejected;
    batch_free(batch);
}

static inline void play_commit(void)
{
    if (model.bytes < most_bytes)
        commit(some_batch());
}

/* --- what happens to the database ------------------------------------------------------------- */

static inline void begin_engine(void)
{
    generation++;
    engine_up();
}

static inline void play_start(void)
{
    engine_close(engine);
    (void)mailbox_open_all(mailbox); /* of readings that were given up */
    begin_engine();
    seen.again++;
}

/* The tally is what a recount gives. */
static inline void check_tally(void)
{
    static const char sql[] =
        "SELECT (SELECT count(*) FROM (SELECT ts - ((ts % 1000) + 1000) % 1000 AS at, count(*) AS n"
        " FROM events GROUP BY 1) AS e FULL JOIN tally_second AS t ON t.at = e.at"
        " WHERE t.events IS NOT e.n) +"
        " (SELECT count(*) FROM (SELECT at - ((at % 60000) + 60000) % 60000 AS at, sum(events) AS n"
        " FROM tally_second GROUP BY 1) AS e FULL JOIN tally_minute AS t ON t.at = e.at"
        " WHERE t.events IS NOT e.n) +"
        " (SELECT count(*) FROM (SELECT at - ((at % 3600000) + 3600000) % 3600000 AS at,"
        " sum(events) AS n FROM tally_minute GROUP BY 1) AS e"
        " FULL JOIN tally_hour AS t ON t.at = e.at WHERE t.events IS NOT e.n) +"
        " (SELECT count(*) FROM (SELECT at - ((at % 86400000) + 86400000) % 86400000 AS at,"
        " sum(events) AS n FROM tally_hour GROUP BY 1) AS e"
        " FULL JOIN tally_day AS t ON t.at = e.at WHERE t.events IS NOT e.n)";
    sqlite3_stmt *statement;
    ck_assert_msg(sqlite3_prepare_v2(shell, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(shell));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int64(statement, 0), 0);
    sqlite3_finalize(statement);
}

/* Erases what is older than list[keep]. */
static inline void prune_behind(size_t keep)
{
    struct erasure done;
    struct error err = {""};
    int64_t before = model.list[keep]->place.ts;
    ck_assert_msg(engine_prune(engine, before, NULL, &done, &err) == STORE_OK, "%s", err.text);
    size_t erased = model_erase(&model, false, INT64_MIN, before - 1);
    ck_assert_int_eq(done.events, (int)erased);
    seen.pruned += erased;
    generation += erased > 0;
}

/* An event so old that what is older is a part of all; there must be some. */
static inline size_t some_part(void)
{
    return model.count - 1 - model.count / (2 + dice_roll(&dice, 20));
}

/* The engine's own erasing: what is too old, mostly a part of all. */
static inline void play_prune(void)
{
    if (model.count == 0)
        return;
    prune_behind(dice_roll(&dice, 4) == 0 ? dice_roll(&dice, model.count) : some_part());
    check_tally();
}

static inline void play_forget(void)
{
    char id[8], text[32];
    struct erasure done;
    struct error err = {""};
    snprintf(id, sizeof id, "u%u", (unsigned)below(USERS));
    snprintf(text, sizeof text, "\"userId\":\"%s\"", id);
    const struct forget_who who = {.id = id, .len = strlen(id)};
    ck_assert_msg(engine_forget(engine, &who, NULL, &done, &err) == STORE_OK, "%s", err.text);
    size_t erased = model_erase_text(&model, text);
    ck_assert_int_eq(done.events, (int)erased);
    ck_assert(done.scrubbed);
    seen.forgotten += erased;
    generation += erased > 0;
    drop_bodies(); /* a retry of it counts as new */
    check_tally();
}

/* Another program erases a few events, now and then many. */
static inline void play_erase(void)
{
    char sql[128];
    bool by_seq = dice_roll(&dice, 2) == 0;
    if (model.count == 0)
        return;
    struct range_place place = model.list[dice_roll(&dice, model.count)]->place;
    int64_t low = by_seq ? place.seq : place.ts;
    int64_t high = low + below(dice_roll(&dice, 10) == 0 ? HOUR : 8);
    snprintf(sql, sizeof sql, "DELETE FROM events WHERE %s BETWEEN %" PRId64 " AND %" PRId64,
             by_seq ? "seq" : "ts", low, high);
    ck_assert_msg(sqlite3_exec(shell, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(shell));
    size_t erased = model_erase(&model, by_seq, low, high);
    ck_assert_int_eq(sqlite3_changes(shell), (int)erased);
    seen.erased += erased;
    generation += erased > 0;
    /* The engine notices with its next commit. */
    commit(dice_roll(&dice, 2) == 0 ? some_batch() : body_of("{\"events\":[]}"));
}

#endif
