/* The gate: nobody is inside while it is closed, and all are served after. */

#include "base/gate.h"

#include <sched.h>

#include "unit.h"

#define THREADS 4
#define ROUNDS 200
#define LONG_MS 60000 /* which nobody waits */

static struct gate gate;
static atomic_uint inside; /* beside the gate's own count */
static atomic_uint done[THREADS];
static atomic_bool over, hold;

static void setup(void)
{
    gate_init(&gate);
    atomic_store(&inside, 0);
    atomic_store(&over, false);
    atomic_store(&hold, true);
    for (unsigned i = 0; i < THREADS; i++)
        atomic_store(&done[i], 0);
}

static void teardown(void)
{
    gate_clear(&gate);
}

/* In and out without a pause: several of them leave no moment in which nobody is inside. */
static void *go_round(void *arg)
{
    atomic_uint *mine = arg;
    while (!atomic_load(&over)) {
        gate_enter(&gate);
        atomic_fetch_add(&inside, 1);
        sched_yield();
        atomic_fetch_sub(&inside, 1);
        gate_leave(&gate);
        atomic_fetch_add(mine, 1);
    }
    return NULL;
}

START_TEST(gate_has_nobody_inside_while_closed_and_serves_all_after)
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, go_round, &done[i]), 0);
    for (unsigned round = 0; round < unit_rounds(ROUNDS); round++) {
        unsigned before[THREADS];
        ck_assert(gate_close(&gate, LONG_MS));
        for (unsigned i = 0; i < 20; i++) {
            ck_assert_uint_eq(atomic_load(&inside), 0);
            sched_yield();
        }
        /* One may have left and not have counted it yet. */
        for (unsigned i = 0; i < THREADS; i++)
            before[i] = atomic_load(&done[i]) + 1;
        gate_open(&gate);
        for (unsigned i = 0; i < THREADS; i++)
            while (atomic_load(&done[i]) <= before[i])
                sched_yield();
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static void *stay(void *arg)
{
    (void)arg;
    gate_enter(&gate);
    atomic_store(&inside, 1);
    while (atomic_load(&hold))
        sched_yield();
    atomic_store(&inside, 0);
    gate_leave(&gate);
    return NULL;
}

START_TEST(gate_is_given_up_on_who_stays)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stay, NULL), 0);
    while (atomic_load(&inside) == 0)
        sched_yield();
    ck_assert(!gate_wanted(&gate));
    ck_assert(!gate_close(&gate, 1));
    ck_assert(!gate_wanted(&gate)); /* open again: in without waiting */
    gate_enter(&gate);
    gate_leave(&gate);
    atomic_store(&hold, false);
    ck_assert(gate_close(&gate, LONG_MS));
    ck_assert_uint_eq(atomic_load(&inside), 0);
    ck_assert(gate_wanted(&gate));
    gate_open(&gate);
    pthread_join(thread, NULL);
}
END_TEST

/* Told that it is wanted, it makes way by itself. */
static void *make_way(void *arg)
{
    (void)arg;
    gate_enter(&gate);
    atomic_store(&inside, 1);
    while (!gate_wanted(&gate))
        sched_yield();
    atomic_store(&inside, 0);
    gate_leave(&gate);
    gate_enter(&gate); /* once it is open again */
    gate_leave(&gate);
    return NULL;
}

START_TEST(gate_is_wanted_by_who_closes_it)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_way, NULL), 0);
    while (atomic_load(&inside) == 0)
        sched_yield();
    ck_assert(gate_close(&gate, LONG_MS));
    ck_assert_uint_eq(atomic_load(&inside), 0);
    gate_open(&gate);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(gate_that_is_none_is_open)
{
    gate_enter(NULL);
    ck_assert(!gate_wanted(NULL));
    gate_leave(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tcase = tcase_create("gate");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, gate_has_nobody_inside_while_closed_and_serves_all_after);
    tcase_add_test(tcase, gate_is_given_up_on_who_stays);
    tcase_add_test(tcase, gate_is_wanted_by_who_closes_it);
    tcase_add_test(tcase, gate_that_is_none_is_open);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
