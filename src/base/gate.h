/*
 * gate.h: lets any number of threads through, until one has them all stay out for a moment.
 *
 * It is no lock for writing: whoever closes it does not wait for ever, and who is inside may take
 * as long as it likes; then the gate is open again and nothing has come of it. So nobody can be
 * deadlocked by it, whatever the threads inside wait for.
 *
 * Who waits outside goes on when it opens, all of them at once.
 */
#ifndef BEACOND_BASE_GATE_H
#define BEACOND_BASE_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct gate {
    pthread_mutex_t mutex; /* guards all but closed, which is only changed with it */
    pthread_cond_t empty;  /* on the monotonic clock */
    pthread_cond_t opened;
    unsigned inside;
    atomic_bool closed;
};

void gate_init(struct gate *gate);
void gate_clear(struct gate *gate); /* nobody is inside, or waits */

/* In, waiting while it is closed, and out. What is done between them should be short; gate_wanted
 * tells when somebody waits for it to end. A gate that is NULL is always open. Any thread. */
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
bool gate_wanted(const struct gate *gate);

/* Closes it and waits, for so many milliseconds, until nobody is inside. True: nobody is, until
 * gate_open. False: somebody still was, and it is open. One thread at a time, which is not inside.
 */
bool gate_close(struct gate *gate, int64_t wait_ms) MUST_CHECK;
void gate_open(struct gate *gate);

#endif
