/*
 * readers.h: the reader threads and the turns they take. See reading.h for the use.
 */
#ifndef BEACOND_ENGINE_READERS_H
#define BEACOND_ENGINE_READERS_H

#include "base/bytes.h"
#include "base/error.h"
#include "cache/gzip.h"
#include "store/store.h"

/* What a reader thread lends to a turn. */
struct readers_desk {
    struct store_reader *reader;
    struct gzip_pieces *pieces;
    struct bytes plain, scratch; /* to be used as each turn likes */
};

/* One turn. Embedded in what takes it; in one queue at a time. run must not block for anyone. */
struct turn {
    struct turn *next;
    void (*run)(struct turn *turn, struct readers_desk *desk); /* on a reader thread */
};

struct readers;

/* Opens count readers of the store and starts a thread for each. A store_status. */
int readers_start(struct readers **out, struct store *store, unsigned count,
                  struct error *err) MUST_CHECK;
/* Takes the turns that wait, ends the threads, closes the readers. NULL is fine. */
void readers_stop(struct readers *readers);

/* Queues a turn, first come first served: nobody's long answer holds up another's. Any thread. */
void readers_take(struct readers *readers, struct turn *turn);

#endif
