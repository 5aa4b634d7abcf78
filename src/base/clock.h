/*
 * clock.h: the two clocks. Any thread.
 */
#ifndef BEACOND_BASE_CLOCK_H
#define BEACOND_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* milliseconds since 1970 in UTC; may jump either way */
int64_t clock_mono_ms(void); /* milliseconds since some point; never goes back. For deadlines */

#endif
