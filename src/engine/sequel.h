/*
 * sequel.h: what was committed behind a number, a page at a time, in the order of commits.
 *
 * Each page is one short turn on a reader thread and one statement of the database: whoever goes on
 * behind the last number of a page misses nothing and gets nothing twice, however long it waited.
 * follow.h tells when it is worth to ask again.
 *
 * A sequel belongs to the thread that opens reply_to. At most one page is asked for at a time.
 */
#ifndef BEACOND_ENGINE_SEQUEL_H
#define BEACOND_ENGINE_SEQUEL_H

#include "base/bytes.h"
#include "engine/engine.h"

#define SEQUEL_PAGE_BYTES (64 << 10) /* a page ends behind the event that reaches it */

struct sequel;

struct sequel_page {
    bool failed;       /* the store failed, or memory ran out; the rest says nothing */
    bool more;         /* there may be others behind it at once */
    int64_t last;      /* the number to go on behind */
    struct bytes text; /* of the page, "" when there is nothing new */
};

/* How an event is written into a page; on a reader thread. 0, or -1 when out of memory. */
typedef int sequel_put_fn(struct bytes *out, int64_t seq, const char *text, size_t len);

/* A page has come; its text may be taken by copying the struct and bytes_init. sequel_ask or
 * sequel_free may be called. */
typedef void sequel_fn(void *arg, struct sequel_page *page);

/* NULL when out of memory. */
struct sequel *sequel_new(struct engine *engine, sequel_put_fn *put, struct mailbox *reply_to,
                          sequel_fn *fn, void *arg) MUST_CHECK;

/* Asks for what stands behind a number. */
void sequel_ask(struct sequel *sequel, int64_t after);

/* Asks for the number of the newest event there is now, or for after when that is lower: a page
 * without text. */
void sequel_ask_place(struct sequel *sequel, int64_t after);

/* Ends it at any time; fn is not called again. NULL is fine. */
void sequel_free(struct sequel *sequel);

#endif
