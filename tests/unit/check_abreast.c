/* Readers who wait until the writer has followed a shared store. */

#include "engine/abreast.h"

#include <pthread.h>
#include <semaphore.h>

#include "unit.h"

#define LONG_MS 120000 /* a test that waits longer has failed */

static struct abreast *abreast;
static sem_t asked; /* once each time the writer is asked */

static void wake(void *arg)
{
    (void)arg;
    sem_post(&asked);
}

static int times_asked(void)
{
    int times;
    sem_getvalue(&asked, &times);
    return times;
}

static void wait_until_asked(void)
{
    while (sem_wait(&asked) != 0)
        ;
}

static void tell(int64_t last_seq, int64_t erasures, bool fine)
{
    const struct store_state state = {
        .last_seq = last_seq, .erasures = erasures, .epoch = (uint64_t)last_seq};
    abreast_tell(abreast, &state, fine);
}

static void setup(void)
{
    const struct store_state state = {.last_seq = 10, .erasures = 3, .epoch = 5};
    sem_init(&asked, 0, 0);
    abreast = abreast_new(&state);
    ck_assert_ptr_nonnull(abreast);
    abreast_on_ask(abreast, wake, NULL);
}

static void teardown(void)
{
    abreast_free(abreast);
    sem_destroy(&asked);
}

static bool come(int64_t last_seq, int64_t erasures, int64_t most_ms)
{
    const struct store_moment moment = {.last_seq = last_seq, .erasures = erasures};
    return abreast_come(abreast, &moment, most_ms);
}

struct reader {
    pthread_t thread;
    int64_t last_seq, erasures;
    bool came;
};

static void *reader_main(void *arg)
{
    struct reader *reader = arg;
    reader->came = come(reader->last_seq, reader->erasures, LONG_MS);
    return NULL;
}

static void reader_begin(struct reader *reader, int64_t last_seq, int64_t erasures)
{
    *reader = (struct reader){.last_seq = last_seq, .erasures = erasures};
    ck_assert_int_eq(pthread_create(&reader->thread, NULL, reader_main, reader), 0);
}

static bool reader_end(struct reader *reader)
{
    pthread_join(reader->thread, NULL);
    return reader->came;
}

START_TEST(abreast_asks_nobody_for_what_is_known)
{
    ck_assert(come(10, 3, LONG_MS));
    ck_assert(come(9, 2, LONG_MS));
    ck_assert_int_eq(times_asked(), 0);
}
END_TEST

START_TEST(abreast_waits_until_commits_and_erasures_are_known)
{
    struct reader reader;
    reader_begin(&reader, 20, 4);
    wait_until_asked();
    abreast_begin(abreast);
    tell(20, 3, true);
    wait_until_asked(); /* again, for that was not all */
    abreast_begin(abreast);
    tell(19, 4, true);
    wait_until_asked();
    abreast_begin(abreast);
    tell(20, 4, true);
    ck_assert(reader_end(&reader));
    ck_assert_int_eq(times_asked(), 0);
    ck_assert_uint_eq(abreast_epoch(abreast), 20);
}
END_TEST

START_TEST(abreast_asks_once_for_all_who_wait)
{
    struct reader readers[3];
    for (size_t i = 0; i < 3; i++)
        reader_begin(&readers[i], 20, 3);
    wait_until_asked();
    ck_assert(!come(20, 3, 0)); /* one more, which does not wait */
    ck_assert_int_eq(times_asked(), 0);
    tell(20, 3, true);
    for (size_t i = 0; i < 3; i++)
        ck_assert(reader_end(&readers[i]));
    ck_assert_int_eq(times_asked(), 0);
}
END_TEST

START_TEST(abreast_gives_up_when_the_time_is_over)
{
    ck_assert(!come(11, 3, 1));
    ck_assert(!come(10, 4, 1));
}
END_TEST

START_TEST(abreast_waits_for_nobody_who_can_not_follow)
{
    struct reader reader;
    tell(10, 3, false);
    ck_assert(!come(11, 3, LONG_MS));
    ck_assert(come(10, 3, LONG_MS));
    ck_assert_int_eq(times_asked(), 0);
    tell(10, 3, true);
    reader_begin(&reader, 11, 3);
    wait_until_asked();
    tell(10, 3, false);
    ck_assert(!reader_end(&reader));
}
END_TEST

START_TEST(abreast_waits_no_longer_than_there_is_a_writer)
{
    struct reader reader;
    reader_begin(&reader, 11, 3);
    wait_until_asked();
    abreast_on_ask(abreast, NULL, NULL);
    ck_assert(!reader_end(&reader));
    ck_assert(!come(11, 3, LONG_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("abreast");
    TCase *tcase = tcase_create("abreast");
    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, abreast_asks_nobody_for_what_is_known);
    tcase_add_test(tcase, abreast_waits_until_commits_and_erasures_are_known);
    tcase_add_test(tcase, abreast_asks_once_for_all_who_wait);
    tcase_add_test(tcase, abreast_gives_up_when_the_time_is_over);
    tcase_add_test(tcase, abreast_waits_for_nobody_who_can_not_follow);
    tcase_add_test(tcase, abreast_waits_no_longer_than_there_is_a_writer);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
