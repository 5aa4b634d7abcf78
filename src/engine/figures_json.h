/*
 * figures_json.h: the document of figures.h. Pure.
 */
#ifndef BEACOND_ENGINE_FIGURES_JSON_H
#define BEACOND_ENGINE_FIGURES_JSON_H

#include "base/bytes.h"
#include "cache/ring.h"
#include "contract/census.h"
#include "store/facts.h"

struct figures_values {
    int64_t counted;                       /* events */
    int64_t since_ms;                      /* the oldest one's timestamp, when any was counted */
    size_t most;                           /* values of each member to show */
    struct census members[CENSUS_MEMBERS]; /* sorted */
};

struct figures_told {
    const char *state, *version;
    int64_t up_s;
    const struct store_steps *steps;
    const struct ring_survey *cache;     /* NULL without a cache */
    const struct figures_values *values; /* NULL when nobody asks for them */
};

/* Appends it. 0, or -1 when out of memory. */
int figures_json(struct bytes *out, const struct figures_told *told) MUST_CHECK;

#endif
