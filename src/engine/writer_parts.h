/*
 * writer_parts.h: the inside of the writer: for writer.c, writer_commit.c and writer_shared.c, and
 * for what has it do errands that reach inside: slices.c, chores.c, backup.c.
 */
#ifndef BEACOND_ENGINE_WRITER_PARTS_H
#define BEACOND_ENGINE_WRITER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/wary.h"
#include "engine/abreast.h"
#include "engine/measures.h"
#include "engine/receipts.h"
#include "engine/waiting.h"
#include "engine/writer.h"
#include "store/shared.h"
#include "store/store.h"

#define WRITER_GROUP_BATCHES 1024

struct writer {
    pthread_t thread;
    struct store *store;
    struct ring *ring; /* NULL without a cache */
    struct follow *follow;
    struct abreast *abreast; /* of a shared store (store/shared.h); NULL: it is not */
    size_t queue_bytes;

    pthread_mutex_t mutex; /* guards all down to news */
    pthread_cond_t wake;   /* something was queued, or stopping; on the monotonic clock */
    pthread_cond_t ran;    /* an errand is done */
    struct waiting waiting;
    struct errand *errands; /* last in, first out: each is waited for by its own thread */
    size_t bytes;           /* memory of the queued batches and of those being committed */
    bool stopping;
    bool healthy;   /* the last commit worked */
    uint64_t *lost; /* receipts whose answers were lost, to be told to receipts */
    size_t lost_count, lost_room;
    uint64_t taken;   /* events stored anew since the start */
    bool news;        /* other nodes may have committed something */
    int64_t known_ms; /* see writer_known_ms; constant */

    atomic_bool asked; /* writer_beat waits for the thread to come round */

    struct measures measures;

    /* The thread's own. */
    struct receipts *receipts;
    struct wary clock;       /* by which receipts are dated and become old */
    struct bytes row;        /* of receipts, of the open transaction */
    int64_t receipts_before; /* older rows are not needed */
    int64_t erasures;        /* as the ring knows them */
    int64_t committed_ms;    /* when the last group was, by the monotonic clock */
    bool untidy;             /* store_tend has something to do once idle */
    int64_t look_ms;         /* when the store is looked after if nothing is committed before */

    /* The thread's own, of a shared store. */
    uint64_t serial;           /* of the next receipt */
    struct bytes losses;       /* struct store_loss, of the open transaction */
    struct bytes awaited;      /* uint64_t: serials of bursts whose clients wait, of the same */
    size_t held_from, held_to; /* items that are committed and have not been told, */
    int64_t held_seq;          /* with numbers from here on; INT64_MAX: none */
    int64_t total;             /* as it was told last */
    int64_t follow_ms;         /* when it follows if nobody has it do so before, */
    int64_t again_ms;          /* and not earlier than this: it has failed */

    struct submission *group[WRITER_GROUP_BATCHES];
    struct store_item items[WRITER_GROUP_BATCHES];
};

/* All on the writer's thread, unlocked. */

/* Commits the first count submissions of the group and answers. Returns how many were answered;
 * less than count when the store is busy, err says why. */
size_t writer_commit(struct writer *writer, size_t count, struct error *err);

/* Has another program's changes counted anew. False: there were none. */
bool writer_notice(struct writer *writer);

/* Tells the cache and who follows what has been committed of the group, items [from, to), which may
 * be none, and what else has become of the database. Of a shared store: waits until they are part
 * of a moment, so that whoever asks, on whichever node, finds them. */
void writer_tell(struct writer *writer, size_t from, size_t to);

/* What time it is held to be. The writer's thread, as those below. */
int64_t writer_now_ms(struct writer *writer);

/* Has the store tidy up, as nothing waits. */
void writer_tend(struct writer *writer);

/* An errand has written: has the WAL put back as after a commit. */
void writer_tidy_soon(struct writer *writer);

/* Brings the measures of what is stored and kept up to date. */
void writer_show(struct writer *writer);

/* The thread is not stuck: see engine_beat. Takes no mutex. */
void writer_come_round(struct writer *writer);

/* Notes whether commits work, and logs the change. */
void writer_note_health(struct writer *writer, bool healthy, const struct error *err);

/* --- writer_shared.c: of a shared store ------------------------------------------------------- */

/* Begins a transaction that holds the receipts of items [from, to), and loads those. A status of
 * store.h. */
int writer_claim(struct writer *writer, size_t from, size_t to, struct error *err) MUST_CHECK;

/* See writer_tell. */
void writer_tell_shared(struct writer *writer, size_t from, size_t to);

/* Notes that the answer with that receipt was lost. Called locked. */
void writer_add_lost(struct writer *writer, uint64_t receipt);

/* Has the losses that are known stored; those that could not be stay known. Called locked, which it
 * is not meanwhile. A status of store.h. */
int writer_lose(struct writer *writer, struct error *err) MUST_CHECK;

/* Sees to what came from elsewhere, when that is due. Called locked, which it is not meanwhile. */
void writer_hear(struct writer *writer);

/* How long until that is due at the latest. Called locked. */
int64_t writer_hear_ms(const struct writer *writer);

/* Before the thread runs, and when it has ended. */
void writer_begin_shared(struct writer *writer);
void writer_end_shared(struct writer *writer);

#endif
