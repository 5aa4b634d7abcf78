/*
 * keeper.h: keeps the cache filled and compressed, on a thread of its own.
 *
 * It keeps the ring's edges where they belong (filler.h) and seals what has settled or is read. It
 * gives way to all other threads: while every processor is busy the ring holds plain text, within
 * its bounds.
 */
#ifndef BEACOND_ENGINE_KEEPER_H
#define BEACOND_ENGINE_KEEPER_H

#include "cache/ring.h"
#include "engine/engine.h"

struct keeper;
struct writer;

/* With an empty ring for a store that has just been opened. NULL when out of memory. */
struct keeper *keeper_new(const struct store *store,
                          const struct engine_options *options) MUST_CHECK;
void keeper_free(struct keeper *keeper); /* and the ring. NULL is fine */

struct ring *keeper_ring(struct keeper *keeper);

/* A store_status. */
int keeper_start(struct keeper *keeper, struct store *store, struct writer *writer,
                 struct error *err) MUST_CHECK;
void keeper_stop(struct keeper *keeper); /* before writer_stop. NULL is fine, one not started too */

#endif
