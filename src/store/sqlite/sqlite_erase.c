/* Rows go, and what they took: the tally follows in the same transaction, space and WAL after it.
 */

#include <stdio.h>
#include <sys/stat.h>

#include "store/sqlite/sqlite_store_parts.h"

/* --- the tally -------------------------------------------------------------------------------- */

/* Takes the events of store->tally off one step's table, and what is empty then out of it. */
static int erase_lower(struct sqlite_store *store, enum sql_statement lower,
                       enum sql_statement empty, struct error *err)
{
    sqlite3_stmt *less = db_statement(&store->db, lower), *none = db_statement(&store->db, empty);
    int status = STORE_OK;
    if (less == NULL || none == NULL)
        return db_failure(&store->db, err);
    for (size_t i = 0; i < store->tally.count && status == STORE_OK; i++) {
        db_bind_int(less, ":at", store->tally.steps[i].at);
        db_bind_int(less, ":events", store->tally.steps[i].events);
        db_bind_int(none, ":at", store->tally.steps[i].at);
        status = db_finish(&store->db, less, err);
        if (status == STORE_OK)
            status = db_finish(&store->db, none, err);
    }
    return status;
}

static int erase_lower_tally(struct sqlite_store *store, struct error *err)
{
    static const enum sql_statement lower[STEP_COUNT] = {
        [STEP_SECOND] = SQL_LOWER_SECOND,
        [STEP_MINUTE] = SQL_LOWER_MINUTE,
        [STEP_HOUR] = SQL_LOWER_HOUR,
        [STEP_DAY] = SQL_LOWER_DAY,
    };
    static const enum sql_statement empty[STEP_COUNT] = {
        [STEP_SECOND] = SQL_EMPTY_SECOND,
        [STEP_MINUTE] = SQL_EMPTY_MINUTE,
        [STEP_HOUR] = SQL_EMPTY_HOUR,
        [STEP_DAY] = SQL_EMPTY_DAY,
    };
    int status = STORE_OK;
    for (int step = 0; step < STEP_COUNT && status == STORE_OK; step++) {
        tally_fold(&store->tally, (enum step)step);
        status = erase_lower(store, lower[step], empty[step], err);
    }
    tally_reset(&store->tally); /* what is left in it would be added at the end */
    return status;
}

/* --- events ----------------------------------------------------------------------------------- */

/* Erases one event if it is there. */
static int erase_event(struct sqlite_store *store, struct range_place place, bool *erased,
                       struct error *err)
{
    sqlite3_stmt *erase = db_statement(&store->db, SQL_ERASE_EVENT);
    if (erase == NULL)
        return db_failure(&store->db, err);
    db_bind_int(erase, ":seq", place.seq);
    db_bind_int(erase, ":ts", place.ts);
    int status = db_finish(&store->db, erase, err);
    *erased = status == STORE_OK && sqlite3_changes(store->db.handle) > 0;
    if (!*erased)
        return status;
    store->total--;
    if (tally_add(&store->tally, place.ts) != 0) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    return STORE_OK;
}

/* Erases them within the open transaction. */
static int erase_places(struct sqlite_store *store, const struct range_place *places, size_t count,
                        size_t *erased, struct error *err)
{
    int status = STORE_OK;
    bool top = false;
    *erased = 0;
    for (size_t i = 0; i < count && status == STORE_OK; i++) {
        bool gone = false;
        status = erase_event(store, places[i], &gone, err);
        *erased += gone;
        top = top || (gone && places[i].seq == store->last_seq);
    }
    if (status == STORE_OK && *erased > 0) {
        store->erasures++;
        status = db_run(&store->db, SQL_NOTE_ERASURE, err);
    }
    if (status == STORE_OK && top)
        status = sqlite_store_note_last_seq(store, err);
    return status == STORE_OK ? erase_lower_tally(store, err) : status;
}

/* What the store refuses (a trigger of the database) is not the caller's to handle. */
static int erase_end(struct sqlite_store *store, int status, struct error *err)
{
    return sqlite_store_end(store, status, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}

int sqlite_store_erase(struct store *base, const struct range_place *places, size_t count,
                       size_t *erased, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    *erased = 0;
    int status = sqlite_store_begin(store, err);
    if (status == STORE_OK)
        status = erase_places(store, places, count, erased, err);
    status = erase_end(store, status, err);
    if (status != STORE_OK)
        *erased = 0;
    return status;
}

static int erase_find_oldest(struct sqlite_store *store, int64_t before_ms, size_t most,
                             struct range_place *places, size_t *found, struct error *err)
{
    sqlite3_stmt *oldest = db_statement(&store->db, SQL_OLDEST_PLACES);
    int code = SQLITE_DONE, status = STORE_OK;
    *found = 0;
    if (oldest == NULL)
        return db_failure(&store->db, err);
    db_bind_int(oldest, ":before", before_ms);
    db_bind_int(oldest, ":most", (int64_t)most);
    while (*found < most && (code = sqlite3_step(oldest)) == SQLITE_ROW)
        places[(*found)++] =
            (struct range_place){sqlite3_column_int64(oldest, 0), sqlite3_column_int64(oldest, 1)};
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = db_failure(&store->db, err);
    (void)sqlite3_reset(oldest);
    return status;
}

int sqlite_store_erase_oldest(struct store *base, int64_t before_ms, size_t most,
                              struct range_place *places, size_t *erased, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    size_t found = 0;
    *erased = 0;
    int status = sqlite_store_begin(store, err);
    if (status == STORE_OK)
        status = erase_find_oldest(store, before_ms, most, places, &found, err);
    if (status == STORE_OK)
        status = erase_places(store, places, found, erased, err);
    status = erase_end(store, status, err);
    if (status != STORE_OK)
        *erased = 0;
    return status;
}

/* --- what else holds something of events --------------------------------------------------------
 */

int sqlite_store_erase_rejects(struct store *base, const int64_t *numbers, size_t count,
                               size_t *erased, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    *erased = 0;
    int status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++) {
        bool gone = false;
        status = rejects_erase(&store->rejects, &store->db, numbers[i], &gone, err);
        *erased += gone;
    }
    status = erase_end(store, status, err);
    if (status != STORE_OK)
        *erased = 0;
    return status;
}

static int erase_receipts_row(struct sqlite_store *store, const struct store_receipts_row *row,
                              struct error *err)
{
    sqlite3_stmt *statement =
        db_statement(&store->db, row->len > 0 ? SQL_REPLACE_RECEIPTS : SQL_ERASE_RECEIPTS);
    if (statement == NULL)
        return db_failure(&store->db, err);
    db_bind_int(statement, ":n", row->row);
    if (row->len > 0 &&
        sqlite3_bind_blob64(statement, sqlite3_bind_parameter_index(statement, ":receipts"),
                            row->data, row->len, SQLITE_STATIC) != SQLITE_OK)
        return db_failure(&store->db, err);
    int status = db_finish(&store->db, statement, err);
    (void)sqlite3_clear_bindings(statement);
    return status;
}

int sqlite_store_replace_receipts(struct store *base, const struct store_receipts_row *rows,
                                  size_t count, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int status = sqlite_store_begin(store, err);
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = erase_receipts_row(store, &rows[i], err);
    return erase_end(store, status, err);
}

/* --- the file -----------------------------------------------------------------------------------
 */

static int erase_number(struct sqlite_store *store, enum sql_statement name, int64_t *out,
                        struct error *err)
{
    sqlite3_stmt *statement = db_statement(&store->db, name);
    return statement == NULL ? db_failure(&store->db, err)
                             : db_number(&store->db, statement, out, err);
}

int sqlite_store_size(struct store *base, struct store_size *out, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct stat info;
    *out = (struct store_size){0};
    int status = erase_number(store, SQL_PAGE_SIZE, &out->page_bytes, err);
    if (status == STORE_OK)
        status = erase_number(store, SQL_PAGE_COUNT, &out->pages, err);
    if (status == STORE_OK)
        status = erase_number(store, SQL_FREELIST_COUNT, &out->free_pages, err);
    const char *wal = sqlite3_filename_wal(sqlite3_db_filename(store->db.handle, "main"));
    if (wal != NULL && stat(wal, &info) == 0)
        out->wal_bytes = info.st_size;
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

int sqlite_store_shrink(struct store *base, int64_t pages, int64_t *left, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    char text[64];
    /* One step of it moves one page: db_script takes them all. */
    snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%lld)", (long long)pages);
    int status = pages > 0 ? db_script(&store->db, text, err) : STORE_OK;
    if (status == STORE_OK)
        status = erase_number(store, SQL_FREELIST_COUNT, left, err);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

int sqlite_store_scrub(struct store *base, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    return checkpoint_empty(&store->checkpoint, &store->db, err);
}

int sqlite_store_rebuild_index(struct store *base, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    return db_run(&store->db, SQL_REBUILD_GIVEN, err) == STORE_OK ? STORE_OK : STORE_BUSY;
}

int sqlite_store_rewrite(struct store *base, struct error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    return db_script(&store->db, "VACUUM", err) == STORE_OK ? STORE_OK : STORE_BUSY;
}
