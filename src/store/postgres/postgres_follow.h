/*
 * postgres_follow.h: the writing side follows the log of commits and erasures, its own and other
 * nodes'. See store_follow. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_FOLLOW_H
#define BEACOND_STORE_POSTGRES_POSTGRES_FOLLOW_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/error.h"
#include "store/shared.h"

struct postgres_store;

/* Where in the log base.state stands. */
struct postgres_place {
    int64_t instance, at; /* of the commit base.state.last_seq; with it they name the commit */
    int64_t part_seq;     /* of the commit behind it: up to there it has been handed out; or 0 */
    uint64_t made;        /* pg.made of the session that was asked last */
    PGresult *ahead;      /* what stands behind it, which has been asked already; or NULL */
    uint64_t ahead_made;  /* by that session */
};

/* Begins at the newest moment: base.state is that. A status of store.h. */
int postgres_follow_begin(struct postgres_store *store, struct error *err) MUST_CHECK;

/* Asks for what will have to be followed in the round trip of a COMMIT: sends the question in its
 * pipeline, behind it; then takes the answer, behind that to the COMMIT. Where there is none the
 * next postgres_follow asks. */
int postgres_follow_send(struct postgres_store *store, struct error *err) MUST_CHECK;
void postgres_follow_hear(struct postgres_store *store);

/* Forgets what was asked ahead. */
void postgres_follow_drop(struct postgres_store *store);

/* store_follow */
int postgres_follow(struct store *base, const struct store_follow_ask *ask, int64_t *newest,
                    struct error *err) MUST_CHECK;

#endif
