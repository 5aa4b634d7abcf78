/*
 * internal.h: what the engine is made of, for the engine's own files.
 */
#ifndef BEACOND_ENGINE_INTERNAL_H
#define BEACOND_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "engine/readers.h"
#include "engine/writer.h"

struct engine {
    struct store *store;
    struct readers *readers;
    struct writer *writer;
};

#endif
