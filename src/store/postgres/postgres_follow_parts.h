/*
 * postgres_follow_parts.h: the inside of following, for postgres_follow.c and postgres_fetch.c.
 */
#ifndef BEACOND_STORE_POSTGRES_POSTGRES_FOLLOW_PARTS_H
#define BEACOND_STORE_POSTGRES_POSTGRES_FOLLOW_PARTS_H

#include "store/postgres/postgres_store_parts.h"

/* A commit as the log has it. */
struct postgres_commit {
    int64_t first_seq, last_seq;
    int64_t instance, at;
    int64_t events;
    int64_t min_ts, max_ts;
};

/* Hands out the commit's events, those that have not been, and the end of it, in as many portions
 * as that takes; news is filled in but for what they have. STORE_OK, or STORE_BUSY: place.part_seq
 * tells how far it has come. */
int postgres_fetch(struct postgres_store *store, const struct postgres_commit *commit,
                   const struct store_follow_ask *ask, struct store_news *news,
                   struct error *err) MUST_CHECK;

#endif
