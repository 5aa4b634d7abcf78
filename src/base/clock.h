/*
 * clock.h: the two clocks. Any thread.
 */
#ifndef BEACOND_BASE_CLOCK_H
#define BEACOND_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* milliseconds since 1970 in UTC; may jump either way */
int64_t clock_mono_ms(void); /* milliseconds since some point; never goes back. For deadlines */
int64_t clock_mono_us(void); /* the same in microseconds, for how long something took */

/* Sleeps for so long, or until a signal comes; not at all when us is 0 or less. */
void clock_sleep_us(int64_t us);

#endif
