/*
 * receipts.h: which bodies have been stored, so that one sent again is not stored twice.
 *
 * A receipt is the marks of a body (contract/marks.h). A new body is looked up by its first mark;
 * where the shorter of the two is a prefix of the other, that overlap (the longest found) is known:
 * only what lies beyond it is to be stored. So A; A+B; A+B+C; and a late A after A+B each end
 * right.
 *
 * An overlap that is a burst (equal events in one millisecond) makes genuinely identical bodies.
 * There a repetition, with newer events behind it or not, counts as a retry only on evidence that
 * an earlier answer was lost: the connection broke (receipts_lost), or the daemon was restarted
 * since. Otherwise it is stored; so is a part of a burst that comes after the whole.
 *
 * Kept in bounded memory, oldest dropped first, and after RECEIPTS_MAX_AGE_MS. What is taken
 * belongs to the open transaction until receipts_commit or receipts_rollback; it is looked up from
 * the start, so two equal bodies of one group are told apart too. The writer's thread. No I/O: the
 * rows are the caller's to store.
 */
#ifndef BEACOND_ENGINE_RECEIPTS_H
#define BEACOND_ENGINE_RECEIPTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/marks.h"
#include "contract/receipt_rows.h"
#include "store/store.h"

#define RECEIPTS_MAX_AGE_MS (INT64_C(7) * 24 * 3600 * 1000)
/* Receipts that share their first mark; a client that made more would make each look-up slower. */
#define RECEIPTS_CHAIN 64

struct receipts;

/* max_bytes: memory for the receipts; a single one may pass it. NULL when out of memory. */
struct receipts *receipts_new(size_t max_bytes) MUST_CHECK;
void receipts_free(struct receipts *receipts); /* NULL is fine */

struct receipts_verdict {
    size_t known;    /* elements of the body, from its first, that are stored already */
    uint64_t serial; /* of the receipt that stands for the body, for receipts_lost; 0 when the body
                      * as a whole is no burst and needs no evidence */
};

/* Looks a body up and takes its receipt. lost: its client has gone already, the answer will not
 * arrive. 0, or -1 when out of memory: roll back then. */
int receipts_take(struct receipts *receipts, const struct marks *marks, bool lost, int64_t now_ms,
                  struct receipts_verdict *verdict) MUST_CHECK;

/* The receipts taken since the last commit or rollback as the row that is to be stored with their
 * bodies, in out, which is empty before and stays so when there are none. 0, or -1 when out of
 * memory. */
int receipts_row(const struct receipts *receipts, struct bytes *out) MUST_CHECK;

/* The number of that row; rows are numbered upwards. */
int64_t receipts_row_number(const struct receipts *receipts);

/* What was taken is stored. now_ms: by a clock that makes nothing old at once (base/wary.h). Drops
 * what is too old or too much. Returns the oldest row still needed: all before it may be deleted.
 */
int64_t receipts_commit(struct receipts *receipts, int64_t now_ms);

/* What was taken is not stored after all. */
void receipts_rollback(struct receipts *receipts);

/* The answer to the body with that receipt did not reach its client. An unknown serial is ignored.
 */
void receipts_lost(struct receipts *receipts, uint64_t serial);

/* At start: takes in a stored row, oldest first; when its answers went out is not known. A row that
 * can't be read is skipped. 0, or -1 when out of memory. */
int receipts_load(struct receipts *receipts, int64_t row, int64_t at_ms, const void *data,
                  size_t len) MUST_CHECK;

/* Drops what receipt_row_strip has found: what was sent is to be forgotten, and a retry of it is
 * not recognised any more. Between two transactions. */
void receipts_erase(struct receipts *receipts, const struct receipt_key *key);

/* --- of a shared store (store/shared.h) -------------------------------------------------------
 *
 * There the database keeps them for several nodes: nothing is loaded at start, and what a
 * transaction needs is put in when it has begun: reset, put, take, and the transaction's row and
 * losses are stored by it. The rest is not called.
 */

/* Forgets everything, the open transaction too. The receipts that are taken next have numbers from
 * serial on. */
void receipts_reset(struct receipts *receipts, uint64_t serial);

/* Puts one in that is stored, oldest first, before any is taken; data is a row of one. lost:
 * answers that are known not to have arrived. One that can't be read is skipped. 0, or -1 when out
 * of memory. */
int receipts_put(struct receipts *receipts, uint64_t serial, int64_t at_ms, unsigned lost,
                 const void *data, size_t len) MUST_CHECK;

/* How many receipts were taken since. */
size_t receipts_taken(const struct receipts *receipts);

/* What taking has changed in the losses, those of receipts taken included: appends struct
 * store_loss to out. 0, or -1 when out of memory. */
int receipts_losses(const struct receipts *receipts, struct bytes *out) MUST_CHECK;

/* ---------------------------------------------------------------------------------------------- */

struct receipts_facts {
    size_t count;
    size_t bytes;
    int64_t oldest_ms; /* when the oldest was taken; 0 when there is none */
};
void receipts_tell(const struct receipts *receipts, struct receipts_facts *facts);

#endif
