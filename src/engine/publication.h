/*
 * publication.h: how publications (follow.h) are made of committed events. For follow.c alone.
 */
#ifndef BEACOND_ENGINE_PUBLICATION_H
#define BEACOND_ENGINE_PUBLICATION_H

#include "engine/follow.h"
#include "engine/readers.h"
#include "store/store.h"

/* Text after which a publication ends (one event may reach over it): what a slow receiver can be
 * given at once, and what one turn of a reader thread deflates. */
#define PUBLICATION_TEXT_BYTES (256 << 10)

/* A publication and its place in the queue. */
struct parcel {
    struct publication publication; /* first: one is found from the other */
    struct parcel *next;
};

/* Where among committed items the next event is looked for. */
struct publication_place {
    const struct store_item *items;
    size_t count;
    int64_t low, high; /* those with a seq from low to high are looked for */
    size_t item, event;
};

/* Measures the next publication without moving on: how many events (0: there are none left) and
 * the bytes of their text. */
size_t publication_measure(struct publication_place place, size_t *bytes);

/* Makes it, with one reference: the next events, whose text is that long. NULL when out of memory.
 */
struct parcel *publication_build(struct publication_place *place, size_t events,
                                 size_t bytes) MUST_CHECK;

/* Fills in the deflated text, before the publication is handed out. Without memory, or without
 * gain, there is none: the plain one is always right. */
void publication_deflate(struct publication *publication, struct readers_desk *desk);

#endif
