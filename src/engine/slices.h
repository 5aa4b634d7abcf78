/*
 * slices.h: pieces of erasing, and of what else a person asks for, that are done on the writer's
 * thread, between two commits.
 *
 * Each call blocks until its slice has run, any thread but the writer's, not while the writer is
 * being stopped. Where events come in it then waits three times as long as the slice took, so that
 * who waits for a commit is held up little. Statuses are those of store.h.
 */
#ifndef BEACOND_ENGINE_SLICES_H
#define BEACOND_ENGINE_SLICES_H

#include "contract/receipt_rows.h"
#include "engine/writer.h"
#include "store/shared.h"
#include "store/store.h"

/* How much one slice takes: little while events come in, else enough that fsync does not matter. */
#define SLICES_EVENTS 32
#define SLICES_EVENTS_QUIET 1000
#define SLICES_PAGES 32
#define SLICES_PAGES_QUIET 512

/* Whether nothing has been committed for a while, so that a larger slice holds nobody up. */
bool slices_quiet(struct writer *writer);

/* Erase events: the oldest before before_ms, or those at places. *erased: how many. */
int slices_erase_oldest(struct writer *writer, int64_t before_ms, size_t *erased,
                        struct error *err) MUST_CHECK;
/* As store_drop_days. */
int slices_drop_day(struct writer *writer, int64_t before_ms, int64_t used_bytes,
                    struct store_dropped *dropped, struct error *err) MUST_CHECK;
int slices_erase(struct writer *writer, const struct range_place *places, size_t count,
                 size_t *erased, struct error *err) MUST_CHECK;

int slices_erase_rejects(struct writer *writer, const int64_t *numbers, size_t count,
                         size_t *erased, struct error *err) MUST_CHECK;

/* As store_retry_rejects, at most SLICES_EVENTS_QUIET of them. Cache and followers are told. */
int slices_retry(struct writer *writer, struct store_retry *retries, size_t count,
                 struct error *err) MUST_CHECK;

/* Puts rows of receipts without those named by keys in place of what they were. */
int slices_erase_receipts(struct writer *writer, const struct store_receipts_row *rows,
                          size_t count, const struct receipt_key *keys, size_t key_count,
                          struct error *err) MUST_CHECK;

/* As the calls of store.h; store_shrink for a slice's pages. */
int slices_size(struct writer *writer, struct store_size *size, struct error *err) MUST_CHECK;
int slices_shrink(struct writer *writer, int64_t *left, struct error *err) MUST_CHECK;

/* Puts the WAL back, which is when the file becomes smaller: tries for a moment, and leaves it to
 * the writer where a reader stays in the way. */
void slices_tidy(struct writer *writer);

int slices_scrub(struct writer *writer, struct error *err) MUST_CHECK;
int slices_clean_traces(struct writer *writer, const int64_t *pages, size_t count,
                        struct error *err) MUST_CHECK; /* SLICES_PAGES of them at most */
int slices_rebuild_index(struct writer *writer, struct error *err) MUST_CHECK;
int slices_rewrite(struct writer *writer, struct error *err) MUST_CHECK;

#endif
