#include "base/gate.h"

#include "base/condition.h"

void gate_init(struct gate *gate)
{
    pthread_mutex_init(&gate->mutex, NULL);
    condition_init(&gate->empty);
    pthread_cond_init(&gate->opened, NULL);
    gate->inside = 0;
    atomic_init(&gate->closed, false);
}

void gate_clear(struct gate *gate)
{
    pthread_cond_destroy(&gate->opened);
    pthread_cond_destroy(&gate->empty);
    pthread_mutex_destroy(&gate->mutex);
}

void gate_enter(struct gate *gate)
{
    if (gate == NULL)
        return;
    pthread_mutex_lock(&gate->mutex);
    while (gate_wanted(gate))
        pthread_cond_wait(&gate->opened, &gate->mutex);
    gate->inside++;
    pthread_mutex_unlock(&gate->mutex);
}

void gate_leave(struct gate *gate)
{
    if (gate == NULL)
        return;
    pthread_mutex_lock(&gate->mutex);
    if (--gate->inside == 0 && gate_wanted(gate))
        pthread_cond_signal(&gate->empty);
    pthread_mutex_unlock(&gate->mutex);
}

bool gate_wanted(const struct gate *gate)
{
    return gate != NULL && atomic_load_explicit(&gate->closed, memory_order_relaxed);
}

/* Called locked. */
static void gate_let_in(struct gate *gate)
{
    atomic_store_explicit(&gate->closed, false, memory_order_relaxed);
    pthread_cond_broadcast(&gate->opened);
}

bool gate_close(struct gate *gate, int64_t wait_ms)
{
    struct timespec until = condition_deadline(wait_ms);
    bool time = true;
    pthread_mutex_lock(&gate->mutex);
    atomic_store_explicit(&gate->closed, true, memory_order_relaxed);
    while (gate->inside > 0 && time)
        time = condition_wait(&gate->empty, &gate->mutex, &until);
    bool left = gate->inside == 0;
    if (!left)
        gate_let_in(gate);
    pthread_mutex_unlock(&gate->mutex);
    return left;
}

void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate_let_in(gate);
    pthread_mutex_unlock(&gate->mutex);
}
