/*
 * clock.c: a wall clock that is set forward and back.
 *
 * FAULTY_CLOCK names a file of 8 bytes, which is mapped: milliseconds, in this machine's byte
 * order, that are added to the wall clock. Whoever writes there sets the clock. What calls
 * clock_gettime from beacond's own objects sees it (base/clock.c, base/condition.c); libevent and
 * SQLite, which are shared libraries, do not: libevent's timers are on the monotonic clock, and
 * none of our statements asks SQLite for the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "faulty.h"

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static _Atomic int64_t *clock_ahead_ms;

__attribute__((constructor)) static void clock_begin(void)
{
    const char *path = faulty_setting("CLOCK");
    if (path == NULL)
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped =
        file < 0 ? MAP_FAILED : mmap(NULL, sizeof *clock_ahead_ms, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "FAULTY_CLOCK %s: %s\n", path, strerror(errno));
        abort();
    }
    close(file);
    clock_ahead_ms = mapped;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int code = __real_clock_gettime(clock, now);
    if (code != 0 || clock != CLOCK_REALTIME || clock_ahead_ms == NULL)
        return code;
    int64_t ahead_ms = atomic_load(clock_ahead_ms);
    int64_t ms = ahead_ms % 1000;
    now->tv_sec += (time_t)(ahead_ms / 1000);
    now->tv_nsec += (long)ms * 1000000;
    if (now->tv_nsec >= 1000000000) {
        now->tv_nsec -= 1000000000;
        now->tv_sec++;
    } else if (now->tv_nsec < 0) {
        now->tv_nsec += 1000000000;
        now->tv_sec--;
    }
    return code;
}
