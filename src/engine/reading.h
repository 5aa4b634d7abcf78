/*
 * reading.h: one answer to a window, produced chunk by chunk on the reader threads; a small plain
 * one that needs nothing but memory at once, on the thread that asks.
 *
 * The document is the one of CONTRACT.md 4: {"events":[…],"total":…,"page":…,"limit":…} with a
 * nextCursor when events remain, in one of several forms. Each chunk is one short turn on a
 * reader thread, from the cache or the database (answer.h); between two chunks nothing is held
 * open, so a reader that dawdles costs memory for what it has not taken and nothing else.
 * READING_AHEAD chunks are made ahead of what was asked for, at once where there are processors.
 * Total and newest seq are of one moment at the start and bound all chunks.
 *
 * What the cache holds in deflated form goes out as it is, by reference: one chunk can then be a
 * whole answer of many megabytes. How much is on its way like that is bounded, by cache_bytes for
 * all readings together.
 *
 * A reading belongs to the thread that opens reply_to. At most one chunk is asked for at a time.
 */
#ifndef BEACOND_ENGINE_READING_H
#define BEACOND_ENGINE_READING_H

#include "contract/range.h"
#include "engine/engine.h"
#include "engine/rope.h"

/* Plain bytes after which a chunk ends (one event may reach over it). */
#define READING_CHUNK_BYTES (128 << 10)
#define READING_AHEAD 2

struct reading;

enum reading_state {
    READING_MORE,   /* a chunk, and there is another */
    READING_LAST,   /* the last chunk */
    READING_SAME,   /* no chunk and none to come: the answer still has the tag of known */
    READING_FAILED, /* no chunk: the store failed or memory ran out; the answer can't go on */
};

/* A chunk has come, which the callee may take with rope_move. reading_next or reading_free may be
 * called. */
typedef void reading_fn(void *arg, enum reading_state state, struct rope *chunk);

enum reading_coding {
    READING_PLAIN,
    READING_GZIP,    /* a gzip stream */
    READING_DEFLATE, /* a message of permessage-deflate: raw deflate, the last four bytes of the
                      * final flush taken off (RFC 7692, 7.2.1) */
};

/* What the document is wrapped in; head and tail are part of what is compressed. */
struct reading_form {
    enum reading_coding coding;
    const char *head; /* in front of the document; not terminated */
    size_t head_len;
    const char *tail;  /* behind it; NULL for nothing */
    const char *known; /* an If-None-Match header, see contract/etag.h; NULL for none */
};

/* Begins: the first chunk is asked for. form and its texts are copied. NULL when out of memory. */
struct reading *reading_new(struct engine *engine, const struct range *range,
                            const struct reading_form *form, struct mailbox *reply_to,
                            reading_fn *fn, void *arg) MUST_CHECK;

/* Asks for the next chunk, after READING_MORE and not before the last asked for has come. */
void reading_next(struct reading *reading);

/* The newest seq of the snapshot that the answer is made from, 0 when the store was empty: once the
 * first chunk has come. Where a cursor goes on, that of the snapshot its chain began with. */
int64_t reading_max_seq(const struct reading *reading);

/* The answer's tag, once the first chunk has come. */
const char *reading_tag(const struct reading *reading);

/* What the answer was made from, once its last chunk has come, or that there is none. */
enum reading_source {
    READING_FROM_CACHE, /* memory alone; a shared store was asked for its newest moment */
    READING_FROM_BOTH,  /* some of its events, at least, from memory */
    READING_FROM_STORE,
    READING_SOURCES,
};
enum reading_source reading_source(const struct reading *reading);

/* Ends it at any time; fn is not called again. NULL is fine. */
void reading_free(struct reading *reading);

#endif
