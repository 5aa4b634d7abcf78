/* A window by steps, and what is shown of rejects, against plain arrays. */

#include "base/bytes.h"
#include "contract/timestamp.h"
#include "dice.h"
#include "store/facts.h"
#include "store_run.h"

enum { EVENTS = 1500 };

static struct store_reader *reader;
static int64_t times[EVENTS];

static void append(const char *text)
{
    struct error err = {""};
    struct store_item item = {.batch = batch_of(text, strlen(text))};
    ck_assert_msg(store_append(store, &item, 1, &no_receipts, &err) == STORE_OK, "%s", err.text);
    batch_free(item.batch);
}

static void setup(void)
{
    struct error err = {""};
    store_run_begin("steps.db", 1000, 1 << 20);
    ck_assert_msg(store_reader_open(store, &reader, &err) == STORE_OK, "%s", err.text);
}

static void teardown(void)
{
    store_reader_close(reader);
    reader = NULL;
    store_run_end();
}

/* Moments around step edges of every size, before and after 1970, and some far off. */
static int64_t moment(struct dice *dice)
{
    static const int64_t far[] = {INT64_C(-62167219200000), INT64_C(253402300799999)};
    int64_t step = step_ms[dice_roll(dice, STEP_COUNT)];
    int64_t at = ((int64_t)dice_roll(dice, 40) - 20) * step;
    size_t near = dice_roll(dice, 4);
    if (dice_roll(dice, 100) == 0)
        return far[dice_roll(dice, 2)];
    return near == 0 ? at : near == 1 ? at - 1 : at + (int64_t)dice_roll(dice, (size_t)step);
}

static void fill(struct dice *dice)
{
    for (size_t i = 0; i < EVENTS; i++) {
        char stamp[TIMESTAMP_SIZE], text[100];
        times[i] = moment(dice);
        timestamp_format(stamp, times[i]);
        snprintf(text, sizeof text, "{\"events\":[{\"timestamp\":\"%s\"}]}", stamp);
        append(text);
    }
}

static struct store_steps count_steps(struct store_steps_ask ask)
{
    struct store_steps out;
    struct error err = {""};
    int status = store_count_steps(reader, &ask, &out, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    return out;
}

static int64_t counted(int64_t first, int64_t last)
{
    int64_t events = 0;
    for (size_t i = 0; i < EVENTS; i++)
        events += times[i] >= first && times[i] <= last;
    return events;
}

static void check_window(enum step step, int64_t since, int64_t until)
{
    struct store_steps got =
        count_steps((struct store_steps_ask){since, until, .named = true, .step = step});
    int64_t sum = 0;
    ck_assert_int_eq(got.step, step);
    ck_assert_int_eq(got.too_many, step_count(step, since, until) > STORE_STEPS_MOST);
    if (got.too_many) {
        ck_assert_uint_eq(got.count, 0);
        return;
    }
    ck_assert_int_eq(got.since, since);
    ck_assert_int_eq(got.until, until);
    for (size_t i = 0; i < got.count; i++) {
        int64_t at = got.steps[i].at, last = at + step_ms[step] - 1;
        ck_assert_int_eq(at, step_floor(step, at));
        ck_assert(i == 0 || got.steps[i - 1].at < at);
        ck_assert_int_gt(got.steps[i].events, 0);
        ck_assert_int_eq(got.steps[i].events,
                         counted(at > since ? at : since, last < until ? last : until));
        sum += got.steps[i].events;
    }
    ck_assert_int_eq(sum, got.total);
    ck_assert_int_eq(got.total, counted(since, until));
    store_steps_clear(&got);
}

START_TEST(steps_of_any_window_are_what_a_plain_count_gives)
{
    struct dice dice = dice_new();
    fill(&dice);
    for (unsigned round = 0; round < 4000; round++) {
        int64_t since = moment(&dice);
        int64_t until =
            dice_roll(&dice, 2) ? moment(&dice) : since + (int64_t)dice_roll(&dice, 3000);
        check_window(dice_roll(&dice, STEP_COUNT), since, until);
        if (unit_slow() && round == 200)
            break;
    }
}
END_TEST

START_TEST(an_open_window_reaches_from_the_oldest_to_the_newest)
{
    struct store_steps_ask open = {.since = INT64_MIN, .until = INT64_MAX}, ask = open;
    struct store_steps got = count_steps(open);
    ck_assert(!got.any);
    ck_assert_uint_eq(got.count, 0);
    append("{\"events\":[{\"timestamp\":\"1969-12-31T23:59:59.999Z\"},"
           "{\"timestamp\":\"1970-01-01T00:00:00.500Z\"}]}");
    got = count_steps(open);
    ck_assert(got.any);
    ck_assert_int_eq(got.since, -1);
    ck_assert_int_eq(got.until, 500);
    ck_assert_int_eq(got.step, STEP_SECOND);
    ck_assert_uint_eq(got.count, 2);
    ck_assert_int_eq(got.steps[0].at, -1000);
    ck_assert_int_eq(got.facts.events, 2);
    store_steps_clear(&got);
    ask.since = 1000; /* behind the newest */
    got = count_steps(ask);
    ck_assert_int_eq(got.since, 1000);
    ck_assert_int_eq(got.until, 1000);
    ck_assert_int_eq(got.total, 0);
    store_steps_clear(&got);
    ask = open;
    ask.until = -500;
    got = count_steps(ask);
    ck_assert_int_eq(got.since, -500);
    ck_assert_int_eq(got.total, 0);
    store_steps_clear(&got);
}
END_TEST

/* One clock that ran wild must not make the answer to everything a refusal. */
START_TEST(days_that_nobody_asked_for_are_only_too_many_when_they_have_events)
{
    struct store_steps_ask open = {.since = INT64_MIN, .until = INT64_MAX};
    append("{\"events\":[{\"timestamp\":\"0000-01-01\"},{\"timestamp\":\"9999-12-31\"}]}");
    struct store_steps got = count_steps(open);
    ck_assert(!got.too_many);
    ck_assert_int_eq(got.step, STEP_DAY);
    ck_assert_int_eq(got.total, 2);
    store_steps_clear(&got);
    open.named = true;
    open.step = STEP_DAY;
    got = count_steps(open);
    ck_assert(got.too_many);
    store_steps_clear(&got);
}
END_TEST

static void append_days(int64_t first, int count)
{
    struct bytes text;
    bytes_init(&text);
    ck_assert_int_eq(bytes_append_text(&text, "{\"events\":["), 0);
    for (int i = 0; i < count; i++) {
        char stamp[TIMESTAMP_SIZE];
        timestamp_format(stamp, (first + i) * step_ms[STEP_DAY]);
        ck_assert_int_eq(
            bytes_append_format(&text, "%s{\"timestamp\":\"%s\"}", i > 0 ? "," : "", stamp), 0);
    }
    ck_assert_int_eq(bytes_append(&text, "]}", 3), 0);
    append(text.data);
    bytes_clear(&text);
}

START_TEST(as_many_steps_as_fit_are_told_and_one_more_is_refused)
{
    struct store_steps_ask ask = {.since = INT64_MIN, .until = INT64_MAX};
    append_days(0, STORE_STEPS_MOST);
    for (int named = 0; named < 2; named++) {
        ask.named = named == 1;
        ask.step = STEP_DAY;
        struct store_steps got = count_steps(ask);
        ck_assert(!got.too_many);
        ck_assert_uint_eq(got.count, STORE_STEPS_MOST);
        ck_assert_int_eq(got.total, STORE_STEPS_MOST);
        store_steps_clear(&got);
    }
    append_days(STORE_STEPS_MOST, 1);
    for (int named = 0; named < 2; named++) {
        ask.named = named == 1;
        struct store_steps got = count_steps(ask);
        ck_assert(got.too_many);
        store_steps_clear(&got);
    }
}
END_TEST

struct shown {
    struct bytes text;
    int failing; /* the call that fails; 0: none does */
};

static int shown_reason(void *arg, const char *reason, size_t len, int64_t rejects)
{
    struct shown *shown = arg;
    return bytes_append_format(&shown->text, "%.*s=%d ", (int)len, reason, (int)rejects) != 0 ||
           --shown->failing == 0;
}

static int shown_reject(void *arg, const struct store_reject *reject, int64_t bytes)
{
    struct shown *shown = arg;
    ck_assert_int_eq(reject->received, STORE_RUN_RECEIVED);
    return bytes_append_format(&shown->text, "%d:%.*s/%d ", (int)reject->n, (int)reject->len,
                               reject->text, (int)bytes) != 0 ||
           --shown->failing == 0;
}

static void check_shown(struct store_rejects_ask ask, const char *expected, bool more)
{
    struct shown shown = {.failing = 0};
    struct error err = {""};
    struct store_rejects_show show = {shown_reason, shown_reject, &shown, 0, false};
    bytes_init(&shown.text);
    ck_assert_int_eq(store_show_rejects(reader, &ask, &show, &err), STORE_OK);
    ck_assert_int_eq(bytes_append(&shown.text, "", 1), 0);
    ck_assert_str_eq(shown.text.data, expected);
    ck_assert_int_eq(show.more, more);
    ck_assert_int_eq(show.total, 4);
    bytes_clear(&shown.text);
}

START_TEST(rejects_are_shown_newest_first_and_only_as_far_as_wanted)
{
    append("{\"events\":[1,\"four\",{\"timestamp\":\"never and never\"},2]}");
    check_shown((struct store_rejects_ask){INT64_MAX, 10, 6, 10},
                "not an object=3 unreadable timestamp=1 4:2/1 3:{\"time/31 2:\"four\"/6 1:1/1 ",
                false);
    check_shown((struct store_rejects_ask){INT64_MAX, 2, 1, 1}, "not an object=3 4:2/1 3:{/31 ",
                true);
    check_shown((struct store_rejects_ask){3, 2, 0, 0}, "2:/6 1:/1 ", false);
    check_shown((struct store_rejects_ask){3, 1, 3, 0}, "2:\"fo/6 ", true);
    check_shown((struct store_rejects_ask){1, 10, 10, 0}, "", false);
    check_shown((struct store_rejects_ask){INT64_MAX, 0, 10, 0}, "", true);
}
END_TEST

START_TEST(who_can_not_take_what_is_shown_ends_it)
{
    const struct store_rejects_ask ask = {INT64_MAX, 10, 6, 10};
    append("{\"events\":[1,{\"timestamp\":\"never and never\"}]}");
    for (int failing = 1; failing <= 4; failing++) {
        struct shown shown = {.failing = failing};
        struct error err = {""};
        struct store_rejects_show show = {shown_reason, shown_reject, &shown, 0, false};
        bytes_init(&shown.text);
        ck_assert_int_eq(store_show_rejects(reader, &ask, &show, &err), STORE_BUSY);
        ck_assert_str_eq(err.text, "out of memory");
        ck_assert_int_eq(shown.failing, 0);
        bytes_clear(&shown.text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steps");
    TCase *tests = tcase_create("steps");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, steps_of_any_window_are_what_a_plain_count_gives);
    tcase_add_test(tests, an_open_window_reaches_from_the_oldest_to_the_newest);
    tcase_add_test(tests, days_that_nobody_asked_for_are_only_too_many_when_they_have_events);
    tcase_add_test(tests, as_many_steps_as_fit_are_told_and_one_more_is_refused);
    tcase_add_test(tests, rejects_are_shown_newest_first_and_only_as_far_as_wanted);
    tcase_add_test(tests, who_can_not_take_what_is_shown_ends_it);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
