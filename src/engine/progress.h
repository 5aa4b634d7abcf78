/*
 * progress.h: how what takes long tells how far it is, and learns that it is to stop.
 */
#ifndef BEACOND_ENGINE_PROGRESS_H
#define BEACOND_ENGINE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
    /* what: what is being done, a word or two; done of total, 0 when that is unknown. On the thread
     * that does the work, often. Non-zero: stop, leaving everything whole. NULL: nobody listens. */
    int (*step)(void *arg, const char *what, int64_t done, int64_t total);
    void *arg;
};

static inline int progress_step(const struct progress *progress, const char *what, int64_t done,
                                int64_t total)
{
    if (progress == NULL || progress->step == NULL)
        return 0;
    return progress->step(progress->arg, what, done, total);
}

#endif
