/*
 * dice.h: random numbers that are the same in every run, so that a failure can be seen again.
 * BEACOND_SEED in the environment chooses another run.
 */
#ifndef BEACOND_TESTS_DICE_H
#define BEACOND_TESTS_DICE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct dice {
    uint64_t state; /* never 0 */
};

static inline struct dice dice_new(void)
{
    const char *seed = getenv("BEACOND_SEED");
    uint64_t number = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    return (struct dice){number * UINT64_C(0x9e3779b97f4a7c15) | 1};
}

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t x = dice->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    dice->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 … below - 1 */
static inline size_t dice_roll(struct dice *dice, size_t below)
{
    return (size_t)(dice_next(dice) >> 33) % below;
}

#endif
