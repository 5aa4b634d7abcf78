#include "store/sqlite/sqlite_ask.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/sqlite/sqlite_reader_parts.h"

/* Steps of SQLite's machine between two looks whether to stop: some tenths of a millisecond. */
#define ASK_STEPS 2000

bool sqlite_query_at(size_t n, struct store_query *out)
{
    if (n >= SQL_QUERY_COUNT)
        return false;
    *out = (struct store_query){sql_queries[n].name, sql_queries[n].help, sql_queries[n].text};
    return true;
}

const char *sqlite_views(void)
{
    return sql_views;
}

/* The connection could not write, but ATTACH opens other files, and a pragma can do much. */
static int ask_authorize(void *arg, int action, const char *a, const char *b, const char *database,
                         const char *trigger)
{
    (void)arg, (void)a, (void)b, (void)database, (void)trigger;
    bool reads = action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                 action == SQLITE_RECURSIVE;
    return reads ? SQLITE_OK : SQLITE_DENY;
}

static int ask_progress(void *arg)
{
    const struct store_ask *ask = arg;
    return ask->stop(ask->arg) ? 1 : 0;
}

/* Why a text could not be made ready: always its own fault, unless memory or the file fails. */
static int ask_unready(struct db *db, struct error *err)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    int status = db_failure(db, err);
    if (code == SQLITE_AUTH)
        error_set(err, "only a SELECT can be asked");
    return code == SQLITE_ERROR || code == SQLITE_AUTH || code == SQLITE_TOOBIG ? STORE_REFUSED
                                                                                : status;
}

/* One statement that reads, and nothing behind it. */
static int ask_prepare(struct db *db, const char *sql, sqlite3_stmt **out, struct error *err)
{
    const char *rest = NULL;
    sqlite3_stmt *second = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, out, &rest) != SQLITE_OK)
        return ask_unready(db, err);
    int code = *out == NULL ? SQLITE_OK : sqlite3_prepare_v2(db->handle, rest, -1, &second, NULL);
    bool single = *out != NULL && code == SQLITE_OK && second == NULL;
    sqlite3_finalize(second);
    if (!single)
        error_set(err, "expected one statement, a SELECT");
    else if (!sqlite3_stmt_readonly(*out) || sqlite3_column_count(*out) == 0)
        error_set(err, "only a SELECT can be asked");
    else
        return STORE_OK;
    return STORE_REFUSED;
}

static int ask_unknown(sqlite3_stmt *statement, const char *name, struct error *err)
{
    struct bytes known;
    int count = sqlite3_bind_parameter_count(statement), status = 0;
    bytes_init(&known);
    for (int i = 1; i <= count && status == 0; i++) {
        const char *one = sqlite3_bind_parameter_name(statement, i);
        if (one != NULL)
            status = bytes_append_format(&known, "%s%s", known.len > 0 ? ", " : "", one + 1);
    }
    error_set(err, "there is no parameter %s here; there %s%.*s", name,
              known.len > 0 ? "are " : "is none", (int)known.len, known.len > 0 ? known.data : "");
    bytes_clear(&known);
    return STORE_REFUSED;
}

/* Binds it wherever it stands, however SQLite lets it be written: :a, @a and $a may all be there,
 * and are three to SQLite. */
static int ask_bind_one(sqlite3_stmt *statement, const struct store_parameter *given,
                        struct error *err)
{
    char name[64];
    bool found = false;
    size_t len = strlen(given->name);
    for (const char *mark = ":@$?"; *mark != '\0' && len < sizeof name - 1; mark++) {
        name[0] = *mark;
        memcpy(name + 1, given->name, len + 1);
        int at = sqlite3_bind_parameter_index(statement, name);
        if (at == 0)
            continue;
        found = true;
        if (sqlite3_bind_text(statement, at, given->text, -1, SQLITE_TRANSIENT) == SQLITE_OK)
            continue;
        error_set(err, "%s: the value is too long", given->name);
        return STORE_REFUSED;
    }
    return found ? STORE_OK : ask_unknown(statement, given->name, err);
}

static int ask_bind(sqlite3_stmt *statement, const struct store_ask *ask, struct error *err)
{
    int status = STORE_OK;
    for (size_t i = 0; i < ask->parameter_count && status == STORE_OK; i++)
        status = ask_bind_one(statement, &ask->parameters[i], err);
    return status;
}

/* False: out of memory. */
static bool ask_cell(sqlite3_stmt *statement, int column, struct store_cell *out)
{
    static const enum store_cell_kind kinds[] = {
        [SQLITE_INTEGER] = STORE_CELL_INTEGER, [SQLITE_FLOAT] = STORE_CELL_REAL,
        [SQLITE_TEXT] = STORE_CELL_TEXT,       [SQLITE_BLOB] = STORE_CELL_BLOB,
        [SQLITE_NULL] = STORE_CELL_NULL,
    };
    int type = sqlite3_column_type(statement, column); /* before it is turned into a text */
    const void *text = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column)
                                           : sqlite3_column_text(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    *out = (struct store_cell){kinds[type], text != NULL ? text : "", text != NULL ? len : 0};
    return text != NULL || type == SQLITE_NULL || (type == SQLITE_BLOB && len == 0);
}

static int ask_rows(struct db *db, sqlite3_stmt *statement, const struct store_ask *ask,
                    struct store_cell *cells, struct error *err)
{
    int code = SQLITE_ROW, columns = sqlite3_column_count(statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        bool whole = true;
        for (int i = 0; i < columns && whole; i++)
            whole = ask_cell(statement, i, &cells[i]);
        if (!whole) {
            error_set(err, "out of memory");
            return STORE_BUSY;
        }
        if (ask->row(ask->arg, cells, (size_t)columns) != 0)
            return STORE_OK;
    }
    if (code == SQLITE_DONE)
        return STORE_OK;
    int status = db_failure(db, err);
    if ((code & 0xff) == SQLITE_INTERRUPT)
        error_set(err, "stopped");
    return status == STORE_UNFIT ? status : STORE_BUSY;
}

static int ask_run(struct db *db, sqlite3_stmt *statement, const struct store_ask *ask,
                   struct error *err)
{
    int columns = sqlite3_column_count(statement), status = STORE_BUSY;
    const char **names = calloc((size_t)columns, sizeof *names);
    struct store_cell *cells = calloc((size_t)columns, sizeof *cells);
    bool whole = names != NULL && cells != NULL;
    for (int i = 0; i < columns && whole; i++) {
        names[i] = sqlite3_column_name(statement, i);
        whole = names[i] != NULL;
    }
    if (!whole)
        error_set(err, "out of memory");
    else if (ask->columns(ask->arg, names, (size_t)columns) != 0)
        status = STORE_OK;
    else
        status = ask_rows(db, statement, ask, cells, err);
    free(names);
    free(cells);
    return status;
}

int sqlite_ask(struct store_reader *base, const struct store_ask *ask, struct error *err)
{
    struct db *db = &((struct sqlite_reader *)base)->db;
    sqlite3_stmt *statement = NULL;
    /* The views are made while that is still allowed. */
    int status = db_script(db, sql_views, err);
    /* So are these two tables, which SQLite makes when they are first used. */
    if (status == STORE_OK)
        status = db_script(db,
                           "SELECT 1 FROM json_each('[]'), json_tree('[]');"
                           "PRAGMA query_only = 1",
                           err);
    if (status != STORE_OK)
        return status == STORE_UNFIT ? status : STORE_BUSY;
    (void)sqlite3_set_authorizer(db->handle, ask_authorize, NULL);
    sqlite3_progress_handler(db->handle, ASK_STEPS, ask_progress, (void *)ask);
    status = ask_prepare(db, ask->sql, &statement, err);
    if (status == STORE_OK)
        status = ask_bind(statement, ask, err);
    if (status == STORE_OK)
        status = ask_run(db, statement, ask, err);
    sqlite3_finalize(statement);
    sqlite3_progress_handler(db->handle, 0, NULL, NULL);
    return status;
}
