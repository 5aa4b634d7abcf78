/*
 * stats_print.h: what `beacond stats` has found, and how it is shown: as text, or as one JSON
 * object that beacond(8) documents.
 */
#ifndef BEACOND_COMMANDS_STATS_PRINT_H
#define BEACOND_COMMANDS_STATS_PRINT_H

#include <stdbool.h>

#include "contract/census.h"
#include "store/facts.h"

struct stats_day {
    int64_t at_ms, events;
};

struct stats {
    const char *database;
    bool whole; /* the events were gone through: bytes and members are known */
    struct store_facts facts;
    bool failed;            /* out of memory */
    struct stats_day *days; /* oldest first */
    size_t day_count, day_room;
    int64_t walked, bytes; /* events gone through, and their texts */
    const char *names[CENSUS_MEMBERS];
    struct census members[CENSUS_MEMBERS];
};

/* A store_day_fn, arg: the stats. -1 when out of memory, which failed tells. */
int stats_add_day(void *arg, int64_t at_ms, int64_t events);
void stats_clear(struct stats *stats);

/* Both to standard output. */
void stats_print_text(const struct stats *stats);
int stats_print_json(const struct stats *stats) MUST_CHECK; /* -1: out of memory */

#endif
