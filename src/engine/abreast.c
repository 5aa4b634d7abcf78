#include "engine/abreast.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/condition.h"

struct abreast {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t told;   /* on the monotonic clock */
    struct store_state state;
    bool fine;
    bool asked; /* the writer has been, and has not begun */
    void (*wake)(void *arg);
    void *wake_arg;
};

struct abreast *abreast_new(const struct store_state *state)
{
    struct abreast *abreast = calloc(1, sizeof *abreast);
    if (abreast == NULL)
        return NULL;
    pthread_mutex_init(&abreast->mutex, NULL);
    condition_init(&abreast->told);
    abreast->state = *state;
    abreast->fine = true;
    return abreast;
}

void abreast_free(struct abreast *abreast)
{
    if (abreast == NULL)
        return;
    pthread_cond_destroy(&abreast->told);
    pthread_mutex_destroy(&abreast->mutex);
    free(abreast);
}

void abreast_on_ask(struct abreast *abreast, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&abreast->mutex);
    abreast->wake = wake;
    abreast->wake_arg = arg;
    pthread_cond_broadcast(&abreast->told);
    pthread_mutex_unlock(&abreast->mutex);
}

void abreast_begin(struct abreast *abreast)
{
    pthread_mutex_lock(&abreast->mutex);
    abreast->asked = false;
    pthread_mutex_unlock(&abreast->mutex);
}

void abreast_tell(struct abreast *abreast, const struct store_state *state, bool fine)
{
    pthread_mutex_lock(&abreast->mutex);
    abreast->state = *state;
    abreast->fine = fine;
    pthread_cond_broadcast(&abreast->told);
    pthread_mutex_unlock(&abreast->mutex);
}

/* Called locked. */
static bool abreast_has(const struct abreast *abreast, const struct store_moment *moment)
{
    return abreast->state.last_seq >= moment->last_seq &&
           abreast->state.erasures >= moment->erasures;
}

/* Once for all who wait. Called locked: the writer takes this mutex with none of its own held. */
static void abreast_ask(struct abreast *abreast)
{
    if (abreast->asked)
        return;
    abreast->asked = true;
    abreast->wake(abreast->wake_arg);
}

bool abreast_come(struct abreast *abreast, const struct store_moment *moment, int64_t most_ms)
{
    struct timespec until = condition_deadline(most_ms);
    bool time = true;
    pthread_mutex_lock(&abreast->mutex);
    while (!abreast_has(abreast, moment) && abreast->fine && abreast->wake != NULL && time) {
        abreast_ask(abreast);
        time = condition_wait(&abreast->told, &abreast->mutex, &until);
    }
    bool has = abreast_has(abreast, moment);
    pthread_mutex_unlock(&abreast->mutex);
    return has;
}

uint64_t abreast_epoch(struct abreast *abreast)
{
    pthread_mutex_lock(&abreast->mutex);
    uint64_t epoch = abreast->state.epoch;
    pthread_mutex_unlock(&abreast->mutex);
    return epoch;
}
