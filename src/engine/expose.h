/*
 * expose.h: the engine's metrics.
 */
#ifndef BEACOND_ENGINE_EXPOSE_H
#define BEACOND_ENGINE_EXPOSE_H

#include "contract/exposition.h"
#include "engine/engine.h"

/* Appends them. Any thread: takes the mutexes of the writer's queue and of the cache for a moment,
 * and asks the system how large the files are. */
void engine_expose(struct engine *engine, struct exposition *exposition);

/* When commits began to fail, by the wall clock; 0 while they work. Any thread. */
int64_t engine_failing_since_ms(const struct engine *engine);

#endif
