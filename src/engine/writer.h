/*
 * writer.h: the writer thread and its queue. See engine.h for the use.
 *
 * The thread takes whatever waits, up to some thousand events, commits it as one transaction and
 * then answers: what was acknowledged is on disk. While a commit fails for want of disk, memory or
 * a lock, the group goes back to the head of the queue, where its submitters may withdraw it, and
 * is tried again; nothing is answered "stored" that is not.
 */
#ifndef BEACOND_ENGINE_WRITER_H
#define BEACOND_ENGINE_WRITER_H

#include "engine/engine.h"

struct writer;
struct follow;

/* Loads the receipts and starts the thread; the store's writing side is its own until writer_stop.
 * Each commit is published to follow. A store_status. */
int writer_start(struct writer **out, struct store *store, struct follow *follow,
                 size_t queue_bytes, size_t receipts_bytes, struct error *err) MUST_CHECK;
/* Commits what waits (or answers that it could not), ends the thread. NULL is fine. */
void writer_stop(struct writer *writer);

bool writer_has_room(struct writer *writer);
bool writer_healthy(struct writer *writer);
void writer_submit(struct writer *writer, struct submission *submission);
void writer_gone(struct writer *writer, struct submission *submission);
void writer_lost(struct writer *writer, uint64_t receipt);
bool writer_withdraw(struct writer *writer, struct submission *submission);

#endif
