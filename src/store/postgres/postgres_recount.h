/*
 * postgres_recount.h: the tally is made anew where somebody has changed events by hand. Triggers
 * notice that (sql/postgresql/0001-schema.sql), set meta.doubt and log it as an erasure of
 * anything, which every node follows; whichever comes first counts. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_RECOUNT_H
#define BEACOND_STORE_POSTGRES_RECOUNT_H

#include "store/store.h"

struct postgres_store;

/* What is known of the tally. */
enum postgres_tally {
    POSTGRES_TALLY_FINE,
    POSTGRES_TALLY_SUSPECT, /* meta.doubt may be set */
    POSTGRES_TALLY_WRONG,   /* it is to be made anew in any case */
};

/* Somebody may have changed something by hand. */
void postgres_suspect(struct postgres_store *store);

/* Makes it anew if need be, in a transaction of its own; none is open. STORE_OK or STORE_BUSY. */
int postgres_recount(struct postgres_store *store, struct error *err) MUST_CHECK;

/* See store.h. */
bool postgres_changed(struct store *base);
void postgres_doubted(struct store *base);

#endif
