/*
 * engine.h: the collector without a network.
 *
 * Takes batches and commits them, answers windows; knows nothing of HTTP. One writer thread owns
 * the store's writing side, a pool of reader threads owns its readers. Who submits or asks does so
 * from a thread of its own that opens a mailbox (base/mailbox.h): every answer comes as a mail in
 * it.
 */
#ifndef BEACOND_ENGINE_ENGINE_H
#define BEACOND_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/mailbox.h"
#include "contract/batch.h"
#include "store/store.h"

struct engine;

struct engine_options {
    struct store_options store;
    size_t queue_bytes;     /* memory of batches waiting to be committed, see engine_has_room */
    size_t receipts_bytes;  /* memory for receipts, see receipts.h */
    size_t cache_events;    /* newest events kept in memory, see keeper.h; 0: no cache */
    size_t cache_bytes;     /* memory for them; 0: no cache */
    unsigned readers;       /* reader threads, 1 or more */
    int64_t retain_ms;      /* events dated longer ago are erased, see retention.h; 0: none is */
    int64_t retain_bytes;   /* the oldest are while the database uses more; 0: however much */
    int64_t min_free_bytes; /* likewise while its disk has less room left; 0: however little */
    bool by_hand;           /* the three only count in engine_retain: it does nothing by itself */
};

/* Opens the store and starts the threads. options is copied, but for the path of the database,
 * which must stay valid. A store_status; STORE_OK and *out, else err says why. */
int engine_open(struct engine **out, const struct engine_options *options,
                struct error *err) MUST_CHECK;

/* Goes by other limits from now on: queue_bytes, the two of rejects and the three of retention,
 * which looks at once and stops what the old ones had it erase. The rest of options is not looked
 * at. Never blocks for long; any thread. */
void engine_reload(struct engine *engine, const struct engine_options *options);

/* Commits what waits, stops the threads, closes the store. Nobody may submit or ask any more and
 * no reading may be alive; answers to what still waits are posted before it returns. Followers
 * (follow.h) are ended. NULL is fine. */
void engine_close(struct engine *engine);

const unsigned char *engine_secret(const struct engine *engine); /* store_secret; any thread */

/* Whether the last commit worked; true before the first. Any thread. */
bool engine_healthy(const struct engine *engine);

/* Whether the writer has come round since this was last asked, true the first time; asks it anew,
 * so that an idle one comes round at once. One that tries again and again what a full disk or
 * another program's lock denies it comes round as well, and so does one within a long statement:
 * false for long means stuck. Never blocks. One thread at a time, until engine_close. */
bool engine_beat(struct engine *engine);

/* Events stored since engine_open, those that were stored already not counted. Any thread. */
uint64_t engine_taken(struct engine *engine);

/* A batch on its way. Embed it in the request it belongs to; zero it, fill in the first three. */
struct submission {
    struct mail mail;         /* mail.open is the submitter's: the answer has come */
    struct mailbox *reply_to; /* where the mail goes */
    struct batch *batch;      /* the submitter's, untouched by it until the mail is opened */

    /* The answer. */
    bool stored;  /* committed: saved, duplicate and rejected are valid. Else: not acknowledged */
    size_t saved; /* events safely stored, duplicates included */
    size_t duplicate; /* of those, how many had been before */
    size_t rejected;  /* events put aside */
    uint64_t receipt; /* not 0: of a burst. engine_lost must be told if the client may not have got
                       * the answer */
    bool told;        /* engine_gone came in time: there is nothing left to tell */

    /* The engine's. */
    struct submission *next, *previous;
    bool queued;
    bool gone;
};

/* Whether the queue is below its bound. Ask before reading a body into a batch: what is submitted
 * is always taken, so the bound is passed by one batch a submitting thread at most. Any thread. */
bool engine_has_room(struct engine *engine);

/* Hands the batch to the writer; never blocks, always answered (or withdrawn). Any thread. */
void engine_submit(struct engine *engine, struct submission *submission);

/* Takes a submission back that the writer has not taken yet, or has had to put back since a commit
 * failed. True: it is the caller's again and no mail comes. False: the mail is on its way. The
 * submitting thread. */
bool engine_withdraw(struct engine *engine, struct submission *submission);

/* The client of a submission has gone: the answer will not arrive. The submitting thread, until the
 * mail has been opened. */
void engine_gone(struct engine *engine, struct submission *submission);

/* The answer to the submission with that receipt was lost: its connection broke. Any thread. */
void engine_lost(struct engine *engine, uint64_t receipt);

#endif
