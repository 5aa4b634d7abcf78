/*
 * random.h: bytes nobody can guess, from the kernel. Any thread.
 */
#ifndef BEACOND_BASE_RANDOM_H
#define BEACOND_BASE_RANDOM_H

#include <stddef.h>

/* Fills len bytes. Ends the process when the kernel has no randomness to give, which only happens
 * at start-up on a broken system: nothing after it would be safe. */
void random_fill(void *out, size_t len);

#endif
