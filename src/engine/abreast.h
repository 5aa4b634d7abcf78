/*
 * abreast.h: how far the writer has followed a shared store, and readers who wait for that.
 *
 * A reader learns the newest moment from the database; where the cache is behind it, it asks the
 * writer to follow, and waits a little. The writer tells what it has followed, once the cache knows
 * it. Any thread.
 */
#ifndef BEACOND_ENGINE_ABREAST_H
#define BEACOND_ENGINE_ABREAST_H

#include <stdbool.h>
#include <stdint.h>

#include "store/shared.h"
#include "store/store.h"

struct abreast;

/* NULL when out of memory. */
struct abreast *abreast_new(const struct store_state *state) MUST_CHECK;
void abreast_free(struct abreast *abreast); /* NULL is fine */

/* Whom to ask to follow; NULL ends that. wake must be quick. */
void abreast_on_ask(struct abreast *abreast, void (*wake)(void *arg), void *arg);

/* The writer begins to follow: who asks from now on asks anew. */
void abreast_begin(struct abreast *abreast);

/* So far it has come; fine: it goes on. Else nobody waits until it does again. */
void abreast_tell(struct abreast *abreast, const struct store_state *state, bool fine);

/* Waits until the cache knows that moment, at most so long. Whether it does. */
bool abreast_come(struct abreast *abreast, const struct store_moment *moment, int64_t most_ms);

/* store_state's, of what was told last. */
uint64_t abreast_epoch(struct abreast *abreast);

#endif
