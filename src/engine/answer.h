/*
 * answer.h: the document of one reading, a chunk at a time, from the cache and the database.
 *
 * A chunk is made in two steps. answer_fetch finds the next events: one chunk after the other, by
 * one thread at a time. packing.h makes bytes of them; that takes longer, and several chunks of one
 * answer may be at it at once. No threads of its own.
 *
 * What the answer is made from is told by its first chunk: total, max_seq and erasures of one
 * moment, from the cache alone where it holds the whole window, or the first events of all there
 * are, whose number it knows; else from the database. Later ones take from the cache whatever it
 * holds of that moment, and from the database what it does not.
 *
 * Where other nodes write to the store, the database is asked for its newest moment first, and the
 * cache is used once it has come as far: it does within some milliseconds, or is passed by.
 */
#ifndef BEACOND_ENGINE_ANSWER_H
#define BEACOND_ENGINE_ANSWER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "cache/cut.h"
#include "contract/etag.h"
#include "contract/range.h"
#include "engine/abreast.h"
#include "engine/leases.h"
#include "engine/reading.h"
#include "store/store.h"

/* What all answers of an engine share. */
struct answer_source {
    struct ring *ring;           /* NULL without a cache */
    const unsigned char *secret; /* signs cursors and tags */
    uint64_t epoch;              /* of the tags, unless the store is shared */
    struct abreast *abreast;     /* of a shared store, else NULL */
    struct leases *leases;       /* of what goes out in one piece */
};

struct answer {
    struct answer_source *source;
    struct range range; /* what was asked */
    struct reading_form form;
    bool begun;               /* the first chunk has been fetched */
    bool done;                /* the last one has */
    bool same;                /* the tag is one that the client has: there is nothing to send */
    bool more;                /* an event lies behind the limit */
    bool from_cache;          /* events came from the cache */
    bool from_store;          /* the store was asked for something */
    int64_t total;            /* of the window; set with the first chunk, as the next three */
    int64_t max_seq;          /* bounds every chunk */
    int64_t erasures;         /* of the database at that moment */
    char tag[ETAG_SIZE];      /* of the answer */
    int64_t sent;             /* events so far */
    struct range_place place; /* go on strictly behind it */
};

/* The events of one chunk: text, then what is cut from the cache. Made by answer_fetch; one of the
 * two may be empty. answer_chunk_clear it. */
struct answer_chunk {
    bool first, last;  /* of the answer; both may be */
    struct bytes text; /* head, events from the database, commas */
    struct cut cut;
    bool whole;    /* it is the answer in one piece, and there is a lease on it, */
    size_t leased; /* of so many bytes */
};

/* The texts of form must outlive the answer. */
void answer_init(struct answer *answer, struct answer_source *source, const struct range *range,
                 const struct reading_form *form);

/* Finds the events of the next chunk: of about max_bytes plain bytes, but what is in segments and
 * can be sent as it is may be more. chunk is overwritten. 0, or -1 with err when the store failed
 * or memory ran out: the answer is spoilt then. Clear the chunk in any case. */
int answer_fetch(struct answer *answer, struct store_reader *reader, size_t max_bytes,
                 struct answer_chunk *chunk, struct error *err) MUST_CHECK;

/* Finds all events of a small plain answer, if the cache knows everything about it, without a
 * store, which a shared one can't be: 0, and the chunk is the only one. Else -1, and the answer is
 * to be begun anew. */
int answer_fetch_at_once(struct answer *answer, struct answer_chunk *chunk) MUST_CHECK;

void answer_chunk_clear(struct answer_chunk *chunk, struct answer_source *source);

#endif
