/*
 * writer_parts.h: the inside of the writer: for writer.c and writer_commit.c, and for what has it
 * do errands that reach inside: slices.c, chores.c, backup.c.
 */
#ifndef BEACOND_ENGINE_WRITER_PARTS_H
#define BEACOND_ENGINE_WRITER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/wary.h"
#include "engine/measures.h"
#include "engine/receipts.h"
#include "engine/waiting.h"
#include "engine/writer.h"
#include "store/store.h"

#define WRITER_GROUP_BATCHES 1024

struct writer {
    pthread_t thread;
    struct store *store;
    struct ring *ring; /* NULL without a cache */
    struct follow *follow;
    size_t queue_bytes;

    pthread_mutex_t mutex; /* guards all down to lost_room */
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
    struct submission *group[WRITER_GROUP_BATCHES];
    struct store_item items[WRITER_GROUP_BATCHES];
};

/* All on the writer's thread, unlocked. */

/* Commits the first count submissions of the group and answers. Returns how many were answered;
 * less than count when the store is busy, err says why. */
size_t writer_commit(struct writer *writer, size_t count, struct error *err);

/* Has another program's changes counted anew. False: there were none. */
bool writer_notice(struct writer *writer);

/* Tells the ring what has been committed of the group, items [from, to), which may be none, and
 * what else has become of the database. */
void writer_tell_ring(struct writer *writer, size_t from, size_t to);

/* An errand has written: has the WAL put back as after a commit. */
void writer_tidy_soon(struct writer *writer);

/* Brings the measures of what is stored and kept up to date. */
void writer_show(struct writer *writer);

/* Notes whether commits work, and logs the change. */
void writer_note_health(struct writer *writer, bool healthy, const struct error *err);

#endif
