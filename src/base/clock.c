#include "base/clock.h"

#include <time.h>

static int64_t clock_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now); /* can't fail for these two clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void clock_sleep_us(int64_t us)
{
    const struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    if (us > 0)
        (void)nanosleep(&time, NULL);
}
