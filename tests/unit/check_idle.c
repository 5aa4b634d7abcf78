/* An engine that has nothing to do, whose threads must sleep then and not look again and again. */

#include <time.h>

#include "base/clock.h"
#include "engine_run.h"

/* Of the whole process. */
static int64_t processor_us(void)
{
    struct timespec used;
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* There comes a second in which it takes no more than a look or two at the clock need. A machine
 * that is busy with other things may hide a thread that spins, but makes none up. */
START_TEST(engine_at_rest_leaves_the_processor_alone)
{
    struct order order;
    int64_t until = clock_mono_ms() + LONG_MS / 4, used;
    order_submit(&order, mailbox, batch_of(1, 100, "text"));
    order_wait(&order, mailbox);
    batch_free(order.submission.batch);
    do {
        ck_assert_msg(clock_mono_ms() < until, "it never rests");
        int64_t before = processor_us();
        (void)poll(NULL, 0, 1000); /* this is what is measured */
        used = processor_us() - before;
    } while (used > 2000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idle");
    TCase *tcase = tcase_create("idle");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, run_setup, run_teardown);
    tcase_add_test(tcase, engine_at_rest_leaves_the_processor_alone);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
