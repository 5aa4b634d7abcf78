#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/ops.h"
#include "store/sqlite/audit.h"
#include "store/sqlite/fit.h"
#include "store/sqlite/sqlite_ask.h"
#include "store/sqlite/sqlite_copy.h"
#include "store/sqlite/sqlite_facts.h"
#include "store/sqlite/sqlite_reader.h"
#include "store/sqlite/sqlite_store_parts.h"

/* SQLite's instructions between two signs of life (store_on_work): some milliseconds. */
#define STORE_WORK_STEPS 100000

int sqlite_store_note_last_seq(struct sqlite_store *store, struct error *err)
{
    sqlite3_stmt *note = db_statement(&store->db, SQL_NOTE_LAST_SEQ);
    if (note == NULL)
        return db_failure(&store->db, err);
    db_bind_int(note, ":seq", store->last_seq);
    return db_finish(&store->db, note, err);
}

/* Someone has deleted the newest rows: their numbers are not to be given out again. Part of the
 * open transaction. */
static int store_keep_last_seq(struct sqlite_store *store, struct error *err)
{
    store->last_seq = store->base.state.last_seq;
    return sqlite_store_note_last_seq(store, err);
}

static int store_load(struct sqlite_store *store, struct error *err)
{
    sqlite3_stmt *last = db_statement(&store->db, SQL_LAST_SEQ);
    sqlite3_stmt *total = db_statement(&store->db, SQL_TOTAL);
    sqlite3_stmt *erasures = db_statement(&store->db, SQL_ERASURES);
    if (last == NULL || total == NULL || erasures == NULL)
        return db_failure(&store->db, err);
    int status = db_number(&store->db, last, &store->last_seq, err);
    if (status == STORE_OK)
        status = db_number(&store->db, total, &store->total, err);
    if (status == STORE_OK)
        status = db_number(&store->db, erasures, &store->erasures, err);
    if (status == STORE_OK && store->last_seq < store->base.state.last_seq)
        status = store_keep_last_seq(store, err);
    if (status == STORE_OK)
        status = rejects_load(&store->rejects, &store->db, err);
    store->stale = status != STORE_OK;
    return status;
}

/* Makes the tally anew from the events, which may have become others. Part of the open transaction.
 */
static int store_recount(struct sqlite_store *store, struct error *err)
{
    static const enum sql_statement names[] = {
        SQL_RECOUNT_CLEAR_SECOND, SQL_RECOUNT_CLEAR_MINUTE, SQL_RECOUNT_CLEAR_HOUR,
        SQL_RECOUNT_CLEAR_DAY,    SQL_RECOUNT_SECOND,       SQL_RECOUNT_MINUTE,
        SQL_RECOUNT_HOUR,         SQL_RECOUNT_DAY,
    };
    int status = db_run(&store->db, SQL_NOTE_ERASURE, err);
    for (size_t i = 0; i < sizeof names / sizeof *names && status == STORE_OK; i++)
        status = db_run(&store->db, names[i], err);
    return status;
}

static int store_read_version(struct sqlite_store *store, int64_t *version, struct error *err)
{
    sqlite3_stmt *statement = db_statement(&store->db, SQL_DATA_VERSION);
    return statement == NULL ? db_failure(&store->db, err)
                             : db_number(&store->db, statement, version, err);
}

/* A person with the sqlite3 shell may have changed rows: this process alone writes otherwise. */
static int store_notice(struct sqlite_store *store, struct error *err)
{
    int status = store_read_version(store, &store->seen_version, err);
    if (status != STORE_OK || (store->seen_version == store->data_version && !store->doubted))
        return status;
    if (store->seen_version != store->data_version)
        log_warn("%s was changed by another program; counting its events anew", store->database);
    store->stale = true;
    return store_recount(store, err);
}

int sqlite_store_begin(struct sqlite_store *store, struct error *err)
{
    tally_reset(&store->tally);
    int status = db_run(&store->db, SQL_BEGIN, err);
    if (status == STORE_OK)
        status = store_notice(store, err);
    if (status == STORE_OK && store->stale)
        status = store_load(store, err);
    return status;
}

static int store_flush_tally(struct sqlite_store *store, struct error *err)
{
    static const enum sql_statement names[STEP_COUNT] = {
        [STEP_SECOND] = SQL_TALLY_SECOND,
        [STEP_MINUTE] = SQL_TALLY_MINUTE,
        [STEP_HOUR] = SQL_TALLY_HOUR,
        [STEP_DAY] = SQL_TALLY_DAY,
    };
    for (int step = 0; step < STEP_COUNT; step++) {
        tally_fold(&store->tally, (enum step)step);
        sqlite3_stmt *statement = db_statement(&store->db, names[step]);
        if (statement == NULL)
            return db_failure(&store->db, err);
        for (size_t i = 0; i < store->tally.count; i++) {
            db_bind_int(statement, ":at", store->tally.steps[i].at);
            db_bind_int(statement, ":events", store->tally.steps[i].events);
            int status = db_finish(&store->db, statement, err);
            if (status != STORE_OK)
                return status;
        }
    }
    return STORE_OK;
}

/* What is read or added up so far is committed. */
static void store_publish(struct sqlite_store *store)
{
    store->base.state = (struct store_state){
        .last_seq = store->last_seq, .total = store->total, .erasures = store->erasures};
}

int sqlite_store_end(struct sqlite_store *store, int status, struct error *err)
{
    if (status == STORE_OK)
        status = store_flush_tally(store, err);
    if (status == STORE_OK)
        status = db_run(&store->db, SQL_COMMIT, err);
    if (status != STORE_OK) {
        db_abandon(&store->db);
        store->stale = true;
        store->receipts_before = 0;
        /* Damage found while running is not ours to judge: answer 503, let a person look. */
        if (status == STORE_UNFIT)
            status = STORE_BUSY;
        return status;
    }
    store->data_version = store->seen_version;
    store->doubted = false;
    store_publish(store);
    return STORE_OK;
}

static int sqlite_store_load_receipts(struct store *base, store_receipts_fn *fn, void *arg,
                                      struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct error why = {""};
    sqlite3_stmt *rows = db_statement(&store->db, SQL_ALL_RECEIPTS);
    int code = SQLITE_ERROR, status = STORE_OK;
    while (rows != NULL && (code = sqlite3_step(rows)) == SQLITE_ROW)
        if (fn(arg, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1),
               sqlite3_column_blob(rows, 2), (size_t)sqlite3_column_bytes(rows, 2)) != 0)
            break;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)db_failure(&store->db, &why);
        error_set(err, "%s: %s", store->database, why.text);
        status = STORE_BUSY;
    }
    (void)sqlite3_reset(rows);
    return status;
}

static bool sqlite_store_tend(struct store *base, bool idle, int64_t now_ms)
{
    (void)now_ms; /* receipts go with the appends */
    struct sqlite_store *store = (struct sqlite_store *)base;
    const struct checkpoint *checkpoint = &store->checkpoint;
    bool more = checkpoint_tend(&store->checkpoint, &store->db, idle);
    base->checkpoints = (struct store_checkpoints){
        .done = checkpoint->done,
        .failed = checkpoint->failed,
        .last_ms = checkpoint->last_ms,
        .spoilt = checkpoint->spoilt,
    };
    return more;
}

static bool sqlite_store_changed(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct error err;
    int64_t version = 0;
    if (store->doubted)
        return true;
    return store_read_version(store, &version, &err) == STORE_OK && version != store->data_version;
}

static void sqlite_store_doubt(struct store *base)
{
    ((struct sqlite_store *)base)->doubted = true;
}

static void sqlite_store_close(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (store->open)
        checkpoint_finish(&store->checkpoint, &store->db);
    if (store->db.handle != NULL)
        db_close(&store->db);
    checkpoint_close(&store->checkpoint);
    tally_clear(&store->tally);
    gate_clear(&store->gate);
    free(store->database);
    if (store->lock >= 0)
        close(store->lock);
    free(store);
}

static int sqlite_store_reader_open(struct store *base, struct store_reader **out,
                                    struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct error why = {""};
    gate_enter(&store->gate); /* it reads the schema */
    int status = sqlite_reader_open(store->database, base->ops, out, &why);
    gate_leave(&store->gate);
    if (status == STORE_OK)
        (*out)->gate = &store->gate;
    else
        error_set(err, "%s: %s", store->database, why.text);
    return status;
}

static void sqlite_store_limit_rejects(struct store *base, int64_t max_rejects,
                                       int64_t max_rejects_bytes)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    atomic_store(&store->rejects.max_rows, max_rejects);
    atomic_store(&store->rejects.max_bytes, max_rejects_bytes);
}

/* Days are not kept apart. */
static int sqlite_store_drop_days(struct store *base, int64_t before_ms, int64_t used_bytes,
                                  struct store_dropped *out, struct error *err)
{
    (void)base;
    (void)before_ms;
    (void)used_bytes;
    (void)err;
    *out = (struct store_dropped){0};
    return STORE_OK;
}

static const struct store_ops sqlite_store_ops = {
    .close = sqlite_store_close,
    .limit_rejects = sqlite_store_limit_rejects,
    .append = sqlite_store_append,
    .append_apart = sqlite_store_append_apart,
    .load_receipts = sqlite_store_load_receipts,
    .erase_oldest = sqlite_store_erase_oldest,
    .erase = sqlite_store_erase,
    .erase_rejects = sqlite_store_erase_rejects,
    .retry_rejects = sqlite_store_retry_rejects,
    .replace_receipts = sqlite_store_replace_receipts,
    .size = sqlite_store_size,
    .shrink = sqlite_store_shrink,
    .scrub = sqlite_store_scrub,
    .find_traces = sqlite_store_find_traces,
    .clean_traces = sqlite_store_clean_traces,
    .rebuild_index = sqlite_store_rebuild_index,
    .rewrite = sqlite_store_rewrite,
    .tend = sqlite_store_tend,
    .probe = sqlite_store_probe,
    .changed = sqlite_store_changed,
    .doubt = sqlite_store_doubt,
    .reader_open = sqlite_store_reader_open,
    .reader_close = sqlite_reader_close,
    .survey = sqlite_reader_survey,
    .newest = sqlite_reader_newest,
    .page = sqlite_reader_page,
    .page_up = sqlite_reader_page_up,
    .page_down = sqlite_reader_page_down,
    .page_seq = sqlite_reader_page_seq,
    .seq_back = sqlite_reader_seq_back,
    .page_rejects = sqlite_reader_page_rejects,
    .page_receipts = sqlite_reader_page_receipts,
    .known = sqlite_reader_known,
    .facts = sqlite_facts,
    .count_steps = sqlite_count_steps,
    .show_rejects = sqlite_show_rejects,
    .days = sqlite_days,
    .origin = sqlite_reader_origin,
    .ask = sqlite_ask,
    .copy_begin = sqlite_copy_begin,
    .copy_step = sqlite_copy_step,
    .copy_end = sqlite_copy_end,
    .drop_days = sqlite_store_drop_days,
};

static int sqlite_store_reader_open_file(const char *database, struct store_reader **out,
                                         struct error *err)
{
    return sqlite_reader_open_file(database, &sqlite_store_ops, out, err);
}

static int store_read_secret(struct sqlite_store *store, struct error *err)
{
    sqlite3_stmt *statement = db_statement(&store->db, SQL_SECRET);
    if (statement == NULL)
        return db_failure(&store->db, err);
    int code = sqlite3_step(statement), status = STORE_OK;
    if (code == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == SIPHASH_KEY_BYTES) {
        memcpy(store->base.secret, sqlite3_column_blob(statement, 0), SIPHASH_KEY_BYTES);
    } else if (code == SQLITE_ROW || code == SQLITE_DONE) {
        error_set(err, "its table meta holds no secret of 16 bytes");
        status = STORE_UNFIT;
    } else {
        status = db_failure(&store->db, err);
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* What is to be known of a database that is fit. */
static int store_take_up(struct sqlite_store *store, const struct store_options *options,
                         struct error *err)
{
    int status = checkpoint_open(&store->checkpoint, &store->db, store->database, &store->gate,
                                 options->synchronous == STORE_SYNC_NORMAL, err);
    if (status == STORE_OK)
        status = store_read_secret(store, err);
    if (status == STORE_OK)
        status = store_load(store, err);
    if (status == STORE_OK)
        status = store_read_version(store, &store->data_version, err);
    if (status == STORE_OK)
        store_publish(store);
    return status;
}

/* From within statements of the writing connection: the work goes on (0). */
static int store_works(void *arg)
{
    const struct sqlite_store *store = arg;
    if (store->base.works != NULL)
        store->base.works(store->base.works_arg);
    return 0;
}

static int sqlite_store_open(struct store **out, const struct store_options *options,
                             struct error *err)
{
    /* The statistics cost a mutex shared by all connections. Too late is no harm. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    store->base.ops = &sqlite_store_ops;
    store->lock = -1;
    store->checkpoint.file = -1;
    store->stale = true;
    sqlite_store_limit_rejects(&store->base, options->max_rejects, options->max_rejects_bytes);
    tally_init(&store->tally);
    gate_init(&store->gate);
    struct error why = {""};
    int status = STORE_BUSY;
    store->database = strdup(options->database);
    if (store->database == NULL) {
        error_set(err, "out of memory");
        goto out;
    }
    status = fit_header(options->database, err);
    if (status != STORE_OK)
        goto out;
    store->lock = fit_lock(options->database, err);
    if (store->lock < 0) {
        status = store->lock;
        goto out;
    }
    status = fit_open(&store->db, options, err);
    if (status != STORE_OK)
        goto out;
    status = store_take_up(store, options, &why);
    if (status != STORE_OK)
        error_set(err, "%s: %s", store->database, why.text);
    sqlite3_progress_handler(store->db.handle, STORE_WORK_STEPS, store_works, store);
out:
    store->open = status == STORE_OK;
    if (store->open)
        *out = &store->base;
    else
        sqlite_store_close(&store->base);
    return status;
}

/* Whatever nobody else takes is a path. */
static bool sqlite_store_takes(const char *database)
{
    (void)database;
    return true;
}

static void sqlite_store_name(const char *database, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", database);
}

static int sqlite_store_check(const char *database, struct error *err)
{
    (void)database;
    (void)err;
    return STORE_OK;
}

const struct store_kind sqlite_kind = {
    .file = true,
    .takes = sqlite_store_takes,
    .name = sqlite_store_name,
    .check = sqlite_store_check,
    .open = sqlite_store_open,
    .reader_open_file = sqlite_store_reader_open_file,
    .audit = sqlite_audit,
    .query_at = sqlite_query_at,
    .views = sqlite_views,
};
