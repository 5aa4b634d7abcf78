#include "store/sqlite/rejects.h"

int rejects_load(struct rejects *rejects, struct db *db, struct error *err)
{
    sqlite3_stmt *size = db_statement(db, SQL_REJECT_SIZE);
    if (size == NULL)
        return db_failure(db, err);
    int status = STORE_OK;
    if (sqlite3_step(size) == SQLITE_ROW) {
        rejects->rows = sqlite3_column_int64(size, 0);
        rejects->bytes = sqlite3_column_int64(size, 1);
    } else {
        status = db_failure(db, err);
    }
    (void)sqlite3_reset(size);
    return status;
}

static int rejects_drop_oldest(struct rejects *rejects, struct db *db, struct error *err)
{
    sqlite3_stmt *oldest = db_statement(db, SQL_REJECT_OLDEST);
    sqlite3_stmt *drop = db_statement(db, SQL_REJECT_DROP);
    if (oldest == NULL || drop == NULL)
        return db_failure(db, err);
    int code = sqlite3_step(oldest);
    if (code != SQLITE_ROW) {
        int status = code == SQLITE_DONE ? STORE_OK : db_failure(db, err);
        (void)sqlite3_reset(oldest);
        rejects->rows = rejects->bytes = 0;
        return status;
    }
    db_bind_int(drop, ":n", sqlite3_column_int64(oldest, 0));
    rejects->rows--;
    rejects->bytes -= sqlite3_column_int64(oldest, 1);
    (void)sqlite3_reset(oldest);
    return db_finish(db, drop, err);
}

int rejects_add(struct rejects *rejects, struct db *db, int64_t received, const char *reason,
                const char *text, size_t len, struct error *err)
{
    if (rejects->max_rows == 0 || (int64_t)len > rejects->max_bytes)
        return STORE_OK;
    sqlite3_stmt *insert = db_statement(db, SQL_INSERT_REJECT);
    if (insert == NULL)
        return db_failure(db, err);
    db_bind_int(insert, ":received", received);
    if (sqlite3_bind_text(insert, sqlite3_bind_parameter_index(insert, ":reason"), reason, -1,
                          SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_blob64(insert, sqlite3_bind_parameter_index(insert, ":event"), text, len,
                            SQLITE_STATIC) != SQLITE_OK)
        return db_failure(db, err);
    int status = db_finish(db, insert, err);
    rejects->rows++;
    rejects->bytes += (int64_t)len;
    while (status == STORE_OK &&
           (rejects->rows > rejects->max_rows || rejects->bytes > rejects->max_bytes))
        status = rejects_drop_oldest(rejects, db, err);
    return status;
}

int rejects_add_batch(struct rejects *rejects, struct db *db, const struct batch *batch,
                      size_t known, struct error *err)
{
    int status = STORE_OK;
    for (size_t i = 0; i < batch->reject_kept && status == STORE_OK; i++) {
        const struct batch_reject *reject = &batch->rejects[i];
        if (known == 0 || reject->position > known)
            status = rejects_add(rejects, db, batch->received_ms, batch_reason_text(reject->reason),
                                 reject->text, reject->text_len, err);
    }
    return status;
}

int rejects_erase(struct rejects *rejects, struct db *db, int64_t n, bool *erased,
                  struct error *err)
{
    sqlite3_stmt *length = db_statement(db, SQL_REJECT_LENGTH);
    sqlite3_stmt *drop = db_statement(db, SQL_REJECT_DROP);
    int64_t bytes = 0;
    *erased = false;
    if (length == NULL || drop == NULL)
        return db_failure(db, err);
    db_bind_int(length, ":n", n);
    db_bind_int(drop, ":n", n);
    int status = db_number(db, length, &bytes, err);
    if (status == STORE_OK)
        status = db_finish(db, drop, err);
    *erased = status == STORE_OK && sqlite3_changes(db->handle) > 0;
    if (*erased) {
        rejects->rows--;
        rejects->bytes -= bytes;
    }
    return status;
}
