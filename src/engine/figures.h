/*
 * figures.h: how many events a window holds, step by step, and what the daemon holds beside:
 * <prefix>/stats.
 *
 * The steps come from the tally, in one short transaction, whatever the window holds. Which values
 * of appId, type and level are the most frequent is counted over the newest events of the window as
 * far as the cache has them, so that the database is not gone through for it.
 */
#ifndef BEACOND_ENGINE_FIGURES_H
#define BEACOND_ENGINE_FIGURES_H

#include "engine/inquiry.h"
#include "store/facts.h"

#define FIGURES_VALUES_MOST 100 /* shown of a member */
/* Values are counted in so many events at most, and in so many bytes of their texts. */
#define FIGURES_EVENTS 50000
#define FIGURES_BYTES (INT64_C(64) << 20)

struct figures_ask {
    struct store_steps_ask steps;
    int64_t values; /* so many of each member; 0: none are counted */
};

/* Reads an URL's query string (may be NULL): since, until, step, values. 0, or -1 with err naming
 * the parameter. */
int figures_read(struct figures_ask *ask, const char *query, struct error *err) MUST_CHECK;

/* What the document tells that only the asker knows. */
struct figures_host {
    bool draining;
    const char *version; /* must outlive the inquiry */
    int64_t up_s;
};

/* Asks (inquiry.h). NULL when out of memory. */
struct inquiry *figures_new(struct engine *engine, const struct figures_ask *ask,
                            const struct figures_host *host, struct mailbox *reply_to,
                            inquiry_fn *fn, void *arg) MUST_CHECK;

#endif
