#include "server/buckets.h"

#include <pthread.h>
#include <string.h>

#include "dice.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The n-th of many clients. */
static struct address client_of(unsigned n)
{
    struct address client = {ADDRESS_IPV4, {0}};
    client.bytes[0] = (unsigned char)(n >> 24);
    client.bytes[1] = (unsigned char)(n >> 16);
    client.bytes[2] = (unsigned char)(n >> 8);
    client.bytes[3] = (unsigned char)n;
    return client;
}

static struct buckets *buckets_for(int64_t events, int64_t bytes)
{
    struct buckets *buckets = buckets_new(events, bytes);
    ck_assert_ptr_nonnull(buckets);
    return buckets;
}

/* ---- one client ---- */

/* Against 10 events and 1,000 bytes a second: at that time, after that charge, a client must wait
 * so long. A name begins the story of another client. */
static const struct {
    const char *story;
    int64_t at_ms, events, bytes;
    int wait;
} steps[] = {
    {"a new client may send", 0, 0, 0, 0},
    {"ten seconds' worth at once", 0, 99, 0, 0},
    {NULL, 0, 1, 0, 1},
    {"of bytes too", 0, 0, 9999, 0},
    {NULL, 0, 0, 1, 1},
    {"filling again", 0, 100, 0, 1},
    {NULL, 1, 0, 0, 0}, /* anything above nothing will do */
    {NULL, 101, 2, 0, 1},
    {NULL, 201, 0, 0, 0},
    {"a debt is waited for", 0, 1100, 0, 101},
    {NULL, 50000, 0, 0, 51},
    {NULL, 100000, 0, 0, 1},
    {NULL, 100001, 0, 0, 0},
    {"of bytes too", 0, 0, 5010000, 5001},
    {NULL, 5000001, 0, 0, 0},
    {"the longer wait counts", 0, 200, 20000, 11},
    {NULL, 0, 0, 10000, 21},
    {NULL, 0, 200, 0, 31},
    {NULL, 20500, 0, 0, 10},
    {"never fuller than full", 0, 50, 0, 0},
    {NULL, 3600000, 99, 0, 0},
    {NULL, 3600000, 1, 0, 1},
    {"a day at most", 0, INT64_MAX, 0, 86400},
    {NULL, 0, 0, INT64_MAX, 86400},
    {"a clock that goes back takes nothing", 100000, 99, 0, 0},
    {NULL, 0, 0, 0, 0},
    {NULL, 99999, 1, 0, 1},
    {NULL, 100000, 0, 0, 1},
    {NULL, 100001, 0, 0, 0},
    {"and gives nothing", 100000, 150, 0, 6},
    {NULL, 0, 0, 0, 6},
    {NULL, 50000, 0, 0, 6},
    {NULL, 100000, 0, 0, 6},
    {NULL, 104000, 0, 0, 2},
};

START_TEST(what_is_charged_is_waited_for)
{
    struct buckets *buckets = buckets_for(10, 1000);
    const char *story = NULL;
    unsigned client = 0;
    for (size_t i = 0; i < COUNT(steps); i++) {
        story = steps[i].story != NULL ? steps[i].story : story;
        client += steps[i].story != NULL;
        buckets_charge(buckets, client_of(client), steps[i].at_ms, steps[i].events, steps[i].bytes);
        int wait = buckets_wait(buckets, client_of(client), steps[i].at_ms);
        ck_assert_msg(wait == steps[i].wait, "%s, step %zu: %d instead of %d", story, i, wait,
                      steps[i].wait);
    }
    buckets_free(buckets);
}
END_TEST

START_TEST(a_limit_of_zero_is_none)
{
    struct buckets *events = buckets_for(10, 0), *bytes = buckets_for(0, 1000);
    buckets_charge(events, client_of(1), 0, 0, INT64_MAX);
    ck_assert_int_eq(buckets_wait(events, client_of(1), 0), 0);
    buckets_charge(events, client_of(1), 0, 100, 0);
    ck_assert_int_eq(buckets_wait(events, client_of(1), 0), 1);
    buckets_charge(bytes, client_of(1), 0, INT64_MAX, 0);
    ck_assert_int_eq(buckets_wait(bytes, client_of(1), 0), 0);
    buckets_charge(bytes, client_of(1), 0, 0, 10000);
    ck_assert_int_eq(buckets_wait(bytes, client_of(1), 0), 1);
    buckets_free(events);
    buckets_free(bytes);
    buckets_free(NULL);
}
END_TEST

/* Who does as told is let in when the time is over, and not long before. */
START_TEST(the_wait_told_is_the_wait_it_takes)
{
    static const int64_t rates[] = {1, 3, 10, 777, 1000000};
    struct dice dice = dice_new();
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct buckets *buckets = buckets_for(rates[i], 0);
        for (unsigned n = 0; n < unit_rounds(2000); n++) {
            int64_t now = (int64_t)dice_roll(&dice, 1000000);
            int64_t spent = (int64_t)dice_roll(&dice, (size_t)rates[i] * 1000) + rates[i] * 10;
            buckets_charge(buckets, client_of(n), now, spent, 0);
            int wait = buckets_wait(buckets, client_of(n), now);
            ck_assert_int_ge(wait, 1);
            ck_assert_int_gt(buckets_wait(buckets, client_of(n), now + (wait - 1) * 1000 - 1), 0);
            ck_assert_int_eq(buckets_wait(buckets, client_of(n), now + wait * 1000), 0);
        }
        buckets_free(buckets);
    }
}
END_TEST

/* Whatever the sizes of its batches, a client that sends whenever it may gets its rate. */
START_TEST(on_average_the_rate_holds)
{
    static const struct {
        size_t most;     /* events of a batch */
        int64_t step_ms; /* between two tries */
    } habits[] = {{1, 1}, {25, 10}, {25, 3000}, {5000, 100}, {100000, 1000}};
    const int64_t rate = 100, seconds = unit_rounds(10000);
    struct dice dice = dice_new();
    for (size_t i = 0; i < COUNT(habits); i++) {
        struct buckets *buckets = buckets_for(rate, 0);
        int64_t sent = 0, last = 0;
        for (int64_t now = 0; now < seconds * 1000; now += habits[i].step_ms) {
            if (buckets_wait(buckets, client_of(1), now) > 0)
                continue;
            last = 1 + (int64_t)dice_roll(&dice, habits[i].most);
            sent += last;
            buckets_charge(buckets, client_of(1), now, last, 0);
        }
        int64_t fair = rate * (seconds + BUCKETS_SECONDS);
        ck_assert_msg(sent <= fair + (int64_t)habits[i].most, "habit %zu: %lld sent", i,
                      (long long)sent);
        /* And is not kept from it, if it asks for so much. */
        int64_t wanted = (int64_t)(habits[i].most + 1) / 2 * (seconds * 1000 / habits[i].step_ms);
        if (wanted > 2 * fair)
            ck_assert_msg(sent >= rate * seconds * 9 / 10, "habit %zu: %lld sent", i,
                          (long long)sent);
        buckets_free(buckets);
    }
}
END_TEST

/* ---- several clients ---- */

static const struct {
    const char *one, *other;
    bool same;
} pairs[] = {
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"2001:db8::1", "2001:db8::ffff:2", true},
    {"2001:db8::1", "2001:db8:0:1::1", false},
    {"::", "0.0.0.0", false},
};

START_TEST(each_client_has_a_bucket_of_its_own)
{
    struct buckets *buckets = buckets_for(10, 1000);
    struct address one, other;
    ck_assert_int_eq(address_parse(&one, pairs[_i].one, strlen(pairs[_i].one)), 0);
    ck_assert_int_eq(address_parse(&other, pairs[_i].other, strlen(pairs[_i].other)), 0);
    buckets_charge(buckets, one, 0, 500, 0);
    ck_assert_int_eq(buckets_wait(buckets, one, 0), 41);
    ck_assert_int_eq(buckets_wait(buckets, other, 0), pairs[_i].same ? 41 : 0);
    buckets_free(buckets);
}
END_TEST

START_TEST(all_who_come_by_the_unix_socket_are_one)
{
    struct buckets *buckets = buckets_for(10, 1000);
    struct address local = {ADDRESS_UNIX, {0}};
    buckets_charge(buckets, local, 0, 100, 0);
    ck_assert_int_eq(buckets_wait(buckets, local, 0), 1);
    ck_assert_int_eq(buckets_wait(buckets, client_of(0), 0), 0);
    buckets_free(buckets);
}
END_TEST

START_TEST(many_clients_are_kept_apart)
{
    struct buckets *buckets = buckets_for(10, 0);
    for (unsigned n = 0; n < BUCKETS_MOST; n++)
        buckets_charge(buckets, client_of(n), 0, 90 + n % 30, 0);
    for (unsigned n = 0; n < BUCKETS_MOST; n++)
        ck_assert_int_eq(buckets_wait(buckets, client_of(n), 0),
                         n % 30 < 10 ? 0 : (int)(n % 30 - 10) / 10 + 1);
    buckets_free(buckets);
}
END_TEST

/* The bound is seen by what is forgotten. */
START_TEST(of_too_many_the_one_unused_longest_is_forgotten)
{
    struct buckets *buckets = buckets_for(10, 0);
    buckets_charge(buckets, client_of(0), 0, 1000, 0);
    buckets_charge(buckets, client_of(1), 0, 1000, 0);
    for (unsigned n = 2; n < BUCKETS_MOST; n++)
        ck_assert_int_eq(buckets_wait(buckets, client_of(n), 0), 0);
    /* All have room: looked at, 0 is the youngest now. */
    ck_assert_int_eq(buckets_wait(buckets, client_of(0), 0), 91);
    ck_assert_int_eq(buckets_wait(buckets, client_of(BUCKETS_MOST), 0), 0);
    ck_assert_int_eq(buckets_wait(buckets, client_of(0), 0), 91);
    ck_assert_int_eq(buckets_wait(buckets, client_of(1), 0), 0);
    /* Each who comes pushes one out, always. */
    for (unsigned n = 0; n < 2 * BUCKETS_MOST; n++)
        buckets_charge(buckets, client_of(0x80000000 + n), 0, 1000, 0);
    for (unsigned n = BUCKETS_MOST; n < 2 * BUCKETS_MOST; n++)
        ck_assert_int_eq(buckets_wait(buckets, client_of(0x80000000 + n), 0), 91);
    for (unsigned n = 0; n < BUCKETS_MOST; n += 999)
        ck_assert_int_eq(buckets_wait(buckets, client_of(0x80000000 + n), 0), 0);
    buckets_free(buckets);
}
END_TEST

#define THREADS 4

static unsigned charges(void)
{
    return unit_slow() ? 2000 : 20000;
}

static void *charge_often(void *arg)
{
    for (unsigned n = 0; n < charges(); n++) {
        buckets_charge(arg, client_of(n % 7), 0, 1, 10);
        (void)buckets_wait(arg, client_of(n % 7), 0);
    }
    return NULL;
}

START_TEST(loops_share_them_without_losing_a_charge)
{
    struct buckets *buckets = buckets_for(1, 0);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, charge_often, buckets), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned n = 0; n < 7; n++)
        ck_assert_int_eq(buckets_wait(buckets, client_of(n), 0),
                         (charges() / 7 + (n < charges() % 7)) * THREADS - BUCKETS_SECONDS + 1);
    buckets_free(buckets);
}
END_TEST

START_TEST(other_rates_begin_with_full_buckets_and_the_same_ones_change_nothing)
{
    struct buckets *buckets = buckets_for(0, 1000);
    buckets_charge(buckets, client_of(1), 0, 1000000, 20001);
    buckets_rates(buckets, 0, 1000);
    ck_assert_int_eq(buckets_wait(buckets, client_of(1), 0), 11);
    /* A million events were let by while they were not limited: they don't count now. */
    buckets_rates(buckets, 10, 0);
    ck_assert_int_eq(buckets_wait(buckets, client_of(1), 0), 0);
    buckets_charge(buckets, client_of(1), 0, 110, 1000000);
    ck_assert_int_eq(buckets_wait(buckets, client_of(1), 0), 2);
    buckets_rates(buckets, 0, 0);
    ck_assert_int_eq(buckets_wait(buckets, client_of(1), 0), 0);
    buckets_free(buckets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buckets");
    TCase *one = tcase_create("one");
    TCase *several = tcase_create("several");

    tcase_add_test(one, what_is_charged_is_waited_for);
    tcase_add_test(one, a_limit_of_zero_is_none);
    tcase_add_test(one, the_wait_told_is_the_wait_it_takes);
    tcase_add_test(one, on_average_the_rate_holds);
    tcase_add_test(one, other_rates_begin_with_full_buckets_and_the_same_ones_change_nothing);
    tcase_add_loop_test(several, each_client_has_a_bucket_of_its_own, 0, COUNT(pairs));
    tcase_add_test(several, all_who_come_by_the_unix_socket_are_one);
    tcase_add_test(several, many_clients_are_kept_apart);
    tcase_add_test(several, of_too_many_the_one_unused_longest_is_forgotten);
    tcase_add_test(several, loops_share_them_without_losing_a_charge);
    suite_add_tcase(suite, one);
    suite_add_tcase(suite, several);
    return unit_main(suite);
}
