/*
 * Forgets one user or session: receipts first, then what they are of, so that a run that was cut
 * off finds by the second what is left of the first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash_set.h"
#include "contract/members.h"
#include "contract/resent.h"
#include "engine/erasure.h"
#include "engine/internal.h"
#include "engine/slices.h"
#include "engine/traces.h"

/* What is found before it is erased: memory of some MiB, and a walk over all receipts each time. */
#define FORGET_ROUND 65536
/* A page of reading: the statement is open so long. */
#define FORGET_PAGE_BYTES (1 << 20)
#define FORGET_PAGE_ROWS 4096
/* Rows of receipts that are replaced at once. */
#define FORGET_RECEIPT_ROWS 32

struct forget {
    struct engine *engine;
    const struct forget_who *who;
    struct members_name name;
    const struct progress *progress;
    struct erasure *out;
    struct error *err;
    struct store_reader *reader;
    const unsigned char *key;
    struct traces traces;

    /* Of one round. */
    struct bytes found;     /* struct range_place of events, or int64_t of rejects */
    size_t found_count;     /* of them */
    struct hash_set hashes; /* of what may have been sent for them */
    struct bytes scratch;

    /* Of one page. */
    int64_t at; /* where the next one begins */
    size_t page_rows, page_bytes;
    bool failed; /* out of memory */
};

static int forget_no_memory(struct forget *forget)
{
    error_set(forget->err, "out of memory");
    return STORE_BUSY;
}

/* Tells how far it is. Non-zero: to be stopped. */
static int forget_step(struct forget *forget, const char *what, int64_t done, int64_t total)
{
    /* Once is for ever: events must not go when the walk over their receipts was cut short. */
    if (!forget->out->stopped && progress_step(forget->progress, what, done, total) == 0)
        return 0;
    forget->out->stopped = true;
    return 1;
}

static void forget_begin_round(struct forget *forget)
{
    forget->found.len = 0;
    forget->found_count = 0;
    hash_set_reset(&forget->hashes);
}

/* Notes one that is to go, and what may have been sent for it. */
static int forget_note(struct forget *forget, const void *place, size_t size, const char *text,
                       size_t len)
{
    uint64_t hashes[RESENT_MOST];
    size_t count;
    if (bytes_append(&forget->found, place, size) != 0 ||
        resent_hashes(forget->key, text, len, &forget->scratch, hashes, &count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (hash_set_add(&forget->hashes, hashes[i]) != 0)
            return -1;
    forget->found_count++;
    return 0;
}

/* Whether the page is to end behind this row. */
static int forget_page_ends(struct forget *forget, size_t len)
{
    forget->page_rows++;
    forget->page_bytes += len;
    return forget->failed || forget->found_count >= FORGET_ROUND ||
           forget->page_rows >= FORGET_PAGE_ROWS || forget->page_bytes >= FORGET_PAGE_BYTES;
}

/* --- receipts --------------------------------------------------------------------------------- */

/* Rows that are to be replaced, and which of their receipts go. */
struct forget_receipts {
    struct forget *forget;
    struct bytes kept[FORGET_RECEIPT_ROWS];
    struct store_receipts_row rows[FORGET_RECEIPT_ROWS];
    size_t count;
    struct bytes gone;
    int64_t at;
    size_t bytes;
    bool failed;
};

static int forget_receipts_row(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    struct forget_receipts *receipts = arg;
    struct forget *forget = receipts->forget;
    struct bytes *kept = &receipts->kept[receipts->count];
    (void)at_ms;
    kept->len = 0;
    int gone =
        receipt_row_strip(row, data, len, forget->key, &forget->hashes, kept, &receipts->gone);
    receipts->failed = gone < 0;
    receipts->at = row;
    receipts->bytes += len;
    /* One of which nothing can be read, such as an older version's, is of no use to anybody. */
    if (gone > 0 || (gone == 0 && kept->len == 0)) {
        receipts->rows[receipts->count++] = (struct store_receipts_row){row, kept->data, kept->len};
        forget->out->receipts += gone;
    }
    return receipts->failed || receipts->count == FORGET_RECEIPT_ROWS ||
           receipts->bytes >= FORGET_PAGE_BYTES;
}

static int forget_receipts_page(struct forget_receipts *receipts, bool *more)
{
    struct forget *forget = receipts->forget;
    receipts->count = receipts->bytes = receipts->gone.len = 0;
    int status = store_page_receipts(forget->reader, receipts->at, forget_receipts_row, receipts,
                                     more, forget->err);
    if (receipts->failed)
        return forget_no_memory(forget);
    if (status != STORE_OK || receipts->count == 0)
        return status;
    return slices_erase_receipts(forget->engine->writer, receipts->rows, receipts->count,
                                 (const struct receipt_key *)(const void *)receipts->gone.data,
                                 receipts->gone.len / sizeof(struct receipt_key), forget->err);
}

/* Erases the receipts of all bodies that held what was found. */
static int forget_receipts(struct forget *forget)
{
    struct forget_receipts *receipts = calloc(1, sizeof *receipts);
    bool more = forget->found_count > 0;
    int status = STORE_OK;
    if (receipts == NULL)
        return forget_no_memory(forget);
    receipts->forget = forget;
    receipts->at = INT64_MIN;
    while (status == STORE_OK && more && forget_step(forget, "receipts", 0, 0) == 0)
        status = forget_receipts_page(receipts, &more);
    for (size_t i = 0; i < FORGET_RECEIPT_ROWS; i++)
        bytes_clear(&receipts->kept[i]);
    bytes_clear(&receipts->gone);
    free(receipts);
    return status;
}

/* --- rejects ---------------------------------------------------------------------------------- */

/* What is no JSON object may be anything: it goes when the ID stands in it. */
static bool forget_concerns_reject(const struct forget *forget, const char *text, size_t len)
{
    const struct forget_who *who = forget->who;
    return members_any(text, len, &forget->name, who->id, who->len) ||
           (len > 0 && memmem(text, len, who->id, who->len) != NULL &&
            members_read(text, len, NULL, 0, NULL) != 0);
}

static int forget_reject(void *arg, const struct store_reject *reject)
{
    struct forget *forget = arg;
    forget->at = reject->n;
    if (forget_concerns_reject(forget, reject->text, reject->len) &&
        forget_note(forget, &reject->n, sizeof reject->n, reject->text, reject->len) != 0)
        forget->failed = true;
    return forget_page_ends(forget, reject->len);
}

static int forget_erase_rejects(struct forget *forget)
{
    const int64_t *numbers = (const int64_t *)(const void *)forget->found.data;
    int status = forget_receipts(forget);
    for (size_t i = 0; i < forget->found_count && status == STORE_OK; i += SLICES_EVENTS) {
        size_t erased, count = forget->found_count - i;
        if (forget_step(forget, "rejects", forget->out->rejects, 0) != 0)
            break;
        status = slices_erase_rejects(forget->engine->writer, numbers + i,
                                      count < SLICES_EVENTS ? count : SLICES_EVENTS, &erased,
                                      forget->err);
        forget->out->rejects += (int64_t)erased;
    }
    return status;
}

/* All of them, a round at a time. */
static int forget_rejects(struct forget *forget)
{
    bool more = true;
    int status = STORE_OK;
    forget->at = INT64_MIN;
    while (status == STORE_OK && more && !forget->out->stopped) {
        forget_begin_round(forget);
        while (status == STORE_OK && more && forget->found_count < FORGET_ROUND &&
               forget_step(forget, "reading rejects", 0, 0) == 0) {
            forget->page_rows = forget->page_bytes = 0;
            status = store_page_rejects(forget->reader, forget->at, forget_reject, forget, &more,
                                        forget->err);
            if (forget->failed)
                status = forget_no_memory(forget);
        }
        if (status == STORE_OK && !forget->out->stopped)
            status = forget_erase_rejects(forget);
    }
    return status;
}

/* --- events ----------------------------------------------------------------------------------- */

/* The id is what the index of ids holds of the event. */
static int forget_note_id(struct forget *forget, const char *text, size_t len)
{
    static const struct members_name name = MEMBERS_NAME("id");
    struct scan_field id;
    if (members_read(text, len, &name, 1, &id) != 0 || id.kind != SCAN_STRING)
        return 0;
    if (!id.escaped)
        return traces_note_id(&forget->traces, text + id.value.at, id.value.len);
    forget->scratch.len = 0;
    if (bytes_reserve(&forget->scratch, id.value.len) != 0)
        return -1;
    size_t plain = scan_unescape(text + id.value.at, id.value.len, forget->scratch.data);
    return traces_note_id(&forget->traces, forget->scratch.data, plain);
}

static int forget_event(void *arg, const struct store_row *row)
{
    struct forget *forget = arg;
    forget->at = row->place.seq;
    if (members_any(row->text, row->len, &forget->name, forget->who->id, forget->who->len) &&
        (forget_note(forget, &row->place, sizeof row->place, row->text, row->len) != 0 ||
         (row->given && forget_note_id(forget, row->text, row->len) != 0)))
        forget->failed = true;
    return forget_page_ends(forget, row->len);
}

static int forget_erase_events(struct forget *forget, int64_t last_seq)
{
    const struct range_place *places = (const struct range_place *)(const void *)forget->found.data;
    int status = forget_receipts(forget);
    for (size_t i = 0; i < forget->found_count && status == STORE_OK;) {
        size_t most = slices_quiet(forget->engine->writer) ? SLICES_EVENTS_QUIET : SLICES_EVENTS;
        size_t erased, count = forget->found_count - i < most ? forget->found_count - i : most;
        if (forget_step(forget, "erasing", forget->at, last_seq) != 0)
            break;
        status = slices_erase(forget->engine->writer, places + i, count, &erased, forget->err);
        forget->out->events += (int64_t)erased;
        i += count;
    }
    return status;
}

static int forget_events(struct forget *forget, int64_t last_seq)
{
    bool more = true;
    int status = STORE_OK;
    forget->at = 0;
    while (status == STORE_OK && more && !forget->out->stopped) {
        forget_begin_round(forget);
        while (status == STORE_OK && more && forget->found_count < FORGET_ROUND &&
               forget_step(forget, "reading", forget->at, last_seq) == 0) {
            forget->page_rows = forget->page_bytes = 0;
            status = store_page_seq(forget->reader, forget->at, last_seq, forget_event, forget,
                                    &more, forget->err);
            if (forget->failed)
                status = forget_no_memory(forget);
        }
        if (status == STORE_OK && !forget->out->stopped)
            status = forget_erase_events(forget, last_seq);
    }
    return status;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int forget_traces(struct forget *forget)
{
    int status = traces_erase(&forget->traces, forget->err);
    forget->out->stopped = forget->traces.stopped;
    return status;
}

static int forget_run(struct forget *forget)
{
    struct store_newest newest = {0};
    int status = forget_rejects(forget);
    /* Looked up only now: a reject that was retried meanwhile has become an event. */
    if (status == STORE_OK && !forget->out->stopped)
        status = store_newest(forget->reader, &newest, forget->err);
    if (status == STORE_OK && !forget->out->stopped)
        status = forget_events(forget, newest.max_seq);
    if (status == STORE_OK && !forget->out->stopped)
        status = forget_traces(forget);
    forget->out->scrubbed = status == STORE_OK && !forget->out->stopped;
    return status;
}

int engine_forget(struct engine *engine, const struct forget_who *who,
                  const struct progress *progress, struct erasure *out, struct error *err)
{
    static const struct members_name user = MEMBERS_NAME("userId");
    static const struct members_name session = MEMBERS_NAME("sessionId");
    struct forget forget = {
        .engine = engine,
        .who = who,
        .name = who->session ? session : user,
        .progress = progress,
        .out = out,
        .err = err,
        .key = store_secret(engine->store),
        .traces = {.store = engine->store,
                   .writer = engine->writer,
                   .who = who,
                   .progress = progress},
    };
    *out = (struct erasure){0};
    if (who->len == 0) {
        error_set(err, "an empty ID is nobody's");
        return STORE_REFUSED;
    }
    /* Two at once would undo each other's rows of receipts. */
    pthread_mutex_lock(&engine->forgetting);
    int status = store_reader_open(engine->store, &forget.reader, err);
    if (status == STORE_OK)
        status = forget_run(&forget);
    store_reader_close(forget.reader);
    pthread_mutex_unlock(&engine->forgetting);
    traces_clear(&forget.traces);
    bytes_clear(&forget.found);
    bytes_clear(&forget.scratch);
    hash_set_clear(&forget.hashes);
    return status;
}
