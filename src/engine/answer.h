/*
 * answer.h: builds the document of one reading, a chunk at a time. No threads of its own.
 */
#ifndef BEACOND_ENGINE_ANSWER_H
#define BEACOND_ENGINE_ANSWER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "cache/gzip.h"
#include "contract/etag.h"
#include "contract/range.h"
#include "engine/reading.h"
#include "store/store.h"

struct answer {
    struct range range;          /* what was asked */
    const unsigned char *secret; /* signs the cursor, and the tag */
    uint64_t epoch;              /* of the tag */
    struct reading_form form;
    bool begun;               /* the first chunk has been built */
    bool done;                /* the last one has */
    bool same;                /* the tag is one that the client has: there are no chunks */
    bool more;                /* an event lies behind the limit */
    int64_t total;            /* of the window */
    int64_t max_seq;          /* bounds every chunk; set by the first */
    int64_t sent;             /* events so far */
    struct range_place place; /* of the last of them */
    struct gzip_sum sum;      /* of the plain text so far */
    char tag[ETAG_SIZE];      /* set with the first chunk */
};

/* The texts of form must outlive the answer. */
void answer_init(struct answer *answer, const struct range *range, const struct reading_form *form,
                 const unsigned char *secret, uint64_t epoch);

/* Builds the next chunk of about max_bytes plain bytes into out (emptied first), using plain and
 * pieces of the calling thread for work. 0, or -1 with err when the store failed or memory ran out:
 * the answer is spoilt then. */
int answer_next(struct answer *answer, struct store_reader *reader, struct gzip_pieces *pieces,
                struct bytes *plain, size_t max_bytes, struct bytes *out,
                struct error *err) MUST_CHECK;

#endif
