/*
 * chores.h: what a person asks for beside ingest and reads. Each call blocks until it is done; any
 * thread but the engine's own. What changes the database is done on the writer's thread, between
 * two commits.
 */
#ifndef BEACOND_ENGINE_CHORES_H
#define BEACOND_ENGINE_CHORES_H

#include "engine/engine.h"

/* Makes the tally anew from the events. The cache begins anew as well. *total: the events there
 * are. STORE_OK or STORE_BUSY. */
int engine_recount(struct engine *engine, int64_t *total, struct error *err) MUST_CHECK;

#endif
