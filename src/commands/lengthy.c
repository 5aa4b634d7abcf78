#include "commands/lengthy.h"

#include <sys/resource.h>
#include <time.h>

#include "base/condition.h"
#include "commands/notify.h"

/* How often is looked, and how much time is asked for each time: what is not granted again ends
 * soon, and one fsync that takes long is no hang. */
#define LENGTHY_LOOK_MS 5000
#define LENGTHY_MORE_MS 60000

/* What the process has done so far, this thread apart: ns of processor time and blocks written. */
struct lengthy_work {
    int64_t ns;
    long blocks;
};

static int64_t lengthy_ns(clockid_t clock)
{
    struct timespec at = {0, 0};
    (void)clock_gettime(clock, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static struct lengthy_work lengthy_look(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    return (struct lengthy_work){
        .ns = lengthy_ns(CLOCK_PROCESS_CPUTIME_ID) - lengthy_ns(CLOCK_THREAD_CPUTIME_ID),
        .blocks = usage.ru_oublock,
    };
}

/* Other threads that merely wake up and sleep again cost microseconds. */
static bool lengthy_moved(struct lengthy_work before, struct lengthy_work now)
{
    return now.blocks != before.blocks || now.ns - before.ns > 5000000;
}

static void *lengthy_main(void *arg)
{
    struct lengthy *lengthy = arg;
    int64_t watchdog_ms = notify_watchdog_ms();
    int64_t look_ms = watchdog_ms > 0 && watchdog_ms / 4 < LENGTHY_LOOK_MS ? watchdog_ms / 4 + 1
                                                                           : LENGTHY_LOOK_MS;
    struct lengthy_work before = lengthy_look();
    struct timespec until = condition_deadline(look_ms);
    pthread_mutex_lock(&lengthy->mutex);
    while (!lengthy->over) {
        if (condition_wait(&lengthy->end, &lengthy->mutex, &until))
            continue;
        pthread_mutex_unlock(&lengthy->mutex);
        struct lengthy_work now = lengthy_look();
        if (lengthy_moved(before, now)) {
            notify_extend(LENGTHY_MORE_MS);
            if (watchdog_ms > 0)
                notify_alive();
        }
        before = now;
        until = condition_deadline(look_ms);
        pthread_mutex_lock(&lengthy->mutex);
    }
    pthread_mutex_unlock(&lengthy->mutex);
    return NULL;
}

void lengthy_begin(struct lengthy *lengthy, const char *status)
{
    lengthy->runs = false;
    if (!notify_wanted())
        return;
    notify_status(status);
    notify_extend(LENGTHY_MORE_MS);
    if (notify_watchdog_ms() > 0)
        notify_alive();
    lengthy->over = false;
    pthread_mutex_init(&lengthy->mutex, NULL);
    condition_init(&lengthy->end);
    /* Without it only the time is as it is configured. */
    lengthy->runs = pthread_create(&lengthy->thread, NULL, lengthy_main, lengthy) == 0;
    if (lengthy->runs)
        return;
    pthread_cond_destroy(&lengthy->end);
    pthread_mutex_destroy(&lengthy->mutex);
}

void lengthy_end(struct lengthy *lengthy)
{
    if (!lengthy->runs)
        return;
    pthread_mutex_lock(&lengthy->mutex);
    lengthy->over = true;
    pthread_cond_signal(&lengthy->end);
    pthread_mutex_unlock(&lengthy->mutex);
    pthread_join(lengthy->thread, NULL);
    pthread_cond_destroy(&lengthy->end);
    pthread_mutex_destroy(&lengthy->mutex);
    lengthy->runs = false;
}
