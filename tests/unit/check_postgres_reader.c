/* Readers of a PostgreSQL database against a plain model: events come in by SQL, from transactions
 * that overlap, and are erased by SQL. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "postgres_hand.h"

#include <pthread.h>

#include "dice.h"
#include "store/ask.h"
#include "store/facts.h"
#include "store/postgres/postgres_id.h"
#include "store/shared.h"

enum { MODEL_EVENTS = 20000, MODEL_OPEN = 3, COMMIT_EVENTS = 60 };

/* --- the model -------------------------------------------------------------------------------- */

struct model_event {
    int64_t ts, seq;
    int owner; /* the transaction that has it: MODEL_OPEN: it is committed */
};

static struct {
    struct model_event events[MODEL_EVENTS];
    size_t count;
    int64_t erasures;
    struct {
        PGconn *connection;
        int64_t first; /* its first number; 0: none is open */
    } open[MODEL_OPEN];
    int64_t last_commit;        /* the highest number of a commit that is settled */
    int64_t ends[MODEL_EVENTS]; /* last numbers of commits */
    size_t end_count;
} model;

static int64_t stamp(struct dice *dice)
{
    static const int64_t bases[] = {1763769599000, 1763769600000,  1763800000123, -86400500, 0,
                                    1600000000000, 253402300799000};
    int64_t base = bases[dice_roll(dice, sizeof bases / sizeof *bases)];
    static const size_t widths[] = {1, 3, 2000, 200000, 9000000, 400000000};
    return base + (int64_t)dice_roll(dice, widths[dice_roll(dice, 6)]);
}

/* Stores some events in that connection's transaction, each as a node of its own: two of one would
 * wait for each other's rows of the tally. Returns the first number. */
static int64_t put(struct dice *dice, PGconn *connection, int owner)
{
    static char sql[COMMIT_EVENTS * 24 + 64];
    size_t count = 1 + dice_roll(dice, COMMIT_EVENTS), len;
    bool same = dice_roll(dice, 4) == 0;
    int64_t ts = stamp(dice);
    len = (size_t)snprintf(sql, sizeof sql, "SELECT tests.put(%d, '{", owner);
    size_t from = model.count;
    for (size_t i = 0; i < count; i++) {
        ts = same ? ts : stamp(dice);
        len += (size_t)snprintf(sql + len, sizeof sql - len, "%s%lld", i > 0 ? "," : "",
                                (long long)ts);
        model.events[model.count++] = (struct model_event){ts, (int64_t)i, owner};
    }
    snprintf(sql + len, sizeof sql - len, "}')");
    PGresult *result = run(connection, sql);
    int64_t first = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    for (size_t i = from; i < model.count; i++)
        model.events[i].seq += first;
    model.ends[model.end_count++] = first + (int64_t)count - 1;
    return first;
}

static void model_open(struct dice *dice, int n)
{
    if (model.open[n].connection == NULL)
        model.open[n].connection = connect_by_hand();
    do_sql(model.open[n].connection, "BEGIN");
    model.open[n].first = put(dice, model.open[n].connection, n);
}

/* Events of a transaction that is over: committed, or gone. */
static void model_end(int n, bool commit)
{
    size_t kept = 0;
    do_sql(model.open[n].connection, commit ? "COMMIT" : "ROLLBACK");
    for (size_t i = 0; i < model.count; i++) {
        struct model_event event = model.events[i];
        if (event.owner == n && !commit)
            continue;
        if (event.owner == n)
            event.owner = MODEL_OPEN;
        model.events[kept++] = event;
    }
    model.count = kept;
    if (!commit) {
        kept = 0;
        for (size_t i = 0; i < model.end_count; i++)
            if (model.ends[i] / 4096 != model.open[n].first / 4096)
                model.ends[kept++] = model.ends[i];
        model.end_count = kept;
    }
    model.open[n].first = 0;
}

/* The newest number of the newest moment. */
static int64_t model_last_seq(void)
{
    int64_t first = INT64_MAX, last = 0;
    for (int n = 0; n < MODEL_OPEN; n++)
        if (model.open[n].first > 0 && model.open[n].first < first)
            first = model.open[n].first;
    for (size_t i = 0; i < model.end_count; i++)
        if (model.ends[i] < first && model.ends[i] > last)
            last = model.ends[i];
    return last;
}

static void model_erase(struct dice *dice)
{
    char sql[96];
    size_t at = dice_roll(dice, model.count + 1);
    if (at >= model.count || model.events[at].owner != MODEL_OPEN)
        return;
    snprintf(sql, sizeof sql, "SELECT tests.erase(%lld, %lld)", (long long)model.events[at].ts,
             (long long)model.events[at].seq);
    do_sql(hand, sql);
    model.events[at] = model.events[--model.count];
    model.erasures++;
}

/* Old commits are dropped from the log, but for one that nodes have followed. */
static void model_forget(struct dice *dice)
{
    char sql[128];
    if (model.end_count == 0)
        return;
    int64_t last = model_last_seq(), end = model.ends[dice_roll(dice, model.end_count)];
    snprintf(sql, sizeof sql, "DELETE FROM beacond.commits WHERE last_seq < %lld",
             (long long)(end < last ? end : last));
    do_sql(hand, sql);
}

static int newest_first(const void *a, const void *b)
{
    const struct model_event *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? 1 : -1;
    return x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

/* What there is in the window at that moment, newest first. */
static struct model_event seen[MODEL_EVENTS];
static size_t seen_count;

static void model_window(int64_t since, int64_t until, int64_t last_seq)
{
    seen_count = 0;
    for (size_t i = 0; i < model.count; i++) {
        const struct model_event *event = &model.events[i];
        if (event->owner == MODEL_OPEN && event->seq <= last_seq && event->ts >= since &&
            event->ts <= until)
            seen[seen_count++] = *event;
    }
    qsort(seen, seen_count, sizeof *seen, newest_first);
}

/* --- what is asked ---------------------------------------------------------------------------- */

struct walk {
    size_t at;   /* of the one in seen that is due */
    size_t left; /* rows until it ends the page */
    int step;    /* 1: down, -1: up */
};

static void walk_expect(struct walk *walk, struct range_place place, const char *text, size_t len)
{
    char expected[40];
    ck_assert_msg(walk->at < seen_count, "a row too much: %lld %lld", (long long)place.ts,
                  (long long)place.seq);
    ck_assert_int_eq(place.ts, seen[walk->at].ts);
    ck_assert_int_eq(place.seq, seen[walk->at].seq);
    size_t expected_len =
        (size_t)snprintf(expected, sizeof expected, "{\"n\":%lld}", (long long)place.seq);
    ck_assert_mem_eq(text, expected, expected_len);
    ck_assert_uint_eq(len, expected_len);
    walk->at += (size_t)walk->step; /* wraps below the first */
}

static int walk_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct walk *walk = arg;
    walk_expect(walk, place, text, len);
    return --walk->left == 0;
}

static void expect_page(struct dice *dice, int64_t since, int64_t max_seq, struct range_place start,
                        size_t skip)
{
    struct walk walk = {.at = skip, .step = 1};
    struct error err = {""};
    bool more = true;
    while (more) {
        walk.left = dice_roll(dice, 3) == 0 ? 1 + dice_roll(dice, 5) : 1 + dice_roll(dice, 300);
        int status = store_page(reader, since, max_seq, start, walk_row, &walk, &more, &err);
        ck_assert_msg(status == STORE_OK, "%s", err.text);
        ck_assert_int_eq(more, walk.left == 0);
        if (walk.at > 0)
            start = (struct range_place){seen[walk.at - 1].ts, seen[walk.at - 1].seq};
    }
    ck_assert_uint_eq(walk.at, seen_count > skip ? seen_count : skip);
}

static int walk_full_row(void *arg, const struct store_row *row)
{
    struct walk *walk = arg;
    ck_assert_int_eq(row->received, 1);
    ck_assert_int_eq(row->given, row->place.seq % 2);
    walk_expect(walk, row->place, row->text, row->len);
    return --walk->left == 0;
}

/* What is strictly below, or above, a place of the window. */
static void expect_rows(struct dice *dice, int64_t since, int64_t until, int64_t max_seq)
{
    struct walk walk = {.step = 1};
    struct error err = {""};
    bool more = true;
    struct range_place place = {until, INT64_MAX};
    for (int up = 0; up < 2; up++) {
        while (more) {
            walk.left = 1 + dice_roll(dice, 200);
            int status =
                up ? store_page_up(reader, until, max_seq, place, walk_full_row, &walk, &more, &err)
                   : store_page_down(reader, since, max_seq, place, walk_full_row, &walk, &more,
                                     &err);
            ck_assert_msg(status == STORE_OK, "%s", err.text);
            size_t last = walk.at - (size_t)walk.step;
            if (last < seen_count)
                place = (struct range_place){seen[last].ts, seen[last].seq};
        }
        ck_assert_uint_eq(walk.at, up ? SIZE_MAX : seen_count);
        walk = (struct walk){.at = seen_count - 1, .step = -1};
        place = (struct range_place){since, 0};
        more = true;
    }
}

static int by_seq(const void *a, const void *b)
{
    const struct model_event *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A highest number to ask for: maybe an older one, or whatever there is. */
static int64_t bound(struct dice *dice, int64_t last_seq)
{
    switch (dice_roll(dice, 3)) {
    case 0:
        return INT64_MAX;
    case 1:
        return last_seq;
    default:
        return model.count > 0 ? model.events[dice_roll(dice, model.count)].seq : 0;
    }
}

static void expect_seq(struct dice *dice, int64_t last_seq)
{
    struct error err = {""};
    model_window(INT64_MIN, INT64_MAX, last_seq);
    qsort(seen, seen_count, sizeof *seen, by_seq);
    size_t back = dice_roll(dice, seen_count + 2);
    int64_t seq, expected = back < seen_count ? seen[seen_count - 1 - back].seq : 0;
    int status = store_seq_back(reader, (int64_t)back, &seq, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(seq, expected);
    struct walk walk = {.at = seen_count - (back < seen_count ? back : seen_count), .step = 1};
    bool more = true, all = dice_roll(dice, 2) == 0;
    int64_t max_seq = bound(dice, last_seq);
    for (size_t i = walk.at; i < seen_count; i++)
        if (seen[i].seq > max_seq)
            seen_count = i;
    while (more) {
        walk.left = 1 + dice_roll(dice, 300);
        status = store_page_seq(reader, seq, max_seq, walk_full_row, &walk, &more, &err);
        ck_assert_msg(status == STORE_OK, "%s", err.text);
        if (more)
            seq = seen[walk.at - 1].seq;
        if (more && !all)
            return;
    }
    ck_assert_uint_eq(walk.at, seen_count);
}

/* The events of a window by steps: the model's are in seen, newest first. */
static void expect_steps(struct dice *dice, int64_t since, int64_t until, int64_t last_seq)
{
    struct error err = {""};
    struct store_steps steps;
    struct store_steps_ask ask = {since, until, .named = dice_roll(dice, 2) == 0,
                                  .step = (enum step)dice_roll(dice, 4)};
    int status = store_count_steps(reader, &ask, &steps, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    if (!steps.too_many) {
        ck_assert_int_eq(steps.total, (int64_t)seen_count);
        size_t n = steps.count;
        for (size_t i = 0, same; i < seen_count; i += same) {
            int64_t at = step_floor(steps.step, seen[i].ts);
            for (same = 0; i + same < seen_count && seen[i + same].ts >= at; same++)
                continue;
            ck_assert_uint_gt(n--, 0);
            ck_assert_int_eq(steps.steps[n].at, at);
            ck_assert_int_eq(steps.steps[n].events, (int64_t)same);
        }
        ck_assert_uint_eq(n, 0);
    }
    model_window(INT64_MIN, INT64_MAX, last_seq);
    ck_assert_int_eq(steps.facts.events, (int64_t)seen_count);
    ck_assert_int_eq(steps.facts.last_seq, seen_count > 0 ? last_seq : 0);
    if (seen_count > 0) {
        ck_assert_int_eq(steps.facts.newest_ms, seen[0].ts);
        ck_assert_int_eq(steps.facts.oldest_ms, seen[seen_count - 1].ts);
    }
    store_steps_clear(&steps);
}

struct days {
    size_t at; /* in seen, from the last one down */
};

static int expect_day(void *arg, int64_t at_ms, int64_t events)
{
    struct days *days = arg;
    int64_t same = 0;
    ck_assert_uint_gt(days->at, 0);
    ck_assert_int_eq(at_ms, step_floor(STEP_DAY, seen[days->at - 1].ts));
    for (; days->at > 0 && step_floor(STEP_DAY, seen[days->at - 1].ts) == at_ms; days->at--)
        same++;
    ck_assert_int_eq(events, same);
    return 0;
}

static void expect_days(int64_t last_seq)
{
    struct error err = {""};
    model_window(INT64_MIN, INT64_MAX, last_seq);
    struct days days = {seen_count};
    int status = store_days(reader, expect_day, &days, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_uint_eq(days.at, 0);
}

static int64_t edge(struct dice *dice)
{
    if (model.count > 0 && dice_roll(dice, 3) > 0)
        return model.events[dice_roll(dice, model.count)].ts + (int64_t)dice_roll(dice, 3) - 1;
    return stamp(dice);
}

static void ask_once(struct dice *dice)
{
    struct error err = {""};
    struct store_survey survey;
    int64_t since = edge(dice), until = edge(dice), last_seq = model_last_seq();
    if (dice_roll(dice, 5) == 0)
        since = INT64_MIN;
    if (dice_roll(dice, 5) == 0)
        until = INT64_MAX;
    model_window(since, until, last_seq);
    size_t skip = dice_roll(dice, 3) == 0 ? dice_roll(dice, seen_count + 3) : 0;
    int status = store_survey(reader, since, until, (int64_t)skip, &survey, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(survey.total, (int64_t)seen_count);
    ck_assert_int_eq(survey.max_seq, last_seq);
    ck_assert_int_eq(survey.erasures, model.erasures);
    if (since <= until)
        expect_page(dice, since, survey.max_seq, survey.start,
                    skip < seen_count ? skip : seen_count);
    if (since <= until && dice_roll(dice, 3) == 0) {
        int64_t max_seq = bound(dice, last_seq);
        model_window(since, until, max_seq < last_seq ? max_seq : last_seq);
        expect_rows(dice, since, until, max_seq);
    }
    if (dice_roll(dice, 3) == 0)
        expect_seq(dice, last_seq);
    if (dice_roll(dice, 3) == 0 && since <= until) {
        model_window(since, until, last_seq);
        expect_steps(dice, since, until, last_seq);
        expect_days(last_seq);
    }
}

static void ask_newest(void)
{
    struct error err = {""};
    struct store_newest newest;
    struct store_moment moment;
    int64_t last_seq = model_last_seq();
    ck_assert_int_eq(store_moment(reader, &moment, &err), STORE_OK);
    ck_assert_int_eq(moment.last_seq, last_seq);
    model_window(INT64_MIN, INT64_MAX, last_seq);
    ck_assert_int_eq(store_newest(reader, &newest, &err), STORE_OK);
    ck_assert_int_eq(newest.any, seen_count > 0);
    ck_assert_int_eq(newest.max_seq, seen_count > 0 ? last_seq : 0);
    if (seen_count > 0) {
        ck_assert_int_eq(newest.top.ts, seen[0].ts);
        ck_assert_int_eq(newest.top.seq, seen[0].seq);
    }
}

static void act(struct dice *dice)
{
    int n = (int)dice_roll(dice, MODEL_OPEN);
    switch (dice_roll(dice, 6)) {
    case 0:
    case 1:
        (void)put(dice, hand, MODEL_OPEN);
        break;
    case 2:
        model_erase(dice);
        if (dice_roll(dice, 8) == 0)
            model_forget(dice);
        break;
    default:
        if (model.open[n].first == 0)
            model_open(dice, n);
        else if (dice_roll(dice, 3) == 0)
            model_end(n, dice_roll(dice, 4) > 0);
    }
}

START_TEST(readers_see_a_moment_and_nothing_of_what_is_later)
{
    struct dice dice = dice_new();
    memset(&model, 0, sizeof model);
    /* Some days have partitions, the others' events lie in the one for the rest. */
    do_sql(hand, "CREATE TABLE beacond.events_2025_11_21 PARTITION OF beacond.events"
                 " FOR VALUES FROM (1763683200000) TO (1763769600000);"
                 "CREATE TABLE beacond.events_2025_11_22 PARTITION OF beacond.events"
                 " FOR VALUES FROM (1763769600000) TO (1763856000000)");
    for (unsigned round = 0; round < unit_rounds(250); round++) {
        act(&dice);
        ask_newest();
        ask_once(&dice);
    }
    for (int n = 0; n < MODEL_OPEN; n++)
        PQfinish(model.open[n].connection);
}
END_TEST

/* --- questions -------------------------------------------------------------------------------- */

struct asked {
    char text[512]; /* the names of the columns, then the cells of each row, with their kinds */
    unsigned rows, most;
    bool stop;
};

static int asked_columns(void *arg, const char *const *names, size_t count)
{
    struct asked *asked = arg;
    for (size_t i = 0; i < count; i++)
        snprintf(asked->text + strlen(asked->text), 64, "%s%s", i > 0 ? "," : "", names[i]);
    return 0;
}

static int asked_row(void *arg, const struct store_cell *cells, size_t count)
{
    struct asked *asked = arg;
    for (size_t i = 0; i < count && asked->rows < 3; i++)
        snprintf(asked->text + strlen(asked->text), 64, "%s%d:%.*s", i > 0 ? "," : "\n",
                 (int)cells[i].kind, (int)cells[i].len, cells[i].text);
    return ++asked->rows == asked->most;
}

static bool asked_stop(void *arg)
{
    return ((struct asked *)arg)->stop;
}

static int ask_sql(struct asked *asked, const char *sql, struct error *err)
{
    const struct store_parameter given = {"x", "7"};
    const struct store_ask ask = {.sql = sql,
                                  .parameters = &given,
                                  .parameter_count = strstr(sql, ":x") != NULL,
                                  .columns = asked_columns,
                                  .row = asked_row,
                                  .stop = asked_stop,
                                  .arg = asked};
    struct store_reader *one;
    ck_assert_int_eq(store_reader_open_file(uri, &one, err), STORE_OK);
    int status = store_ask(one, &ask, err);
    store_reader_close(one);
    return status;
}

static const struct {
    const char *sql, *answer;
} answered[] = {
    {"SELECT 1 AS a, NULL AS b, 'x' AS c, '\\x6200'::bytea AS d", "a,b,c,d\n1:1,0:,3:x,4:b"},
    {"SELECT 1.5::numeric, 2.0::float8, 3::numeric, 'NaN'::float8, '-inf'::float8, 'yes'::bool",
     "numeric,float8,numeric,float8,float8,bool\n2:1.5,2:2,1:3,0:,2:-Inf,1:1"},
    {"SELECT :x::bigint + 1 AS y, :y IS NULL AS z", "y,z\n1:8,1:1"},
    {"SELECT n FROM generate_series(1, 2) AS n", "n\n1:1\n1:2"},
    {"SELECT 1 AS none WHERE false", "none"},
    {"VALUES (1);", "column1\n1:1"},
    {"SELECT count(*) FROM activity", "count\n1:0"},
};

START_TEST(a_question_is_answered)
{
    struct asked asked = {.most = 100};
    struct error err = {""};
    int status = ask_sql(&asked, answered[_i].sql, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_str_eq(asked.text, answered[_i].answer);
}
END_TEST

static const char *const unasked[] = {
    "SELECT 1; SELECT 2",
    "SELECT nowhere",
    "SELECT 1 / 0",
    "SELECT",
    "WITH x AS (DELETE FROM beacond.meta RETURNING 1) SELECT * FROM x",
    "SELECT * INTO other FROM beacond.meta",
    "SELECT nextval('beacond.blocks')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "DROP TABLE beacond.meta",
};

START_TEST(what_is_no_question_is_refused)
{
    struct asked asked = {.most = 100};
    struct error err = {""};
    ck_assert_int_eq(ask_sql(&asked, unasked[_i], &err), STORE_REFUSED);
    ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(who_has_enough_of_an_answer_ends_it)
{
    struct asked asked = {.most = 5};
    struct error err = {""};
    const char *endless = "SELECT generate_series(1, 1000000000000)";
    ck_assert_int_eq(ask_sql(&asked, endless, &err), STORE_OK);
    ck_assert_uint_eq(asked.rows, 5);
    asked = (struct asked){.most = 5, .stop = true};
    ck_assert_int_eq(ask_sql(&asked,
                             "SELECT count(*) FROM (SELECT generate_series(1, 1000000000000)) AS n",
                             &err),
                     STORE_BUSY);
    ck_assert_str_eq(err.text, "stopped");
    /* Nothing of it goes on in the server. */
    int64_t left = 1;
    while (left > 0) {
        PGresult *result = run(hand, "SELECT count(*) FROM pg_stat_activity"
                                     " WHERE datname = current_database() AND state = 'active'"
                                     "   AND pid <> pg_backend_pid()");
        left = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
    }
}
END_TEST

/* --- connections ------------------------------------------------------------------------------ */

/* Ends all sessions of the database but the hand's. */
static void end_sessions(void)
{
    do_sql(hand, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                 " WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

static int64_t total(void)
{
    struct error err = {""};
    struct store_survey survey;
    int status = store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    return survey.total;
}

static int count_row(void *arg, struct range_place place, const char *text, size_t len)
{
    (void)place, (void)text, (void)len;
    return ++*(int *)arg == 3;
}

START_TEST(a_session_that_was_ended_is_made_anew_by_itself)
{
    struct error err = {""};
    struct store_newest newest;
    struct store_steps steps;
    struct store_steps_ask ask = {.since = INT64_MIN, .until = INT64_MAX};
    bool more;
    int count = 0;
    do_sql(hand, "SELECT tests.put(0, '{1,2,3,4,5}')");
    ck_assert_int_eq(total(), 5);
    end_sessions();
    ck_assert_int_eq(total(), 5);
    /* A failed attempt is not followed by another one at once. */
    (void)poll(NULL, 0, 150);
    end_sessions();
    int status =
        store_page(reader, INT64_MIN, INT64_MAX, (struct range_place){INT64_MAX, INT64_MAX},
                   count_row, &count, &more, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(count, 3);
    (void)poll(NULL, 0, 150);
    end_sessions();
    status = store_count_steps(reader, &ask, &steps, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    ck_assert_int_eq(steps.total, 5);
    store_steps_clear(&steps);
    (void)poll(NULL, 0, 150);
    end_sessions();
    ck_assert_int_eq(store_newest(reader, &newest, &err), STORE_OK);
}
END_TEST

START_TEST(no_reader_can_write)
{
    struct error err = {""};
    struct asked asked = {.most = 10};
    ck_assert_int_eq(
        ask_sql(&asked, "SELECT current_setting('default_transaction_read_only')", &err), STORE_OK);
    ck_assert_str_eq(asked.text, "current_setting\n3:on");
}
END_TEST

/* A server that refuses connections is told as such, and found again when it takes them. */
START_TEST(a_server_that_takes_no_one_is_busy_until_it_does)
{
    char sql[128];
    struct error err = {""};
    struct store_survey survey;
    do_sql(hand, "SELECT tests.put(0, '{1}')");
    ck_assert_int_eq(total(), 1);
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS false", PQdb(hand));
    (void)postgres_shell("postgres", sql);
    end_sessions();
    ck_assert_int_eq(store_survey(reader, 0, 1, 0, &survey, &err), STORE_BUSY);
    ck_assert_str_ne(err.text, "");
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS true", PQdb(hand));
    (void)postgres_shell("postgres", sql);
    while (store_survey(reader, INT64_MIN, INT64_MAX, 0, &survey, &err) != STORE_OK)
        (void)poll(NULL, 0, 10);
    ck_assert_int_eq(survey.total, 1);
}
END_TEST

/* Whatever a database's own settings say: the look must be behind the watermark. */
START_TEST(settings_of_the_database_do_not_matter)
{
    char sql[160];
    struct error err = {""};
    struct store_moment moment;
    snprintf(sql, sizeof sql,
             "ALTER DATABASE %s SET default_transaction_isolation = 'serializable'", PQdb(hand));
    do_sql(hand, sql);
    ck_assert_int_eq(store_moment(reader, &moment, &err), STORE_OK);
    struct asked asked = {.most = 10};
    ck_assert_int_eq(
        ask_sql(&asked, "SELECT current_setting('default_transaction_isolation')", &err), STORE_OK);
    ck_assert_str_eq(asked.text, "current_setting\n3:read committed");
}
END_TEST

/* --- partitions that come while somebody reads -------------------------------------------------
 */

static int64_t slow_total;

static void *ask_slowly(void *arg)
{
    struct error err = {""};
    struct store_survey survey;
    struct store_steps steps;
    /* Edges within seconds: of those events are counted. */
    struct store_steps_ask ask = {.since = 1763769600001, .until = 1763769602001};
    if (*(const int *)arg == 0) {
        int status = store_survey(reader, ask.since, ask.until, 0, &survey, &err);
        slow_total = status == STORE_OK ? survey.total : -1;
    } else {
        int status = store_count_steps(reader, &ask, &steps, &err);
        slow_total = status == STORE_OK ? steps.total : -1;
        store_steps_clear(&steps);
    }
    return NULL;
}

/* Events move from the partition for the rest into one of their day: a look that begins before that
 * and goes on behind it must not miss them in both. */
START_TEST(a_look_that_waits_for_a_partition_misses_nothing)
{
    pthread_t thread;
    struct error err = {""};
    struct store_moment moment;
    int which = _i;
    do_sql(hand,
           "SELECT tests.put(0, '{1763769600500,1763769600600,1763769601000,1763769602000}')");
    ck_assert_int_eq(store_moment(reader, &moment, &err), STORE_OK);
    do_sql(hand, "BEGIN; SELECT beacond.make_day(20414)");
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_slowly, &which), 0);
    int64_t waiting = 0;
    while (waiting == 0) {
        PGresult *result =
            run(hand, "SELECT count(*) FROM pg_locks"
                      " WHERE relation = 'beacond.events'::regclass AND NOT granted");
        waiting = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
    }
    do_sql(hand, "COMMIT");
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(slow_total, 4);
}
END_TEST

/* --- rejects, receipts, known ----------------------------------------------------------------- */

static int64_t tabled;

static int table_reject(void *arg, const struct store_reject *reject)
{
    char text[16];
    int64_t *next = arg;
    tabled++;
    ck_assert_int_eq(reject->n, (*next)++);
    ck_assert_int_eq(reject->received, reject->n * 10);
    ck_assert_str_eq(reject->reason, reject->n % 2 == 0 ? "even" : "odd");
    size_t len = (size_t)snprintf(text, sizeof text, "%lld", (long long)reject->n);
    ck_assert_uint_eq(reject->len, len);
    ck_assert_mem_eq(reject->text, text, len);
    return reject->n == 150;
}

static int table_receipts(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    int64_t *next = arg;
    ck_assert_int_eq(row, (*next)++);
    ck_assert_int_eq(at_ms, row * 10);
    ck_assert_uint_eq(len, 1);
    ck_assert_mem_eq(data, "\1", 1);
    return 0;
}

START_TEST(tables_are_read_in_the_order_of_numbers)
{
    struct error err = {""};
    bool more;
    int64_t next = 3;
    do_sql(hand, "INSERT INTO beacond.rejects(received, reason, event)"
                 " SELECT n * 10, CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END,"
                 "        convert_to(n::text, 'UTF8') FROM generate_series(1, 300) AS n;"
                 "INSERT INTO beacond.receipts"
                 " SELECT n, n, 1, n * 10, false, 0, '\\x01' FROM generate_series(1, 300) AS n");
    ck_assert_int_eq(store_page_rejects(reader, 2, table_reject, &next, &more, &err), STORE_OK);
    ck_assert(more && next == 151);
    ck_assert_int_eq(store_page_rejects(reader, 150, table_reject, &next, &more, &err), STORE_OK);
    ck_assert(!more && next == 301);
    next = 101;
    ck_assert_int_eq(store_page_receipts(reader, 100, table_receipts, &next, &more, &err),
                     STORE_OK);
    ck_assert(!more && next == 301);
}
END_TEST

static int show_reason(void *arg, const char *reason, size_t len, int64_t rejects)
{
    snprintf((char *)arg + strlen(arg), 64, "%.*s %lld\n", (int)len, reason, (long long)rejects);
    return 0;
}

static int show_reject(void *arg, const struct store_reject *reject, int64_t bytes)
{
    snprintf((char *)arg + strlen(arg), 64, "%lld %s %.*s/%lld\n", (long long)reject->n,
             reject->reason, (int)reject->len, reject->text, (long long)bytes);
    return 0;
}

START_TEST(rejects_are_shown_newest_first)
{
    struct error err = {""};
    char text[512] = "";
    struct store_rejects_show show = {.reason = show_reason, .reject = show_reject, .arg = text};
    struct store_rejects_ask ask = {.before = 5, .most = 3, .head_bytes = 2, .reasons = 1};
    do_sql(hand, "INSERT INTO beacond.rejects(received, reason, event) VALUES (1, 'a', 'one'),"
                 " (1, 'b', 'two'), (1, 'b', ''), (1, 'b', 'x'), (1, 'c', 'five')");
    ck_assert_int_eq(store_show_rejects(reader, &ask, &show, &err), STORE_OK);
    ck_assert_str_eq(text, "b 3\n4 b x/1\n3 b /0\n2 b tw/3\n");
    ck_assert(show.more && show.total == 5);
}
END_TEST

START_TEST(what_is_stored_is_known_by_its_time_and_id)
{
    struct error err = {""};
    static char nul[] = "a\0b", odd[] = "\1", plain[] = "x";
    static char lengthy[5000];
    struct batch_event events[] = {
        {.ts = 7, .id = plain, .id_len = 1},  {.ts = 7, .id = nul, .id_len = 3},
        {.ts = 7, .id = odd, .id_len = 1},    {.ts = 7, .id = lengthy, .id_len = sizeof lengthy},
        {.ts = 8, .id = plain, .id_len = 1},  {.ts = 7, .id = nul, .id_len = 1},
        {.ts = -9, .id = plain, .id_len = 1}, {.ts = 7, .id = lengthy, .id_len = 4999},
        {.ts = 7, .id = plain, .id_len = 0},
    };
    static const bool expected[] = {true, true, true, true, false, false, true, false, false};
    bool known[9];
    struct batch batch = {.events = events, .event_count = 9};
    memset(lengthy, 'y', sizeof lengthy);
    for (int i = 0; i < 9; i++) {
        struct bytes spelt;
        char sql[2300];
        bytes_init(&spelt);
        ck_assert_int_eq(postgres_id_spell(&spelt, events[i].id, events[i].id_len), 0);
        snprintf(sql, sizeof sql,
                 "INSERT INTO beacond.events(seq, ts, received, given, id, event)"
                 " VALUES (%d, %lld, 1, %s, '%.*s', '{}')",
                 i + 1, (long long)events[i].ts, i % 2 == 0 ? "true" : "false", (int)spelt.len,
                 spelt.data);
        if (expected[i])
            do_sql(hand, sql);
        bytes_clear(&spelt);
    }
    int status = store_known(reader, &batch, known, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    for (int i = 0; i < 9; i++)
        ck_assert_msg(known[i] == expected[i], "the event %d", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_reader");
    TCase *model_case = tcase_create("model");
    tcase_add_checked_fixture(model_case, hand_setup, hand_teardown);
    tcase_set_timeout(model_case, 300);
    tcase_add_test(model_case, readers_see_a_moment_and_nothing_of_what_is_later);
    suite_add_tcase(suite, model_case);
    TCase *questions = tcase_create("questions");
    tcase_add_checked_fixture(questions, hand_setup, hand_teardown);
    tcase_add_loop_test(questions, a_question_is_answered, 0,
                        (int)(sizeof answered / sizeof *answered));
    tcase_add_loop_test(questions, what_is_no_question_is_refused, 0,
                        (int)(sizeof unasked / sizeof *unasked));
    tcase_add_test(questions, who_has_enough_of_an_answer_ends_it);
    suite_add_tcase(suite, questions);
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, hand_setup, hand_teardown);
    tcase_set_timeout(rest, 60);
    tcase_add_test(rest, a_session_that_was_ended_is_made_anew_by_itself);
    tcase_add_test(rest, no_reader_can_write);
    tcase_add_test(rest, a_server_that_takes_no_one_is_busy_until_it_does);
    tcase_add_test(rest, settings_of_the_database_do_not_matter);
    tcase_add_loop_test(rest, a_look_that_waits_for_a_partition_misses_nothing, 0, 2);
    tcase_add_test(rest, tables_are_read_in_the_order_of_numbers);
    tcase_add_test(rest, rejects_are_shown_newest_first);
    tcase_add_test(rest, what_is_stored_is_known_by_its_time_and_id);
    suite_add_tcase(suite, rest);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
