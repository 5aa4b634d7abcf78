/*
 * take.h: everything of one database is taken over into another, as it is: `beacond migrate`.
 *
 * The source is a file, read by a store_reader, whether a daemon has it open or not. The target is
 * a database that others may write to once it is finished: until then no node opens it. It must be
 * empty, or have been begun from the same source, which is told by its secret. Events keep their
 * numbers, so that cursors which the source gave out go on to be good, and rejects theirs.
 *
 * What is taken is committed in portions, each together with how far the whole is (struct
 * store_take_mark), so that a run that was cut short is gone on with by the next one. Of two at
 * a time the one that began first fails at its next commit.
 *
 * One thread; all calls block.
 */
#ifndef BEACOND_STORE_TAKE_H
#define BEACOND_STORE_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"
#include "store/store.h"

/* What a source is known by. */
struct store_origin {
    unsigned char secret[SIPHASH_KEY_BYTES];
    int64_t last_reject; /* the highest number that one ever had */
};

/* STORE_OK, STORE_BUSY, or STORE_UNFIT: this database is no source. */
int store_origin(struct store_reader *reader, struct store_origin *out,
                 struct error *err) MUST_CHECK;

/* How far a target is. */
struct store_take_mark {
    int64_t seq;      /* all events up to this number are there */
    int64_t compared; /* up to this one both were found equal, */
    int64_t erasures; /* when the source counted so many erasures (struct store_survey) */
};

struct store_taker;

/* Opens the target: makes its tables where there are none. STORE_OK and *out, STORE_UNFIT (it can't
 * be taken over into: err says why) or STORE_BUSY. */
int store_take_open(const char *database, const struct store_origin *origin,
                    struct store_taker **out, struct error *err) MUST_CHECK;
void store_take_close(struct store_taker *taker); /* NULL is fine */

/* What the newest commit has made it. */
void store_take_look(const struct store_taker *taker, struct store_take_mark *out);

/* Begins a transaction. STORE_OK or STORE_BUSY. store_take_end or store_take_drop in any case. */
int store_take_begin(struct store_taker *taker, struct error *err) MUST_CHECK;
void store_take_drop(struct store_taker *taker);

/* Erases, before what is put: the events of one day, given by its first millisecond; all rejects;
 * all receipts. In a transaction. STORE_OK or STORE_BUSY. */
int store_take_erase_day(struct store_taker *taker, int64_t at_ms, struct error *err) MUST_CHECK;
int store_take_erase_rejects(struct store_taker *taker, struct error *err) MUST_CHECK;
int store_take_erase_receipts(struct store_taker *taker, struct error *err) MUST_CHECK;

/* Puts one row; those of one kind, then store_take_flush before the next kind. Nothing is sent, so
 * a page's callback may do it. 0, 1 when it is time for store_take_flush, or -1 when out of memory.
 */
int store_take_event(struct store_taker *taker, const struct store_row *row) MUST_CHECK;
int store_take_reject(struct store_taker *taker, const struct store_reject *reject) MUST_CHECK;
int store_take_receipts(struct store_taker *taker, int64_t at_ms, const void *data,
                        size_t len) MUST_CHECK;

/* Sends what was put. STORE_OK, STORE_BUSY, or STORE_REFUSED: there is a row that can't be stored,
 * and err tells which. */
int store_take_flush(struct store_taker *taker, struct error *err) MUST_CHECK;

/* Flushes and commits. STORE_OK; STORE_UNFIT: somebody else has gone on with it meanwhile; or as
 * store_take_flush. */
int store_take_end(struct store_taker *taker, const struct store_take_mark *mark,
                   struct error *err) MUST_CHECK;

/* What one day holds of a stretch. */
struct store_take_sum {
    int64_t at_ms;
    int64_t events;
    uint64_t
        sum; /* of the hashes of its rows, modulo 2^64: of ts, seq, received, given, id, text */
};

/* The hash of a row of the source. 0 when out of memory: then both will not be equal. */
uint64_t store_take_hash(struct store_taker *taker, const struct store_row *row);

/* Which events: after_seq < seq <= upto_seq, of [since_ms, until_ms]. */
struct store_take_stretch {
    int64_t after_seq, upto_seq;
    int64_t since_ms, until_ms;
};

/* Has the target sum up a stretch: asked first, then heard, and between the two the caller has time
 * to do the same with the source. Not in a transaction. Each day comes once, in any order. STORE_OK
 * or STORE_BUSY; after an ask that was STORE_OK hear, or close. */
typedef int store_take_sum_fn(void *arg,
                              const struct store_take_sum *sum); /* non-zero: no memory */
int store_take_ask_sums(struct store_taker *taker, const struct store_take_stretch *stretch,
                        struct error *err) MUST_CHECK;
int store_take_hear_sums(struct store_taker *taker, store_take_sum_fn *fn, void *arg,
                         struct error *err) MUST_CHECK;

/* The source is at rest, and all of it is there: nodes may open the target from here on. max_seq:
 * the newest number in use in the source, or ever used. STORE_OK, STORE_UNFIT as store_take_end, or
 * STORE_BUSY. */
int store_take_finish(struct store_taker *taker, int64_t max_seq, struct error *err) MUST_CHECK;

#endif
