/*
 * internal.h: what the engine is made of, for the engine's own files.
 */
#ifndef BEACOND_ENGINE_INTERNAL_H
#define BEACOND_ENGINE_INTERNAL_H

#include <pthread.h>

#include "engine/answer.h"
#include "engine/engine.h"
#include "engine/readers.h"
#include "engine/writer.h"

struct engine {
    struct store *store;
    struct keeper *keeper; /* NULL without a cache */
    struct answer_source answers;
    struct readers *readers;
    struct follow *follow;
    struct writer *writer;
    struct retention *retention; /* NULL when nothing is erased by itself, ever (by_hand) */
    pthread_mutex_t settings;    /* guards options, which engine_reload changes */
    struct engine_options options;
    pthread_mutex_t forgetting; /* one engine_forget at a time */
};

/* The options as they are now. */
struct engine_options engine_settings(struct engine *engine);

/* What is behind follow.h. NULL when out of memory. */
struct follow *follow_new(struct readers *readers) MUST_CHECK;

/* Ends all followers. The writer and the readers have stopped. NULL is fine. */
void follow_close(struct follow *follow);

/* These items are committed: hands out those of their events that have a seq. The writer's thread,
 * commit by commit; never blocks but for memory to be copied. */
void follow_publish(struct follow *follow, const struct store_item *items, size_t count);

/* The same for those with a seq from low to high, of a commit of several. */
void follow_publish_part(struct follow *follow, const struct store_item *items, size_t count,
                         int64_t low, int64_t high);

/* Whether anyone follows: if not, what is committed by now need not be handed out. */
bool follow_wanted(struct follow *follow);

/* Something was committed of which nothing can be handed out: all who follow are told of a loss. */
void follow_lose(struct follow *follow);

#endif
