/*
 * retention.h: erases what is too old or too much by itself, on a thread of its own.
 *
 * It looks at start and then every minute, or ten times within retain_ms where that is shorter (but
 * not more often than ten times a second). What can't be done now, on a full disk for instance, is
 * tried again then, and complained about once. It does not believe a clock that has jumped ahead at
 * once (base/wary.h): all events would be too old, and gone.
 *
 * The same thread asks how large a database is that is no file (store_is_file), every minute.
 */
#ifndef BEACOND_ENGINE_RETENTION_H
#define BEACOND_ENGINE_RETENTION_H

#include "engine/engine.h"
#include "engine/erasure.h"

struct retention;
struct writer;

/* Whether one of the three options is set, and can be gone by: min_free_bytes can for a file alone.
 */
bool retention_wanted(const struct engine_options *options);

/* Runs the thread, which sleeps while there is nothing to look for. A store_status. options:
 * copied, but for the path of the database. */
int retention_start(struct retention **out, struct writer *writer,
                    const struct engine_options *options, struct error *err) MUST_CHECK;

/* Other options count: it ends what it is at after its slice, and looks anew at once. The same ones
 * change nothing. NULL is fine. Any thread; never blocks. */
void retention_set(struct retention *retention, const struct engine_options *options);

/* Waits for the slice under way. Before writer_stop. NULL is fine. */
void retention_stop(struct retention *retention);

/* Once all that the options say, in the order age, size, disk. now_ms: what is too old is reckoned
 * from. Any thread but the writer's.
 * *short_of: the disk has less room than it should, and what is left is too new to go; NULL: not
 * wanted. A store_status. */
int retention_run(struct writer *writer, const struct engine_options *options, int64_t now_ms,
                  const struct progress *progress, struct erasure *out, bool *short_of,
                  struct error *err) MUST_CHECK;

#endif
