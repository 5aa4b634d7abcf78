/*
 * reading.h: one answer to a window, produced chunk by chunk on the reader threads.
 *
 * The document is the one of CONTRACT.md 4: {"events":[…],"total":…,"page":…,"limit":…} with a
 * nextCursor when events remain, optionally as a gzip stream. Each chunk is one short turn on a
 * reader thread; between two chunks nothing is held open, so a reader that dawdles costs memory for
 * what it has not taken and nothing else. Total and newest seq are read together at the start and
 * bound all chunks.
 *
 * A reading belongs to the thread that opens reply_to. At most one chunk is asked for at a time.
 */
#ifndef BEACOND_ENGINE_READING_H
#define BEACOND_ENGINE_READING_H

#include "base/bytes.h"
#include "contract/range.h"
#include "engine/engine.h"

/* Plain bytes after which a chunk ends (one event may reach over it). */
#define READING_CHUNK_BYTES (128 << 10)

struct reading;

enum reading_state {
    READING_MORE,   /* a chunk, and there is another */
    READING_LAST,   /* the last chunk */
    READING_FAILED, /* no chunk: the store failed or memory ran out; the answer can't go on */
};

/* A chunk has come. bytes is the callee's to steal. reading_next or reading_free may be called. */
typedef void reading_fn(void *arg, enum reading_state state, struct bytes *chunk);

/* Begins: the first chunk is asked for. NULL when out of memory. */
struct reading *reading_new(struct engine *engine, const struct range *range, bool gzip,
                            struct mailbox *reply_to, reading_fn *fn, void *arg) MUST_CHECK;

/* Asks for the next chunk, after READING_MORE and not before the last asked for has come. */
void reading_next(struct reading *reading);

/* Ends it at any time; fn is not called again. NULL is fine. */
void reading_free(struct reading *reading);

#endif
