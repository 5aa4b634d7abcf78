/*
 * postgres_upkeep.h: what the database need not remember any more: old rows of the logs of commits
 * and erasures, and receipts. One node at a time does it, in small steps. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_UPKEEP_H
#define BEACOND_STORE_POSTGRES_POSTGRES_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct postgres_store;

struct postgres_upkeep {
    int64_t receipts_bytes; /* bound for all receipts, 0: none */
    int64_t receipts_new;   /* bytes of those that were added since the last step */
    int64_t due_ms;         /* the next step, by the monotonic clock; 0: at once */
};

/* Does a step when it is due, or many receipts have come, outside of a transaction. Returns whether
 * there is more to do at once. What fails is tried again later. */
bool postgres_upkeep(struct postgres_store *store);

#endif
