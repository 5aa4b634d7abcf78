#include "store/sqlite/db.h"

#include <string.h>

#include "base/log.h"

int db_open(struct db *db, const char *path, int flags, struct error *err)
{
    memset(db, 0, sizeof *db);
    /* A connection belongs to one thread: SQLite's own mutexes would only cost. */
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        int status = STORE_BUSY;
        if (db->handle == NULL)
            error_set(err, "out of memory");
        else
            status = db_failure(db, err);
        db_close(db);
        return status;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    /* Closing must not write by itself: the writer checkpoints when it means to. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    /* Made now, for it is wanted when there is no memory to make it: a transaction that stays open
     * makes all that follow fail. */
    if (db_statement(db, SQL_ROLLBACK) == NULL) {
        int status = db_failure(db, err);
        db_close(db);
        return status;
    }
    return STORE_OK;
}

void db_close(struct db *db)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
}

int db_failure(struct db *db, struct error *err)
{
    int code = sqlite3_extended_errcode(db->handle);
    const char *message = sqlite3_errmsg(db->handle), *name = sqlite3_errstr(code);
    if (strcmp(message, name) == 0)
        error_set(err, "%s", message);
    else
        error_set(err, "%s (%s)", message, name);
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return STORE_REFUSED;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return STORE_UNFIT;
    default:
        return STORE_BUSY;
    }
}

sqlite3_stmt *db_statement(struct db *db, enum sql_statement name)
{
    if (db->statements[name] == NULL)
        (void)sqlite3_prepare_v3(db->handle, sql_text[name], -1, SQLITE_PREPARE_PERSISTENT,
                                 &db->statements[name], NULL);
    return db->statements[name];
}

void db_bind_int(sqlite3_stmt *statement, const char *parameter, int64_t value)
{
    (void)sqlite3_bind_int64(statement, sqlite3_bind_parameter_index(statement, parameter), value);
}

int db_finish(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW)
        code = sqlite3_step(statement);
    int status = code == SQLITE_DONE ? STORE_OK : db_failure(db, err);
    (void)sqlite3_reset(statement);
    return status;
}

int db_number(struct db *db, sqlite3_stmt *statement, int64_t *out, struct error *err)
{
    int code = sqlite3_step(statement);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    int status = code == SQLITE_ROW || code == SQLITE_DONE ? STORE_OK : db_failure(db, err);
    (void)sqlite3_reset(statement);
    return status;
}

int db_run(struct db *db, enum sql_statement name, struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, name);
    return statement == NULL ? db_failure(db, err) : db_finish(db, statement, err);
}

void db_abandon(struct db *db)
{
    struct error err = {""};
    if (!sqlite3_get_autocommit(db->handle) && db_run(db, SQL_ROLLBACK, &err) != STORE_OK)
        log_error("rollback failed: %s", err.text);
}

int db_flush_wal(struct db *db, struct error *err)
{
    sqlite3_file *wal = NULL;
    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK ||
        wal == NULL || wal->pMethods == NULL)
        return STORE_OK;
    int code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    if (code == SQLITE_OK)
        return STORE_OK;
    error_set(err, "the write-ahead log can't be flushed to the disk: %s", sqlite3_errstr(code));
    return STORE_BUSY;
}

int db_script(struct db *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? STORE_OK
                                                                        : db_failure(db, err);
}

int db_script_number(struct db *db, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_failure(db, err);
    int status = db_number(db, statement, out, err);
    sqlite3_finalize(statement);
    return status;
}
