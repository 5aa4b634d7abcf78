#include "store/sqlite/sqlite_facts.h"

#include <sys/stat.h>

#include "store/sqlite/sqlite_reader_parts.h"

struct facts_number {
    const char *sql;
    int64_t *out;
};

static int facts_numbers(struct db *db, const struct facts_number *numbers, size_t count,
                         struct error *err)
{
    int status = STORE_OK;
    for (size_t i = 0; i < count && status == STORE_OK; i++)
        status = db_script_number(db, numbers[i].sql, numbers[i].out, err);
    return status;
}

int sqlite_facts_quick(struct db *db, struct store_facts *out, struct error *err)
{
    const struct facts_number numbers[] = {
        {"PRAGMA user_version", &out->schema},
        {"PRAGMA page_size", &out->page_bytes},
        {"PRAGMA page_count", &out->pages},
        {"PRAGMA freelist_count", &out->free_pages},
        {"SELECT coalesce(sum(events), 0) FROM tally_day", &out->events},
        {"SELECT coalesce(max(seq), 0) FROM events", &out->last_seq},
        {"SELECT coalesce(min(ts), 0) FROM events", &out->oldest_ms},
        {"SELECT coalesce(max(ts), 0) FROM events", &out->newest_ms},
        {"SELECT count(*) FROM rejects", &out->rejects},
    };
    return facts_numbers(db, numbers, sizeof numbers / sizeof *numbers, err);
}

/* What is found by going through whole tables. */
static int facts_rest(struct db *db, struct store_facts *out, struct error *err)
{
    const struct facts_number numbers[] = {
        {"SELECT coalesce(sum(length(event)), 0) FROM rejects", &out->rejects_bytes},
        {"SELECT count(*) FROM receipts", &out->receipts},
        {"SELECT coalesce(sum(length(receipts)), 0) FROM receipts", &out->receipts_bytes},
        {"SELECT coalesce(min(at), 0) FROM receipts", &out->receipts_oldest_ms},
    };
    return facts_numbers(db, numbers, sizeof numbers / sizeof *numbers, err);
}

static int64_t facts_file(const char *path)
{
    struct stat info;
    return path != NULL && stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
}

void sqlite_facts_files(struct db *db, struct store_facts *out)
{
    const char *file = sqlite3_db_filename(db->handle, "main");
    out->file_bytes = facts_file(file);
    out->wal_bytes = file != NULL ? facts_file(sqlite3_filename_wal(file)) : 0;
}

int sqlite_facts(struct store_reader *base, struct store_facts *out, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    *out = (struct store_facts){0};
    int status = db_run(db, SQL_BEGIN_READ, err);
    if (status == STORE_OK)
        status = sqlite_facts_quick(db, out, err);
    if (status == STORE_OK)
        status = facts_rest(db, out, err);
    if (status == STORE_OK)
        status = db_run(db, SQL_COMMIT, err);
    db_abandon(db);
    sqlite_facts_files(db, out);
    return status == STORE_OK ? STORE_OK : STORE_BUSY;
}

int sqlite_days(struct store_reader *base, store_day_fn *day, void *arg, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *rows = db_statement(db, SQL_DAYS);
    int code = SQLITE_ROW;
    if (rows == NULL) {
        (void)db_failure(db, err);
        return STORE_BUSY;
    }
    while ((code = sqlite3_step(rows)) == SQLITE_ROW)
        if (day(arg, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1)) != 0)
            break;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        (void)db_failure(db, err);
    (void)sqlite3_reset(rows);
    return code == SQLITE_ROW || code == SQLITE_DONE ? STORE_OK : STORE_BUSY;
}
