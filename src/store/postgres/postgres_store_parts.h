/*
 * postgres_store_parts.h: the inside of the PostgreSQL store's writing half, for its own files
 * alone. The writer's thread.
 */
#ifndef BEACOND_STORE_POSTGRES_STORE_PARTS_H
#define BEACOND_STORE_POSTGRES_STORE_PARTS_H

#include <stdatomic.h>

#include "base/hash_set.h"
#include "store/ops.h"
#include "store/postgres/pg.h"
#include "store/postgres/postgres_days.h"
#include "store/postgres/postgres_dead.h"
#include "store/postgres/postgres_recount.h"
#include "store/postgres/postgres_follow.h"
#include "store/postgres/postgres_schema.h"
#include "store/postgres/postgres_signal.h"
#include "store/postgres/postgres_upkeep.h"
#include "store/tally.h"

/* Numbers of one block (sql/postgresql/0001-schema.sql). */
#define POSTGRES_BLOCK 4096

/* A node's numbers for receipts begin at its instance times this. */
#define POSTGRES_SERIALS ((uint64_t)1 << 36)

/* How long an append is waited for, or a step of one. What is slower than that is taken for a
 * server that hangs, which a connection does not tell; other nodes hold keys for less. */
#define POSTGRES_PATIENCE_MS 20000

/* The transaction in which an append is made. */
enum postgres_claim {
    POSTGRES_UNCLAIMED,
    POSTGRES_CLAIM_NOTHING, /* no keys are held, so it is begun together with what it does */
    POSTGRES_CLAIMED,       /* it is open on the server and holds the keys */
};

/* A transaction whose COMMIT was sent and not answered. It is asked after on the next
 * connection, before anything else: if it was committed, the answers to its batches were lost. */
struct postgres_doubt {
    int64_t transaction;  /* its number; 0: there is nothing in doubt */
    int64_t settling;     /* of the one that noted the losses; 0: none has tried that */
    int64_t instance;     /* the node's, then */
    int64_t followed;     /* base.state.last_seq, then */
    bool unmarked;        /* it stored events that no receipt tells of */
    struct bytes keys;    /* int64_t each: the locks that it holds while it runs */
    struct bytes serials; /* int64_t each: receipts whose answers were lost with it, see awaited */
};

/* The same of losses that were counted (store_lose), which the caller will ask for again: what was
 * committed is not counted twice. */
struct postgres_losing {
    int64_t transaction;  /* its number; 0: there is nothing in doubt */
    struct bytes serials; /* uint64_t each: what it counted */
    struct bytes sure;    /* the same of those before it that were committed */
};

/*
 * base.state is the moment that has been followed, and nothing newer: what an append has committed
 * becomes part of it by store_follow. What it counts on is the log of commits and erasures, so
 * total is exact at each moment.
 */
struct postgres_store {
    struct store base;
    char *database;
    struct pg pg;
    int64_t until_ms; /* patience ends then, by the monotonic clock; 0: there is no end */
    struct postgres_signal *signal;
    struct postgres_node node; /* as it was when the last transaction began */
    int64_t at_ms;             /* what time the caller held it to be last; 0: it has not said */
    int64_t first_instance;    /* of this start: serials of receipts go by it */
    enum postgres_claim claim;
    uint64_t kept;       /* the session (pg.made) that has what it is to keep; */
    int64_t keep_ms;     /* not before, after that has failed */
    int64_t transaction; /* of a claimed one, its number */
    struct bytes keys;   /* int64_t each, ascending: what it holds */
    struct postgres_doubt doubt;
    struct postgres_losing losing;
    struct hash_set repeats; /* ids that may come again: see postgres_is_repeat */
    struct tally tally;      /* of the open transaction, but for what an append stores */
    struct pg_params params; /* of the statement that is being made */

    atomic_llong max_rejects, max_rejects_bytes; /* bounds, which any thread may change */
    int64_t most_rejects, most_rejects_bytes;    /* as they were when the transaction began */
    int64_t rejects, rejects_bytes; /* there may be so many, as far as this node knows */
    int64_t new_rejects;            /* added by the open transaction */
    int64_t new_rejects_bytes;
    struct postgres_days days;
    struct postgres_dead dead;
    enum postgres_tally tally_state;
    int64_t recount_ms; /* not tried before, by the monotonic clock */
    struct postgres_upkeep upkeep;
    struct postgres_place place; /* of base.state in the log */
};

/* postgres_claim.c: see store/shared.h. */
int postgres_claim(struct store *base, const uint64_t *keys, size_t count, store_claim_fn *fn,
                   void *arg, struct error *err) MUST_CHECK;
void postgres_release(struct store *base);

/* postgres_keep.c: has the session, where that is ours alone, keep the statements of each commit
 * with their plans, unless it does. It waits for their tables, half a second each. STORE_OK, also
 * where that can't be done now (err says why; it is tried again some seconds later), or STORE_BUSY:
 * the connection is lost. */
int postgres_keep(struct postgres_store *store, struct error *err) MUST_CHECK;

/* postgres_lose.c: see store/shared.h. */
int postgres_lose(struct store *base, const uint64_t *serials, size_t count,
                  struct error *err) MUST_CHECK;

/* postgres_doubt.c: a connection on which nothing is in doubt any more; nothing is begun. Every
 * transaction of the writing side starts with this. STORE_OK or STORE_BUSY. */
int postgres_connect(struct postgres_store *store, struct error *err) MUST_CHECK;

/* The COMMIT of the transaction, with these receipts, was sent and not answered. unmarked: it
 * stores events of batches without marks. */
void postgres_doubt(struct postgres_store *store, const struct store_receipts *receipts,
                    bool unmarked);

/* Whether an event of a batch without marks was stored by a commit whose answer was lost. */
bool postgres_is_repeat(const struct postgres_store *store, const struct batch *batch,
                        const struct batch_event *event);

/* The number of the open transaction, which gets one with that. */
int postgres_take_number(struct postgres_store *store, int64_t *number,
                         struct error *err) MUST_CHECK;

/* postgres_append.c: see store.h. */
int postgres_append(struct store *base, struct store_item *items, size_t count,
                    const struct store_receipts *receipts, struct error *err) MUST_CHECK;

/* Inserts the events of these items that are not known, in the transaction that is open, with their
 * share of the tally and a row in commits, and sets saved, duplicate and the events' seq. Several
 * calls in one transaction are fine. STORE_OK, STORE_BUSY or STORE_REFUSED. */
int postgres_insert(struct postgres_store *store, struct store_item *items, size_t count,
                    struct error *err) MUST_CHECK;

/* Stores the rest of an item whose events have been inserted, and commits. STORE_OK, STORE_BUSY or
 * STORE_REFUSED. */
int postgres_append_rest(struct postgres_store *store, const struct store_item *item,
                         const struct store_receipts *receipts, struct error *err) MUST_CHECK;

/* postgres_apart.c: see store.h. */
int postgres_append_apart(struct store *base, struct store_item *item,
                          const struct store_receipts *receipts, struct error *err) MUST_CHECK;

/* postgres_notes.c: what is written beside events. These two send statements of a pipeline, as many
 * as *sent goes up by. STORE_OK or STORE_BUSY. */
int postgres_send_receipts(struct postgres_store *store, const struct store_receipts *receipts,
                           int *sent, struct error *err) MUST_CHECK;
int postgres_send_rejects(struct postgres_store *store, const struct store_item *items,
                          size_t count, int *sent, struct error *err) MUST_CHECK;

/* Adds one in the transaction that is open, and drops the oldest where there are too many. */
int postgres_add_reject(struct postgres_store *store, int64_t received, const char *reason,
                        const char *text, size_t len, struct error *err) MUST_CHECK;

/* Sees how many there are: other nodes add some, too. */
int postgres_count_rejects(struct postgres_store *store, struct error *err) MUST_CHECK;

/* Those of the transaction are committed. */
void postgres_note_rejects(struct postgres_store *store);

/* postgres_transaction.c: where a transaction begins that store_claim may have begun, and what is
 * done behind its end. */
int postgres_append_begin(struct postgres_store *store, struct error *err) MUST_CHECK;
/* BEGIN, in which nobody's locks are waited for long. */
int postgres_begin_patient(struct postgres_store *store, struct error *err) MUST_CHECK;
/* Whether that transaction, whose COMMIT's answer was lost, was made; 0 was not. In a transaction
 * or outside. STORE_BUSY: its session is at it still, or as pg_ask. */
int postgres_was_committed(struct postgres_store *store, int64_t transaction, bool *committed,
                           struct error *err) MUST_CHECK;
/* Begins one without keys whose number is to be known before it ends. */
int postgres_append_number(struct postgres_store *store, struct error *err) MUST_CHECK;
int postgres_append_end(struct postgres_store *store, int status) MUST_CHECK;

/* postgres_tend.c: see store.h. What a file needs and a server does not is done at once. */
bool postgres_tend(struct store *base, bool idle, int64_t now_ms);
int postgres_probe(struct store *base, struct error *err) MUST_CHECK;
int postgres_size(struct store *base, struct store_size *out, struct error *err) MUST_CHECK;
int postgres_shrink(struct store *base, int64_t pages, int64_t *left, struct error *err) MUST_CHECK;
int postgres_scrub(struct store *base, struct error *err) MUST_CHECK;
int postgres_find_traces(struct store *base, int64_t *page, store_trace_fn *fn, void *arg,
                         bool *more, struct error *err) MUST_CHECK;
int postgres_clean_traces(struct store *base, const int64_t *pages, size_t count,
                          struct error *err) MUST_CHECK;

/* The next transaction of the writing side: connects if need be and begins. postgres_store_end in
 * any case. */
int postgres_store_begin(struct postgres_store *store, struct error *err) MUST_CHECK;

/* Ends it: with STORE_OK flushes the tally and commits, else rolls back. Returns the status of the
 * whole. */
int postgres_store_end(struct postgres_store *store, int status, struct error *err) MUST_CHECK;

/* What is wrong with a value that is no one's fault but a lack of memory's. */
int postgres_no_memory(struct error *err);

#endif
