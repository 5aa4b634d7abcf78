/*
 * writer.h: the writer thread and its queue. See engine.h for the use.
 *
 * The thread takes whatever waits, up to some thousand events, commits it as one transaction and
 * then answers: what was acknowledged is on disk. While a commit fails for want of disk, memory or
 * a lock, the group goes back to the head of the queue, where its submitters may withdraw it, and
 * is tried again; nothing is answered "stored" that is not.
 *
 * It also keeps the cache true: what is committed is told to the ring before it is answered, what
 * another program has changed empties it, and what only the writer may do to it is done here. Where
 * other nodes write to the store, it tells what they commit, too.
 */
#ifndef BEACOND_ENGINE_WRITER_H
#define BEACOND_ENGINE_WRITER_H

#include "engine/engine.h"

struct abreast;
struct writer;
struct follow;
struct ring;

/* Loads the receipts and starts the thread; the store's writing side is its own until writer_stop,
 * and so is the ring's. ring may be NULL, and abreast is where the store is not shared. Each commit
 * is published to follow. A store_status. */
int writer_start(struct writer **out, struct store *store, struct ring *ring, struct follow *follow,
                 struct abreast *abreast, const struct engine_options *options,
                 struct error *err) MUST_CHECK;
/* Commits what waits (or answers that it could not), ends the thread. NULL is fine. */
void writer_stop(struct writer *writer);

/* Something to be done on the writer's thread, between two commits. */
struct errand {
    struct errand *next;
    void (*run)(struct errand *errand);
    bool done;
};

/* Has it run, and waits until it has. Not while the writer is being stopped. */
void writer_run(struct writer *writer, struct errand *errand);

/* On the writer's thread, in an errand: where other nodes write to the store, the ring is told what
 * they have committed by now. */
void writer_catch_up(struct writer *writer);

/* Another bound for the queue. */
void writer_limit(struct writer *writer, size_t queue_bytes);
/* See engine_beat, engine_taken. */
bool writer_beat(struct writer *writer);
uint64_t writer_taken(struct writer *writer);

/* When the newest commit was that is known from before the start, by the wall clock of then;
 * WARY_UNKNOWN: none is. Any thread. */
int64_t writer_known_ms(const struct writer *writer);

bool writer_has_room(struct writer *writer);
bool writer_healthy(struct writer *writer);
void writer_submit(struct writer *writer, struct submission *submission);
void writer_gone(struct writer *writer, struct submission *submission);
void writer_lost(struct writer *writer, uint64_t receipt);
struct measures *writer_measures(struct writer *writer); /* measures.h says who may write what */
bool writer_withdraw(struct writer *writer, struct submission *submission);

#endif
