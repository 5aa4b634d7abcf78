#include "engine/traces.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/slices.h"
#include "store/shared.h"

/* How often the WAL is tried to be emptied. */
#define TRACES_TRIES 40
#define TRACES_AGAIN_MS 100
/* How often the file is cleaned before what is left in it is judged. */
#define TRACES_ROUNDS 3
/* Of an id that many bytes at its end are looked for; a part of it says nothing. */
#define TRACES_ID_BYTES 8
/* One that is shorter stands among the numbers of an index by chance. */
#define TRACES_WHO_BYTES 6

void traces_clear(struct traces *traces)
{
    hash_set_clear(&traces->ids);
}

static uint64_t traces_hash(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    word = (word ^ word >> 31) * UINT64_C(0x7fb5d329728ea185);
    return word ^ word >> 27;
}

int traces_note_id(struct traces *traces, const char *id, size_t len)
{
    return len < TRACES_ID_BYTES
               ? 0
               : hash_set_add(&traces->ids, traces_hash(id + len - TRACES_ID_BYTES));
}

static bool traces_step(struct traces *traces, const char *what)
{
    if (progress_step(traces->progress, what, 0, 0) == 0)
        return true;
    traces->stopped = true;
    return false;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* What one reading of the file has found. */
struct traces_found {
    const struct traces *traces;
    struct bytes pages; /* int64_t: pages of tables to be cleaned */
    bool index;         /* erased ids stand in the index's unused parts */
    bool id;            /* whose it all was stands in some */
    bool failed;        /* out of memory */
};

static bool traces_holds_id(const struct hash_set *ids, const char *at, size_t len)
{
    for (size_t i = 0; ids->count > 0 && i + TRACES_ID_BYTES <= len; i++)
        if (hash_set_has(ids, traces_hash(at + i)))
            return true;
    return false;
}

static void traces_see(void *arg, int64_t page, bool table, const char *bytes, size_t len)
{
    struct traces_found *found = arg;
    const struct forget_who *who = found->traces->who;
    bool says = table || who->len >= TRACES_WHO_BYTES;
    found->id = found->id || (says && memmem(bytes, len, who->id, who->len) != NULL);
    if (!table)
        found->index = found->index || traces_holds_id(&found->traces->ids, bytes, len);
    else if (bytes_append(&found->pages, &page, sizeof page) != 0)
        found->failed = true;
}

static int traces_find(struct traces *traces, struct traces_found *found, struct error *err)
{
    int64_t page = 0;
    bool more = true;
    int status = STORE_OK;
    found->pages.len = 0;
    found->index = found->id = false;
    while (status == STORE_OK && more && traces_step(traces, "looking for traces")) {
        status = store_find_traces(traces->store, &page, traces_see, found, &more, err);
        if (status == STORE_OK && found->failed) {
            error_set(err, "out of memory");
            status = STORE_BUSY;
        }
    }
    return status;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Readers are done in a moment; another program's may not be. */
static int traces_empty_wal(struct traces *traces, struct error *err)
{
    struct error why = {""};
    for (int i = 0; i < TRACES_TRIES && traces_step(traces, "emptying the WAL"); i++) {
        if (slices_scrub(traces->writer, &why) == STORE_OK)
            return STORE_OK;
        clock_sleep_us(TRACES_AGAIN_MS * 1000);
    }
    if (traces->stopped)
        return STORE_OK;
    error_set(
        err,
        "all of it is erased, but the WAL may hold traces and can't be emptied (%s): end what "
        "reads the database, another program or a backup, and forget once more",
        why.text);
    return STORE_BUSY;
}

static int traces_clean(struct traces *traces, const struct traces_found *found, struct error *err)
{
    const int64_t *pages = (const int64_t *)(const void *)found->pages.data;
    size_t count = found->pages.len / sizeof *pages;
    int status = STORE_OK;
    for (size_t i = 0; i < count && status == STORE_OK; i += SLICES_PAGES) {
        if (!traces_step(traces, "removing traces"))
            return STORE_OK;
        status = slices_clean_traces(traces->writer, pages + i,
                                     count - i < SLICES_PAGES ? count - i : SLICES_PAGES, err);
    }
    if (status == STORE_OK && found->index) {
        log_info("forget: making the index of ids anew; nothing is committed meanwhile");
        status = slices_rebuild_index(traces->writer, err);
    }
    return status == STORE_OK ? traces_empty_wal(traces, err) : status;
}

/* Round by round, until there is nothing to clean. */
static int traces_rounds(struct traces *traces, struct traces_found *found, struct error *err)
{
    for (int round = 0; !traces->stopped; round++) {
        int status = traces_find(traces, found, err);
        if (status != STORE_OK || round == TRACES_ROUNDS ||
            (found->pages.len == 0 && !found->index))
            return status;
        status = traces_clean(traces, found, err);
        if (status != STORE_OK)
            return status;
    }
    return STORE_OK;
}

/* Of a server's files nothing is known here: it is told to clean up. */
static int traces_vacuum(struct traces *traces, struct error *err)
{
    struct error why = {""};
    bool more = true;
    int status = STORE_OK;
    for (int tries = 0; more && tries < TRACES_TRIES && traces_step(traces, "vacuuming"); tries++) {
        status = store_vacuum(traces->store, &more, &why);
        if (status == STORE_OK)
            tries = 0;
        else
            clock_sleep_us(TRACES_AGAIN_MS * 1000);
    }
    if (status == STORE_OK || traces->stopped)
        return STORE_OK;
    error_set(err,
              "all of it is erased, but the server can't clean up what is left in its tables (%s): "
              "its autovacuum will",
              why.text);
    return STORE_BUSY;
}

int traces_erase(struct traces *traces, struct error *err)
{
    if (store_shared(traces->store))
        return traces_vacuum(traces, err);
    struct traces_found found = {.traces = traces};
    int status = traces_empty_wal(traces, err);
    if (status == STORE_OK)
        status = traces_rounds(traces, &found, err);
    if (status == STORE_OK && !traces->stopped && (found.id || found.index)) {
        log_info("forget: writing the whole database anew; nothing is committed meanwhile");
        status = slices_rewrite(traces->writer, err);
        if (status == STORE_OK)
            status = traces_empty_wal(traces, err);
    }
    bytes_clear(&found.pages);
    return status;
}
