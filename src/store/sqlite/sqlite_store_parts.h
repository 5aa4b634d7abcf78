/*
 * sqlite_store_parts.h: the inside of the SQLite store's writing half, for its own files alone. The
 * writer's thread.
 *
 * It keeps events in one file (DESIGN.md 4): WAL, one writing connection that alone checkpoints,
 * readers opened read-only. A lock file beside the database keeps a second process out for as long
 * as this one lives.
 */
#ifndef BEACOND_STORE_SQLITE_STORE_PARTS_H
#define BEACOND_STORE_SQLITE_STORE_PARTS_H

#include "store/ops.h"
#include "store/sqlite/checkpoint.h"
#include "store/sqlite/db.h"
#include "store/sqlite/rejects.h"
#include "store/tally.h"

/*
 * last_seq, total and rejects say what is committed, and what the open transaction adds; after a
 * rollback they are read anew (stale). So a failed group can't leave a wrong bound or a number used
 * twice behind.
 */
struct sqlite_store {
    struct store base;
    struct db db;
    char *database;
    int lock;             /* descriptor of the lock file */
    bool open;            /* the file is fit, and ours to write to */
    bool doubted;         /* the tally is to be made anew */
    bool stale;           /* the numbers below must be read from the database */
    int64_t last_seq;     /* the highest seq in use, or ever used */
    int64_t total;        /* events */
    int64_t erasures;     /* how often events were erased */
    int64_t data_version; /* changes when another connection has committed */
    int64_t seen_version; /* what the open transaction saw; data_version once it is committed */
    struct rejects rejects;
    int64_t receipts_before; /* rows of receipts below it have been deleted */
    struct tally tally;      /* of the open transaction */
    struct checkpoint checkpoint;
    struct gate gate; /* of all readers */
};

/* Begins the one transaction: takes the write lock, notices what another program has changed, reads
 * anew what is stale. sqlite_store_end in any case. */
int sqlite_store_begin(struct sqlite_store *store, struct error *err) MUST_CHECK;

/* Ends the transaction that was begun: with STORE_OK flushes the tally and commits, else rolls
 * back. Returns the status of the whole. */
int sqlite_store_end(struct sqlite_store *store, int status, struct error *err) MUST_CHECK;

/* Writes last_seq down: the row that has it, or had it, is no more. Part of the open transaction.
 */
int sqlite_store_note_last_seq(struct sqlite_store *store, struct error *err) MUST_CHECK;

/* sqlite_append.c: as store_append and store_append_apart. */
int sqlite_store_append(struct store *base, struct store_item *items, size_t count,
                        const struct store_receipts *receipts, struct error *err) MUST_CHECK;
int sqlite_store_append_apart(struct store *base, struct store_item *item,
                              const struct store_receipts *receipts, struct error *err) MUST_CHECK;
int sqlite_store_probe(struct store *base, struct error *err) MUST_CHECK;

/* Inserts one event within a savepoint, so that a statement undone half-way takes nothing else
 * along. *refused: what is in it can't be stored, why says so; *stored: it is a row now, else it
 * was one before. Part of the open transaction. */
int sqlite_store_insert_apart(struct sqlite_store *store, struct batch_event *event,
                              int64_t received, bool *stored, bool *refused, struct error *why,
                              struct error *err) MUST_CHECK;

/* sqlite_retry.c: as store_retry_rejects. */
int sqlite_store_retry_rejects(struct store *base, struct store_retry *retries, size_t count,
                               struct error *err) MUST_CHECK;

/* sqlite_erase.c: as the calls of store.h of these names. */
int sqlite_store_erase_oldest(struct store *base, int64_t before_ms, size_t most,
                              struct range_place *places, size_t *erased,
                              struct error *err) MUST_CHECK;
int sqlite_store_erase(struct store *base, const struct range_place *places, size_t count,
                       size_t *erased, struct error *err) MUST_CHECK;
int sqlite_store_erase_rejects(struct store *base, const int64_t *numbers, size_t count,
                               size_t *erased, struct error *err) MUST_CHECK;
int sqlite_store_replace_receipts(struct store *base, const struct store_receipts_row *rows,
                                  size_t count, struct error *err) MUST_CHECK;
int sqlite_store_size(struct store *base, struct store_size *out, struct error *err) MUST_CHECK;
int sqlite_store_shrink(struct store *base, int64_t pages, int64_t *left,
                        struct error *err) MUST_CHECK;
int sqlite_store_scrub(struct store *base, struct error *err) MUST_CHECK;
int sqlite_store_rebuild_index(struct store *base, struct error *err) MUST_CHECK;
int sqlite_store_rewrite(struct store *base, struct error *err) MUST_CHECK;

/* sqlite_traces.c: likewise. */
int sqlite_store_find_traces(struct store *base, int64_t *page, store_trace_fn *fn, void *arg,
                             bool *more, struct error *err) MUST_CHECK;
int sqlite_store_clean_traces(struct store *base, const int64_t *pages, size_t count,
                              struct error *err) MUST_CHECK;

#endif
