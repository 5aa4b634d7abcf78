/*
 * The whole engine against a plain sorted list of all stored events: a real database, real threads,
 * a cache that is too small, or not, and a clock that jumps. Every answer is compared byte by byte.
 */

#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "contract/etag.h"
#include "contract/inflate.h"
#include "contract/timestamp.h"
#include "dice.h"
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
    unsigned long glued, same, different, duplicate, rejected, erased, again, jumped, pages,
        given_up, chunks;
} seen;

/* --- the clock, in place of base/clock.c's ---------------------------------------------------- */

static int64_t clock_read(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return clock_read(CLOCK_REALTIME) + atomic_load(&drift_ms);
}

int64_t clock_mono_ms(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static int64_t below(int64_t most)
{
    return (int64_t)dice_roll(&dice, (size_t)most);
}

static void play_jump(void)
{
    static const int64_t far[] = {20 * MINUTE, 10 * HOUR, 40 * DAY};
    int64_t jump = below(far[dice_roll(&dice, 3)]);
    (void)atomic_fetch_add(&drift_ms, dice_roll(&dice, 2) == 0 ? jump : -jump);
    seen.jumped++;
}

/* --- commits ---------------------------------------------------------------------------------- */

static int64_t some_ts(void)
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

static void add_event(struct bytes *body, int64_t ts, size_t pad)
{
    static const char letters[] = "the quick brown fox jumps over the lazy dog 0123456789";
    char stamp[TIMESTAMP_SIZE], id[32] = "";
    if (dice_roll(&dice, 20) == 0) { /* may have been before */
        ts = begin_ms - below(4);
        snprintf(id, sizeof id, "\"id\":\"g%u\",", (unsigned)below(20));
    }
    timestamp_format(stamp, ts);
    ck_assert_int_eq(bytes_append_format(body, "{%s\"timestamp\":\"%s\",\"pad\":\"", id, stamp), 0);
    for (size_t i = 0; i < pad; i += 8)
        ck_assert_int_eq(bytes_append(body, letters + dice_roll(&dice, sizeof letters - 9), 8), 0);
    ck_assert_int_eq(bytes_append_text(body, "\"}"), 0);
}

static void add_events(struct bytes *body)
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
static struct batch *some_batch(void)
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

static void commit(struct batch *batch)
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

static void play_commit(void)
{
    if (model.bytes < most_bytes)
        commit(some_batch());
}

/* --- what happens to the database ------------------------------------------------------------- */

static void begin_engine(void)
{
    generation++;
    engine_up();
}

static void play_start(void)
{
    engine_close(engine);
    (void)mailbox_open_all(mailbox); /* of readings that were given up */
    begin_engine();
    seen.again++;
}

/* Another program erases a few events, now and then many. */
static void play_erase(void)
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

/* --- readings --------------------------------------------------------------------------------- */

/* One reading under way. */
struct ask {
    struct reading *reading; /* NULL: it has ended */
    struct range range;
    enum reading_coding coding;
    bool wrapped;     /* in HEAD and TAIL */
    struct tag known; /* that was sent along, if any */
    int64_t at_seq;   /* the newest event's when it began */
    unsigned chunks;  /* so far */
    unsigned most;    /* given up after so many */
    bool due;         /* a chunk has come and the next has not been asked for */
    enum reading_state state;
    int64_t max_seq;
    char tag[ETAG_SIZE];
    struct bytes text;
};

static void ask_hear(void *arg, enum reading_state state, struct rope *chunk)
{
    struct ask *ask = arg;
    ck_assert(!ask->due);
    ck_assert_int_ne(state, READING_FAILED);
    if (ask->chunks > 0)
        ck_assert_int_eq(reading_max_seq(ask->reading), ask->max_seq);
    ask->max_seq = reading_max_seq(ask->reading);
    strcpy(ask->tag, reading_tag(ask->reading));
    ask->state = state;
    ask->chunks++;
    ask->due = true;
    seen.chunks++;
    for (size_t i = 0; i < chunk->count; i++)
        seen.glued += chunk->pieces[i].segment != NULL;
    rope_read(chunk, &ask->text);
}

static void ask_begin(struct ask *ask, const char *query)
{
    static const size_t most[] = {500000, 500000, 1000};
    struct error err = {""};
    *ask = (struct ask){.coding = (enum reading_coding)dice_roll(&dice, 3),
                        .wrapped = dice_roll(&dice, 3) == 0,
                        .at_seq = model_top(&model),
                        .most = dice_roll(&dice, 12) == 0 ? (unsigned)below(4) : UINT_MAX};
    if (dice_roll(&dice, 3) == 0)
        ask->known = tags[dice_roll(&dice, TAGS)];
    ck_assert_msg(range_parse(&ask->range, query, (int64_t)most[dice_roll(&dice, 3)],
                              engine_secret(engine), &err) == 0,
                  "%s: %s", query, err.text);
    const struct reading_form form = {
        .coding = ask->coding,
        .head = ask->wrapped ? HEAD : NULL,
        .head_len = ask->wrapped ? strlen(HEAD) : 0,
        .tail = ask->wrapped ? TAIL : NULL,
        .known = ask->known.generation > 0 ? ask->known.text : NULL,
    };
    bytes_init(&ask->text);
    ask->reading = reading_new(engine, &ask->range, &form, mailbox, ask_hear, ask);
    ck_assert_ptr_nonnull(ask->reading);
}

/* Takes the next chunk, or ends it. */
static void ask_go_on(struct ask *ask)
{
    if (ask->due && ask->state == READING_MORE && ask->chunks < ask->most) {
        ask->due = false;
        reading_next(ask->reading);
    } else if (ask->due || ask->chunks >= ask->most) {
        reading_free(ask->reading);
        ask->reading = NULL;
    }
}

static const struct bytes *ask_inflate(struct ask *ask)
{
    if (ask->coding == READING_PLAIN)
        return &ask->text;
    bytes_clear(&inflated);
    if (ask->coding == READING_DEFLATE)
        inflate_message(&ask->text, &inflated);
    else
        ck_assert_int_eq(inflate_gzip(ask->text.data, ask->text.len, 1 << 30, &inflated),
                         INFLATE_OK);
    return &inflated;
}

/* The tag names total and generation, no more and no less. */
static void ask_check_tag(struct ask *ask, int64_t total)
{
    size_t n = dice_roll(&dice, TAGS);
    bool same = ask->known.generation == generation && ask->known.total == total;
    ck_assert_int_eq(ask->state == READING_SAME, same);
    if (same)
        ck_assert_str_eq(ask->tag, ask->known.text);
    seen.same += same;
    seen.different += ask->known.generation > 0 && !same;
    strcpy(tags[n].text, ask->tag);
    tags[n].generation = generation;
    tags[n].total = total;
}

/* The cursor that stands in the answer, if any. It must stand for the same events as the expected
 * one: any place between the last event sent and the next one does. */
static void ask_read_cursor(const struct ask *ask, const struct bytes *text,
                            const struct range_place *last, char cursor[RANGE_CURSOR_SIZE])
{
    static const char name[] = "\"nextCursor\":\"";
    struct range next;
    char query[RANGE_CURSOR_SIZE + 16];
    size_t len = strlen(cursor), end = strlen(ask->wrapped ? "\"}" TAIL : "\"}");
    ck_assert_uint_gt(text->len, strlen(name) + len + end);
    const char *found = text->data + text->len - end - len;
    ck_assert_mem_eq(found - strlen(name), name, strlen(name));
    memcpy(cursor, found, len);
    snprintf(query, sizeof query, "cursor=%s", cursor);
    ck_assert_int_eq(range_parse(&next, query, 1, engine_secret(engine), NULL), 0);
    ck_assert(!place_before(*last, next.after));
    for (size_t i = model_from(&model, *last); i < model.count; i++)
        if (!place_before(model.list[i]->place, next.after))
            ck_assert_int_gt(model.list[i]->place.seq, ask->max_seq);
        else
            break;
}

/* cursor: what the document goes on with. */
static void ask_check(struct ask *ask, char cursor[RANGE_CURSOR_SIZE])
{
    cursor[0] = '\0';
    if (ask->state == READING_MORE || ask->chunks == 0) {
        seen.given_up++;
        bytes_clear(&ask->text);
        return;
    }
    if (ask->range.resumed) {
        ck_assert_int_eq(ask->max_seq, ask->range.max_seq);
    } else {
        /* Nothing that was stored before it began is missing. */
        ck_assert_int_ge(ask->max_seq, ask->at_seq);
        ck_assert_int_le(ask->max_seq, model.last_seq);
    }
    ask_check_tag(ask, model_total(&model, &ask->range, ask->max_seq));
    struct range_place last;
    const struct bytes *text = ask->state == READING_SAME ? &ask->text : ask_inflate(ask);
    if (model_goes_on(&model, &ask->range, ask->max_seq, engine_secret(engine), &last, cursor) &&
        ask->state != READING_SAME)
        ask_read_cursor(ask, text, &last, cursor);
    expected.len = 0;
    if (ask->state != READING_SAME) {
        ck_assert_int_eq(bytes_append_text(&expected, ask->wrapped ? HEAD : ""), 0);
        model_answer(&model, &ask->range, ask->max_seq, cursor, &expected);
        ck_assert_int_eq(bytes_append_text(&expected, ask->wrapped ? TAIL : ""), 0);
    }
    ck_assert_uint_eq(text->len, expected.len);
    if (text->len > 0)
        ck_assert_mem_eq(text->data, expected.data, expected.len);
    bytes_clear(&ask->text);
}

/* --- queries ---------------------------------------------------------------------------------- */

static void add_parameter(char *query, size_t size, const char *name, int64_t ms)
{
    char stamp[TIMESTAMP_SIZE];
    size_t len = strlen(query);
    timestamp_format(stamp, ms);
    snprintf(query + len, size - len, "&%s=%s", name, stamp);
}

static void some_window(char *query, size_t size)
{
    query[0] = '\0';
    if (dice_roll(&dice, 2) == 0)
        add_parameter(query, size, dice_roll(&dice, 3) == 0 ? "after" : "since",
                      some_ts() - below(3) * below(HOUR));
    if (dice_roll(&dice, 3) == 0)
        add_parameter(query, size, "until", some_ts() + below(2));
}

static void add_number(char *query, size_t size, const char *name, int64_t number)
{
    size_t len = strlen(query);
    snprintf(query + len, size - len, "&%s=%" PRId64, name, number);
}

static void some_query(char *query, size_t size)
{
    static const int64_t limits[] = {0, 1, 7, 100, 1000, INT64_MAX};
    some_window(query, size);
    if (dice_roll(&dice, 3) == 0)
        add_number(query, size, "limit", limits[dice_roll(&dice, 6)]);
    if (dice_roll(&dice, 6) == 0)
        add_number(query, size, "page", 1 + below(dice_roll(&dice, 2) == 0 ? 3 : 1000));
}

/* Several readings at once, taken slowly or not, commits and jumps between their chunks. */
static void play_readings(void)
{
    struct ask asks[ASKS_MOST];
    size_t count = 1 + dice_roll(&dice, ASKS_MOST), under_way = count;
    size_t commits = dice_roll(&dice, 3) == 0 ? 2 : 0;
    char query[512], cursor[RANGE_CURSOR_SIZE];
    for (size_t i = 0; i < count; i++) {
        some_query(query, sizeof query);
        ask_begin(&asks[i], query);
    }
    while (under_way > 0) {
        bool busy = false;
        if (commits > 0 && dice_roll(&dice, 2) == 0) {
            play_commit();
            commits--;
        }
        if (dice_roll(&dice, 40) == 0)
            play_jump();
        for (size_t i = 0; i < count; i++) {
            if (asks[i].reading == NULL)
                continue;
            if (dice_roll(&dice, 4) != 0)
                ask_go_on(&asks[i]);
            under_way -= asks[i].reading == NULL;
            busy = busy || (asks[i].reading != NULL && asks[i].due);
        }
        if (!busy && under_way > 0)
            wait_for_mail(mailbox);
    }
    for (size_t i = 0; i < count; i++)
        ask_check(&asks[i], cursor);
}

static void ask_all(struct ask *ask, const char *query, char cursor[RANGE_CURSOR_SIZE])
{
    ask_begin(ask, query);
    ask->most = UINT_MAX;
    for (ask_go_on(ask); ask->reading != NULL; ask_go_on(ask))
        if (!ask->due)
            wait_for_mail(mailbox);
    ask_check(ask, cursor);
}

/* Pages by cursor to the end, whatever happens between them. */
static void play_chain(void)
{
    char query[512], cursor[RANGE_CURSOR_SIZE];
    struct ask ask;
    int64_t limit = (int64_t)model.count / (1 + below(8)) + 1;
    some_window(query, sizeof query);
    add_number(query, sizeof query, "limit", limit);
    for (;;) {
        ask_all(&ask, query, cursor);
        seen.pages++;
        if (cursor[0] == '\0')
            return;
        snprintf(query, sizeof query, "cursor=%s&limit=%" PRId64, cursor, limit);
        if (dice_roll(&dice, 3) == 0)
            play_commit();
        if (dice_roll(&dice, 12) == 0)
            play_jump();
        if (dice_roll(&dice, 12) == 0)
            play_erase();
        if (dice_roll(&dice, 30) == 0)
            play_start();
    }
}

/* --- the game --------------------------------------------------------------------------------- */

/* The ring holds all that is stored between its floor and its ceiling, and not much too much. */
static void check_ring(void)
{
    struct ring_survey survey;
    if (engine->keeper == NULL)
        return;
    ring_survey(keeper_ring(engine->keeper), &survey);
    ck_assert_uint_eq(survey.events, model_within(&model, survey.floor, survey.ceiling));
    ck_assert_uint_le(survey.events, options.cache_events + 4 * SEGMENT_EVENTS);
}

static void commit_now(unsigned count)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(i == 0 || bytes_append(&body, ",", 1) == 0);
        add_event(&body, clock_wall_ms(), 8);
    }
    ck_assert_int_eq(bytes_append(&body, "]}", sizeof "]}"), 0);
    commit(body_of(body.data));
    bytes_clear(&body);
}

/* A cache with room for all comes to hold all that is not dated too late, and answers from it. */
static void wait_until_hot(void)
{
    struct ring_survey survey;
    struct ask ask;
    char cursor[RANGE_CURSOR_SIZE];
    int64_t until = clock_mono_ms() + LONG_MS;
    unsigned long glued = seen.glued;
    char query[64];
    commit_now(2 * SEGMENT_EVENTS); /* more than an open segment */
    for (;;) {
        ring_bounds(keeper_ring(engine->keeper), &survey);
        int64_t ahead_ms = survey.ceiling.ts - clock_wall_ms();
        bool placed = ahead_ms >= 4 * MINUTE && ahead_ms <= 67 * MINUTE;
        if (placed && place_equal(survey.floor, PLACE_LOWEST) && seen.glued > glued)
            break;
        ck_assert_int_lt(clock_mono_ms(), until);
        commit_now(1);
        snprintf(query, sizeof query, "limit=%d", 4 * SEGMENT_EVENTS);
        add_parameter(query, sizeof query, "until", clock_wall_ms());
        ask_all(&ask, query, cursor);
        (void)poll(NULL, 0, 1);
    }
    check_ring();
}

static void begin_game(size_t events, size_t bytes)
{
    run_setup();
    engine_close(engine);
    options.cache_events = events;
    options.cache_bytes = bytes;
    most_bytes = dice_roll(&dice, 4) == 0 ? MUCH_BYTES : LITTLE_BYTES;
    options.readers = 1 + (unsigned)dice_roll(&dice, 3);
    begin_engine();
    begin_ms = clock_wall_ms();
    model.last_seq = 0;
    ck_assert_int_eq(sqlite3_open(database, &shell), SQLITE_OK);
    (void)sqlite3_busy_timeout(shell, LONG_MS);
    ck_assert_int_eq(sqlite3_exec(shell, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
}

static void end_game(void)
{
    sqlite3_close(shell);
    run_teardown();
    (void)model_erase(&model, false, INT64_MIN, INT64_MAX);
    for (size_t i = 0; i < BODIES; i++) {
        free(bodies[i].text);
        bodies[i].text = NULL;
    }
    memset(tags, 0, sizeof tags);
    atomic_store(&drift_ms, 0);
}

static void play(void)
{
    size_t what = dice_roll(&dice, 100);
    if (what < 40)
        play_commit();
    else if (what < 80)
        play_readings();
    else if (what < 85)
        play_chain();
    else if (what < 88)
        play_erase();
    else if (what < 92)
        play_jump();
    else if (what < 93)
        play_start();
    else
        check_ring();
}

static void game_setup(void)
{
    dice = dice_new();
    bytes_init(&expected);
    bytes_init(&inflated);
}

static void game_teardown(void)
{
    bytes_clear(&expected);
    bytes_clear(&inflated);
}

START_TEST(engine_answers_what_a_sorted_list_answers)
{
    static const size_t events[] = {0, 1, 50, 700, 100000};
    static const size_t bytes[] = {0, 3000, 50000, 1 << 20, 1 << 28};
    unsigned games = unit_rounds(50) / 6;
    if (games == 0)
        games = 1;
    for (unsigned game = 0; game < games; game++) {
        bool roomy = game % 4 == 0;
        begin_game(events[roomy ? 4 : dice_roll(&dice, 5)], bytes[roomy ? 4 : dice_roll(&dice, 5)]);
        for (unsigned i = 0; i < 150; i++)
            play();
        check_ring();
        if (roomy)
            wait_until_hot();
        end_game();
    }
    if (getenv("BEACOND_SEEN") != NULL)
        fprintf(stderr,
                "glued %lu same %lu different %lu duplicate %lu rejected %lu erased %lu again "
                "%lu jumped %lu pages %lu given up %lu chunks %lu\n",
                seen.glued, seen.same, seen.different, seen.duplicate, seen.rejected, seen.erased,
                seen.again, seen.jumped, seen.pages, seen.given_up, seen.chunks);
    if (games > 1) /* that it has played what it is meant to */
        ck_assert(seen.same > 0 && seen.different > 0 && seen.duplicate > 0 && seen.rejected > 0 &&
                  seen.erased > 0 && seen.again > 0 && seen.jumped > 0 && seen.pages > 0 &&
                  seen.given_up > 0);
}
END_TEST

START_TEST(engine_cache_follows_a_clock_that_jumps)
{
    static const int64_t jumps[] = {2 * DAY, -3 * DAY};
    begin_game(100000, 1 << 28);
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        for (int n = 0; n < 5; n++)
            commit(some_batch());
        (void)atomic_fetch_add(&drift_ms, jumps[i]);
        wait_until_hot();
    }
    end_game();
}
END_TEST

START_TEST(engine_gives_no_number_out_twice)
{
    begin_game(1000, 1 << 20);
    commit_now(10);
    ck_assert_int_eq(sqlite3_exec(shell, "DELETE FROM events WHERE seq > 5", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)model_erase(&model, true, 6, INT64_MAX);
    commit_now(1); /* model_commit looks */
    end_game();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_model");
    TCase *tests = tcase_create("engine_model");
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, game_setup, game_teardown);
    tcase_add_test(tests, engine_answers_what_a_sorted_list_answers);
    tcase_add_test(tests, engine_cache_follows_a_clock_that_jumps);
    tcase_add_test(tests, engine_gives_no_number_out_twice);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
