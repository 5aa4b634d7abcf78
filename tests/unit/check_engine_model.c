/*
 * The whole engine against a plain sorted list of all stored events: a real database, real threads,
 * a cache that is too small, or not, and a clock that jumps. Every answer is compared byte by byte.
 */

#include "engine_asks.h"

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

static void commit_at(unsigned count, int64_t ahead_ms)
{
    struct bytes body;
    bytes_init(&body);
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(i == 0 || bytes_append(&body, ",", 1) == 0);
        add_event(&body, clock_wall_ms() + ahead_ms, 8);
    }
    ck_assert_int_eq(bytes_append(&body, "]}", sizeof "]}"), 0);
    commit(body_of(body.data));
    bytes_clear(&body);
}

static void commit_now(unsigned count)
{
    commit_at(count, 0);
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
    ck_assert_int_eq(sqlite3_open(database, &shell), SQLITE_OK);
    (void)sqlite3_busy_timeout(shell, LONG_MS);
    ck_assert_int_eq(sqlite3_exec(shell, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
}

static void end_game(void)
{
    sqlite3_close(shell);
    run_teardown();
    model_begin_anew();
    atomic_store(&drift_ms, 0);
}

static void between_chunks(void)
{
    if (dice_roll(&dice, 40) == 0)
        play_jump();
}

static void between_pages(void)
{
    if (dice_roll(&dice, 12) == 0)
        play_jump();
    if (dice_roll(&dice, 12) == 0)
        play_erase();
    if (dice_roll(&dice, 12) == 0)
        play_prune();
    if (dice_roll(&dice, 12) == 0)
        play_forget();
    if (dice_roll(&dice, 30) == 0)
        play_start();
}

static const struct meanwhile meanwhile = {
    .commit = play_commit, .chunk = between_chunks, .page = between_pages};

static void play(void)
{
    size_t what = dice_roll(&dice, 100);
    if (what < 40)
        play_commit();
    else if (what < 80)
        play_readings(&meanwhile);
    else if (what < 85)
        play_chain(&meanwhile);
    else if (what < 88)
        play_erase();
    else if (what < 90)
        play_prune();
    else if (what < 92)
        play_forget();
    else if (what < 95)
        play_jump();
    else if (what < 96)
        play_start();
    else
        check_ring();
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
        for (unsigned i = games > 1 ? 150 : 60; i > 0; i--)
            play();
        check_ring();
        if (roomy)
            wait_until_hot();
        end_game();
    }
    if (getenv("BEACOND_SEEN") != NULL)
        fprintf(stderr,
                "glued %lu same %lu different %lu duplicate %lu rejected %lu erased %lu pruned %lu "
                "forgotten %lu again "
                "%lu jumped %lu pages %lu given up %lu chunks %lu\n",
                seen.glued, seen.same, seen.different, seen.duplicate, seen.rejected, seen.erased,
                seen.pruned, seen.forgotten, seen.again, seen.jumped, seen.pages, seen.given_up,
                seen.chunks);
    if (games > 1) /* that it has played what it is meant to */
        ck_assert(seen.same > 0 && seen.different > 0 && seen.duplicate > 0 && seen.rejected > 0 &&
                  seen.erased > 0 && seen.pruned > 0 && seen.forgotten > 0 && seen.again > 0 &&
                  seen.jumped > 0 && seen.pages > 0 && seen.given_up > 0);
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

/* More than are filled in at once, when the ceiling comes to them. */
START_TEST(engine_cache_begins_above_a_flood_of_events_whose_time_comes)
{
    begin_game(100000, 1 << 28);
    wait_until_hot();
    for (int n = 0; n < 4; n++)
        commit_at(5000, 20 * MINUTE);
    (void)atomic_fetch_add(&drift_ms, 16 * MINUTE);
    commit_now(10);
    wait_until_hot();
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
    tcase_add_test(tests, engine_cache_begins_above_a_flood_of_events_whose_time_comes);
    tcase_add_test(tests, engine_gives_no_number_out_twice);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
