/*
 * tally.h: what one transaction adds to the tally, gathered per step. Pure.
 *
 * Events of a batch mostly share a second, so runs are counted as they come and sorted once.
 */
#ifndef BEACOND_STORE_TALLY_H
#define BEACOND_STORE_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/step.h"

struct tally_step {
    int64_t at;     /* first millisecond of the step */
    int64_t events; /* how many more lie in it */
};

struct tally {
    struct tally_step *steps;
    size_t count;
    size_t capacity;
};

void tally_init(struct tally *tally);
void tally_clear(struct tally *tally); /* frees */
void tally_reset(struct tally *tally); /* empties, keeps the memory */

/* Counts one event. 0, or -1 when out of memory. */
int tally_add(struct tally *tally, int64_t ts) MUST_CHECK;

/* Folds what was gathered into ascending, distinct steps of that size. Call with STEP_SECOND, then
 * STEP_MINUTE and so on, reading tally->steps in between; adding starts anew with tally_reset. */
void tally_fold(struct tally *tally, enum step step);

#endif
