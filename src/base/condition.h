/*
 * condition.h: condition variables that are waited for no longer than so many milliseconds,
 * whatever happens to the wall clock meanwhile.
 */
#ifndef BEACOND_BASE_CONDITION_H
#define BEACOND_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* As pthread_cond_init, for condition_wait. */
void condition_init(pthread_cond_t *condition);

/* So many milliseconds from now. */
struct timespec condition_deadline(int64_t ms);

/* Waits, with the mutex locked, until signalled or the deadline is over. False: it is over. As any
 * such wait it may end for no reason. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                    const struct timespec *until);

#endif
