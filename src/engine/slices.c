#include "engine/slices.h"

#include "base/clock.h"
#include "cache/ring.h"
#include "engine/internal.h"
#include "engine/writer_parts.h"

/* For each part of work, so many of rest. */
#define SLICES_REST 3
/* And no more than this: an index that was made anew takes long, and comes once. */
#define SLICES_REST_MOST_US 500000
/* Someone in the sqlite3 shell may hold the lock for a moment: so often it is tried, and waited
 * between two tries. */
#define SLICES_TRIES 8
#define SLICES_AGAIN_MS 100
/* Nothing was committed for so long: nobody is held up. */
#define SLICES_QUIET_MS 1000

/* One call: the errand, what it is given and what it gives back. */
struct slice {
    struct errand errand; /* first */
    struct writer *writer;
    int (*work)(struct slice *slice);
    int64_t before_ms, used_bytes;
    const struct range_place *places;
    const int64_t *numbers;
    struct store_retry *retries;
    const struct store_receipts_row *rows;
    const struct receipt_key *keys;
    size_t count, key_count;
    int64_t *left;
    struct store_size *size;
    struct store_dropped *dropped;
    struct error *err;

    size_t erased;
    int status;
    bool quiet; /* when it began */
    int64_t took_us;
};

/* --- on the writer's thread ------------------------------------------------------------------- */

static bool slices_is_quiet(struct writer *writer)
{
    return clock_mono_ms() - writer->committed_ms >= SLICES_QUIET_MS;
}

static void slices_run(struct errand *errand)
{
    struct slice *slice = (struct slice *)errand;
    int64_t began_us = clock_mono_us();
    slice->quiet = slices_is_quiet(slice->writer);
    slice->status = slice->work(slice);
    slice->took_us = clock_mono_us() - began_us;
}

/* The cache is told what was erased. Otherwise another program's changes were noticed as well, and
 * writer_tell clears it. */
static void slices_tell_erased(struct slice *slice, struct range_place low, struct range_place high)
{
    struct writer *writer = slice->writer;
    struct store_state state;
    store_look(writer->store, &state);
    if (writer->ring == NULL || state.erasures != writer->erasures + 1)
        return;
    if (slice->places != NULL)
        ring_erase_places(writer->ring, slice->places, slice->count);
    else
        ring_erase(writer->ring, low, high);
    /* The number first: the tag of an answer is made of both, and that of the old number with the
     * new erasure would be another answer's later on. */
    ring_told(writer->ring, state.last_seq, (uint64_t)state.total);
    ring_set_erasures(writer->ring, state.erasures);
    writer->erasures = state.erasures;
}

/* What was erased has been committed: the cache first, then the WAL. Of a shared store the log
 * tells. */
static int slices_erased(struct slice *slice, int status, struct range_place low,
                         struct range_place high)
{
    struct writer *writer = slice->writer;
    bool shared = writer->abreast != NULL;
    if (status == STORE_OK && slice->erased > 0 && !shared)
        slices_tell_erased(slice, low, high);
    if (status == STORE_OK) {
        writer_tell(writer, 0, 0);
        counter_add(&writer->measures.erased, shared ? 0 : slice->erased);
    }
    writer_tidy_soon(writer);
    writer_show(writer);
    return status;
}

/* A transaction that was not of events: it may have been the one that noticed what another program
 * has changed, which the cache is to hear of. */
static int slices_written(struct slice *slice, int status)
{
    if (status == STORE_OK)
        writer_tell(slice->writer, 0, 0);
    writer_tidy_soon(slice->writer);
    writer_show(slice->writer);
    return status;
}

static int slices_do_oldest(struct slice *slice)
{
    struct range_place places[SLICES_EVENTS_QUIET];
    size_t most = slice->quiet ? SLICES_EVENTS_QUIET : SLICES_EVENTS;
    int status = store_erase_oldest(slice->writer->store, slice->before_ms, most, places,
                                    &slice->erased, slice->err);
    /* They were the oldest, so nothing is left up to the last of them. */
    struct range_place high =
        slice->erased > 0 ? place_above(places[slice->erased - 1]) : PLACE_LOWEST;
    return slices_erased(slice, status, PLACE_LOWEST, high);
}

static int slices_do_day(struct slice *slice)
{
    struct store_dropped *dropped = slice->dropped;
    int status = store_drop_days(slice->writer->store, slice->before_ms, slice->used_bytes, dropped,
                                 slice->err);
    slice->erased = status == STORE_OK ? (size_t)dropped->events : 0;
    return slices_erased(slice, status, dropped->low, dropped->high);
}

static int slices_do_places(struct slice *slice)
{
    int status =
        store_erase(slice->writer->store, slice->places, slice->count, &slice->erased, slice->err);
    return slices_erased(slice, status, PLACE_LOWEST, PLACE_LOWEST);
}

static int slices_do_rejects(struct slice *slice)
{
    int status = store_erase_rejects(slice->writer->store, slice->numbers, slice->count,
                                     &slice->erased, slice->err);
    return slices_written(slice, status);
}

/* What has become an event goes the way of what is committed. */
static int slices_do_retry(struct slice *slice)
{
    struct writer *writer = slice->writer;
    size_t stored = 0;
    int status = store_retry_rejects(writer->store, slice->retries, slice->count, slice->err);
    for (size_t i = 0; i < slice->count && status == STORE_OK; i++)
        if (slice->retries[i].outcome == STORE_RETRY_STORED)
            writer->items[stored++] = (struct store_item){.batch = slice->retries[i].batch};
    if (status == STORE_OK) {
        counter_add(&writer->measures.saved, stored);
        writer_tell(writer, 0, stored);
    }
    writer_tidy_soon(writer);
    return status;
}

static int slices_do_receipts(struct slice *slice)
{
    struct writer *writer = slice->writer;
    int status = store_replace_receipts(writer->store, slice->rows, slice->count, slice->err);
    for (size_t i = 0; i < slice->key_count && status == STORE_OK; i++)
        receipts_erase(writer->receipts, &slice->keys[i]);
    return slices_written(slice, status);
}

static int slices_do_size(struct slice *slice)
{
    return store_size(slice->writer->store, slice->size, slice->err);
}

static int slices_do_shrink(struct slice *slice)
{
    int64_t pages = slice->quiet ? SLICES_PAGES_QUIET : SLICES_PAGES;
    int status = store_shrink(slice->writer->store, pages, slice->left, slice->err);
    writer_tidy_soon(slice->writer);
    return status;
}

static int slices_do_tidy(struct slice *slice)
{
    writer_tend(slice->writer);
    return slice->writer->untidy ? STORE_BUSY : STORE_OK;
}

static int slices_do_scrub(struct slice *slice)
{
    return store_scrub(slice->writer->store, slice->err);
}

static int slices_do_clean(struct slice *slice)
{
    int status = store_clean_traces(slice->writer->store, slice->numbers, slice->count, slice->err);
    return slices_written(slice, status);
}

static int slices_do_rebuild(struct slice *slice)
{
    int status = store_rebuild_index(slice->writer->store, slice->err);
    writer_tidy_soon(slice->writer);
    return status;
}

static int slices_do_rewrite(struct slice *slice)
{
    int status = store_rewrite(slice->writer->store, slice->err);
    writer_tidy_soon(slice->writer);
    return status;
}

static int slices_do_nothing(struct slice *slice)
{
    (void)slice;
    return STORE_OK;
}

/* --- on the caller's ----------------------------------------------------------------------------
 */

static int slices_call(struct slice *slice)
{
    slice->errand.run = slices_run;
    writer_run(slice->writer, &slice->errand);
    return slice->status;
}

/* The same, again while it is busy, and a rest if events come in. */
static int slices_call_paced(struct slice *slice)
{
    int status = slices_call(slice);
    for (int i = 1; i < SLICES_TRIES && status == STORE_BUSY; i++) {
        clock_sleep_us(SLICES_AGAIN_MS * 1000);
        status = slices_call(slice);
    }
    int64_t rest_us = slice->quiet ? 0 : slice->took_us * SLICES_REST;
    clock_sleep_us(rest_us < SLICES_REST_MOST_US ? rest_us : SLICES_REST_MOST_US);
    return status;
}

bool slices_quiet(struct writer *writer)
{
    struct slice slice = {.writer = writer, .work = slices_do_nothing};
    (void)slices_call(&slice);
    return slice.quiet;
}

int slices_erase_oldest(struct writer *writer, int64_t before_ms, size_t *erased, struct error *err)
{
    struct slice slice = {
        .writer = writer, .work = slices_do_oldest, .before_ms = before_ms, .err = err};
    int status = slices_call_paced(&slice);
    *erased = slice.erased;
    return status;
}

int slices_drop_day(struct writer *writer, int64_t before_ms, int64_t used_bytes,
                    struct store_dropped *dropped, struct error *err)
{
    struct slice slice = {.writer = writer,
                          .work = slices_do_day,
                          .before_ms = before_ms,
                          .used_bytes = used_bytes,
                          .dropped = dropped,
                          .err = err};
    *dropped = (struct store_dropped){0};
    return slices_call_paced(&slice);
}

int slices_erase(struct writer *writer, const struct range_place *places, size_t count,
                 size_t *erased, struct error *err)
{
    struct slice slice = {
        .writer = writer, .work = slices_do_places, .places = places, .count = count, .err = err};
    int status = slices_call_paced(&slice);
    *erased = slice.erased;
    return status;
}

int slices_erase_rejects(struct writer *writer, const int64_t *numbers, size_t count,
                         size_t *erased, struct error *err)
{
    struct slice slice = {.writer = writer,
                          .work = slices_do_rejects,
                          .numbers = numbers,
                          .count = count,
                          .err = err};
    int status = slices_call_paced(&slice);
    *erased = slice.erased;
    return status;
}

int slices_retry(struct writer *writer, struct store_retry *retries, size_t count,
                 struct error *err)
{
    struct slice slice = {
        .writer = writer, .work = slices_do_retry, .retries = retries, .count = count, .err = err};
    return slices_call_paced(&slice);
}

int slices_erase_receipts(struct writer *writer, const struct store_receipts_row *rows,
                          size_t count, const struct receipt_key *keys, size_t key_count,
                          struct error *err)
{
    struct slice slice = {.writer = writer,
                          .work = slices_do_receipts,
                          .rows = rows,
                          .count = count,
                          .keys = keys,
                          .key_count = key_count,
                          .err = err};
    return slices_call_paced(&slice);
}

int slices_size(struct writer *writer, struct store_size *size, struct error *err)
{
    struct slice slice = {.writer = writer, .work = slices_do_size, .size = size, .err = err};
    return slices_call(&slice);
}

int slices_shrink(struct writer *writer, int64_t *left, struct error *err)
{
    struct slice slice = {.writer = writer, .work = slices_do_shrink, .left = left, .err = err};
    return slices_call_paced(&slice);
}

void slices_tidy(struct writer *writer)
{
    struct slice slice = {.writer = writer, .work = slices_do_tidy};
    (void)slices_call_paced(&slice);
}

int slices_scrub(struct writer *writer, struct error *err)
{
    struct slice slice = {.writer = writer, .work = slices_do_scrub, .err = err};
    return slices_call(&slice);
}

int slices_clean_traces(struct writer *writer, const int64_t *pages, size_t count,
                        struct error *err)
{
    struct slice slice = {
        .writer = writer, .work = slices_do_clean, .numbers = pages, .count = count, .err = err};
    return slices_call_paced(&slice);
}

int slices_rebuild_index(struct writer *writer, struct error *err)
{
    struct slice slice = {.writer = writer, .work = slices_do_rebuild, .err = err};
    return slices_call_paced(&slice);
}

int slices_rewrite(struct writer *writer, struct error *err)
{
    struct slice slice = {.writer = writer, .work = slices_do_rewrite, .err = err};
    return slices_call(&slice);
}
