/*
 * shared.h: what a store is asked for besides when several processes, its nodes, write to it.
 *
 * Numbers are in the order of commits here, too: a moment (last_seq) tells what was there at once,
 * and nothing with a number up to it comes later, from whichever node. What is newer than the
 * newest moment may be committed already, and is left out of everything until its turn comes.
 *
 * Who appends does so in two steps: store_claim begins the transaction and locks the receipts that
 * the batches may be retries of, in the database, for all nodes; store_append goes on in it and
 * ends it. Behind that store_follow brings the store's state (store_look) forward and hands out
 * what has been committed since, by whomever. An append of one's own has been followed before it
 * may be answered: then whoever asks for a moment, on any node, gets one that holds it.
 *
 * The writing side's thread, but where another is named. All calls block.
 */
#ifndef BEACOND_STORE_SHARED_H
#define BEACOND_STORE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "contract/batch.h"
#include "contract/range.h"
#include "store/store.h"

/* Most batches of one append: each takes a lock in the database. */
#define STORE_SHARED_BATCHES 256

/* The first number for receipts that this node makes (engine/receipts.h): no other node, present,
 * past or future, has one from there on. Constant. */
uint64_t store_first_serial(const struct store *store);

/* A receipt that is stored. data (contract/receipt_rows.h: a row of one) is valid during the call.
 */
struct store_claimed {
    uint64_t serial;
    int64_t at_ms; /* wall clock */
    const void *data;
    size_t len;
    unsigned lost; /* answers that are known not to have arrived */
};
typedef int store_claim_fn(void *arg, const struct store_claimed *receipt);

/* Begins a transaction, waits until no other node holds one of these keys (the first marks of
 * batches, not 0 of them; in any order, also twice) and holds them until it ends, with store_append
 * or store_release. Hands out the receipts under them, oldest first; non-zero fails the call: out
 * of memory. STORE_OK, or STORE_BUSY: nothing is held. */
int store_claim(struct store *store, const uint64_t *keys, size_t count, store_claim_fn *fn,
                void *arg, struct error *err) MUST_CHECK;
void store_release(struct store *store);

/* The answers to batches with these receipts were lost. STORE_OK, or STORE_BUSY: to be asked for
 * again, the same and what has come since; what was counted and could not be told is not counted
 * twice. Receipts that are not there are passed over. */
int store_lose(struct store *store, const uint64_t *serials, size_t count,
               struct error *err) MUST_CHECK;

enum store_news_kind {
    STORE_NEWS_COMMIT, /* events were committed */
    STORE_NEWS_ERASED, /* events at places were erased */
    STORE_NEWS_RANGE,  /* all events in [low, high) were */
    STORE_NEWS_ALL,    /* anything may have been changed */
};

/* What has been committed. Its texts and arrays are valid during the call. */
struct store_news {
    enum store_news_kind kind;
    bool own; /* a commit whose events the caller has (held_seq): none are handed out */
    /* Of a commit: its events, in the order of seq, in one or more portions, last in the last one.
     * ts, seq and text are set. What has been erased meanwhile is not among them. */
    int64_t first_seq, last_seq; /* of the commit */
    const struct batch_event *events;
    size_t count;
    bool last;
    const struct range_place *places; /* STORE_NEWS_ERASED */
    size_t place_count;
    struct range_place low, high; /* STORE_NEWS_RANGE */
    bool gap;                     /* STORE_NEWS_ALL: commits may be among it, which are not told */
    struct store_state state;     /* behind it, when it has been told as a whole */
};
typedef void store_news_fn(void *arg, const struct store_news *news);

/* Whether events are wanted. Asked for each commit of others after it is known to be one: who wants
 * some from now on, and finds that it was asked before, finds the commit in any moment it gets. */
typedef bool store_wants_fn(void *arg);

struct store_follow_ask {
    int64_t held_seq;      /* own commits whose first_seq is not lower are own; INT64_MAX: none */
    store_wants_fn *wants; /* where it is false, commits come without events */
    store_news_fn *fn;
    void *arg;
};

/* Goes on to the newest moment: hands out what was committed up to there, by whomever, in the order
 * of numbers, each erasure behind the commits that it may be of. STORE_OK: store_look tells it.
 * STORE_BUSY: it tells what has been handed out so far, as a whole, and the rest comes with the
 * next call, which goes on in the midst of a commit if need be. Where the log does not reach back
 * to the last call, or the server has lost something of it, that is told as STORE_NEWS_ALL. */
int store_follow(struct store *store, const struct store_follow_ask *ask, int64_t *newest,
                 struct error *err) MUST_CHECK;

/* fn is called, on a thread of the store's own, when others may have committed something; it must
 * be quick and must not call the store. NULL ends that: it is not being called any more then. May
 * never happen: who waits looks now and then by itself. */
void store_on_news(struct store *store, void (*fn)(void *arg), void *arg);

struct store_moment {
    int64_t last_seq; /* the newest event's that belongs to it, or one erased since; 0: none */
    int64_t erasures;
};

/* The newest moment of all: what any node has answered for before this call is part of it. STORE_OK
 * or STORE_BUSY. The reader's thread. */
int store_moment(struct store_reader *reader, struct store_moment *out,
                 struct error *err) MUST_CHECK;

/* Has the server clean up one of the tables from which this store has erased something, and which
 * were not cleaned up since; *more: there was one, so there may be others. Its bytes are gone when
 * the server has used the room anew. STORE_OK or STORE_BUSY, also while a session may still see
 * what was there. Takes its time. Any thread. */
int store_vacuum(struct store *store, bool *more, struct error *err) MUST_CHECK;

/* What one call has dropped. */
struct store_dropped {
    int64_t events;
    struct range_place low, high; /* they were in [low, high) */
    bool more;                    /* there may be more to drop */
};

/* Drops the oldest day of events that lies before before_ms as a whole, in a stroke, where the
 * store keeps days apart; shared or not. Where older events stand together, some of those, or, when
 * none is left, their room, with no events and more. used_bytes: a day goes only while the database
 * uses more than that, free pages not counted, when no other node erases any more; 0: whatever it
 * uses. STORE_OK, with no events and no more where there is none to drop, or STORE_BUSY. */
int store_drop_days(struct store *store, int64_t before_ms, int64_t used_bytes,
                    struct store_dropped *out, struct error *err) MUST_CHECK;

#endif
