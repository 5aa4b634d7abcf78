/*
 * inflow_parts.h: the inside of a body of lines, for inflow.c and inflow_body.c alone.
 */
#ifndef BEACOND_SERVER_INFLOW_PARTS_H
#define BEACOND_SERVER_INFLOW_PARTS_H

#include <event2/bufferevent.h>

#include "base/bytes.h"
#include "contract/gunzip.h"
#include "server/exchange.h"
#include "server/inflow.h"

/* So much is taken from the guard at once. */
#define INFLOW_READ ((size_t)64 << 10)
/* Bursts (contract/marks.h) of one body whose answer may yet prove lost. */
#define INFLOW_RECEIPTS 64

struct inflow {
    struct exchange *exchange;
    bufferevent_data_cb read_cb, write_cb; /* evhttp's, */
    bufferevent_event_cb event_cb;
    void *cb_arg; /* while ours are in their place */

    struct gunzip *gunzip; /* NULL: plain */
    struct bytes wire;     /* compressed: [wire_at, len) is still to be inflated */
    size_t wire_at;
    struct bytes plain; /* [plain_at, len) is still to be put into text */
    size_t plain_at;
    struct bytes text; /* the piece */
    size_t line; /* bytes of its last line, which has not ended, that came; not all are kept */
    bool full;   /* the piece is complete */
    bool poured; /* the whole body has been taken from the guard, */
    bool ended;  /* and put into text */
    bool begun;  /* a piece has been handed over */
    bool busy;   /* one is in the engine's hands */
    bool bad;    /* nothing more of the body is looked at: it can't be followed, or never comes */

    int status; /* the answer, when it is an error: the rest of the body is dropped */
    const char *why;
    int retry_after;
    uint64_t dropped;

    size_t saved, rejected, duplicate;
    uint64_t receipts[INFLOW_RECEIPTS];
    size_t receipt_count;
    int64_t piece_ms;   /* when the piece began to come in */
    int64_t crowded_ms; /* since when all together receive too much; 0: they do not */
};

/* From here on the rest of the body is dropped, to be answered with that. */
void inflow_fail(struct inflow *inflow, int status, const char *why);

/* Gets something plain, or the end of the body. 1; 0 when more must come first; -1: failed. */
int inflow_fill(struct inflow *inflow) MUST_CHECK;

/* Puts what is plain into the piece, until it is complete. 0, or -1 when out of memory. */
int inflow_cut(struct inflow *inflow) MUST_CHECK;

#endif
