#include <string.h>

#include "store/sqlite/audit_parts.h"

/* Both databases, ours as the migrations make it and theirs, in the order of names. */
#define AUDIT_SCHEMA                                                    \
    "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema" \
    " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name, type"

enum { SCHEMA_TYPE, SCHEMA_NAME, SCHEMA_TABLE, SCHEMA_SQL };

static const char *schema_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text != NULL ? text : "";
}

static int schema_compare(sqlite3_stmt *ours, sqlite3_stmt *theirs)
{
    int order = strcmp(schema_text(ours, SCHEMA_NAME), schema_text(theirs, SCHEMA_NAME));
    return order != 0 ? order
                      : strcmp(schema_text(ours, SCHEMA_TYPE), schema_text(theirs, SCHEMA_TYPE));
}

static bool schema_is_table(sqlite3 *ours, const char *name)
{
    return sqlite3_table_column_metadata(ours, "main", name, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

/* Tables, views and indexes of a person's own are fine; what acts when beacond writes is not. */
static void schema_foreign(struct audit *audit, sqlite3 *ours, sqlite3_stmt *row)
{
    const char *type = schema_text(row, SCHEMA_TYPE), *name = schema_text(row, SCHEMA_NAME),
               *table = schema_text(row, SCHEMA_TABLE);
    bool acts = strcmp(type, "trigger") == 0 ||
                (strcmp(type, "index") == 0 &&
                 sqlite3_strglob("CREATE UNIQUE*", schema_text(row, SCHEMA_SQL)) == 0);
    if (acts && schema_is_table(ours, table))
        audit_say(audit, false, "schema: %s %s on %s is not beacond's and changes what it stores",
                  type, name, table);
    else
        audit_say(audit, true, "schema: %s %s is not beacond's, and left alone", type, name);
}

static void schema_walk(struct audit *audit, sqlite3 *model, sqlite3_stmt *ours,
                        sqlite3_stmt *theirs)
{
    bool whole = audit->facts->whole;
    int mine = sqlite3_step(ours), other = sqlite3_step(theirs);
    audit->facts->whole = true;
    while (mine == SQLITE_ROW || other == SQLITE_ROW) {
        int order = mine != SQLITE_ROW    ? 1
                    : other != SQLITE_ROW ? -1
                                          : schema_compare(ours, theirs);
        if (order < 0)
            audit_say(audit, false, "schema: %s %s is missing", schema_text(ours, SCHEMA_TYPE),
                      schema_text(ours, SCHEMA_NAME));
        else if (order > 0)
            schema_foreign(audit, model, theirs);
        else if (strcmp(schema_text(ours, SCHEMA_SQL), schema_text(theirs, SCHEMA_SQL)) != 0)
            audit_say(audit, false, "schema: %s %s was changed", schema_text(ours, SCHEMA_TYPE),
                      schema_text(ours, SCHEMA_NAME));
        if (order <= 0)
            mine = sqlite3_step(ours);
        if (order >= 0)
            other = sqlite3_step(theirs);
    }
    if (other != SQLITE_DONE)
        audit_failed(audit, "schema");
    else if (audit->facts->whole)
        audit_say(audit, true, "schema: version %d, all there", (int)SQL_MIGRATION_COUNT);
    audit->facts->whole = audit->facts->whole && whole;
}

/* The schema as the migrations make it, in memory. */
static int schema_model(struct db *model)
{
    int status = db_open(model, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    for (int i = 0; i < SQL_MIGRATION_COUNT && status == STORE_OK; i++)
        status = db_script(model, sql_migrations[i], NULL);
    return status;
}

void audit_schema(struct audit *audit)
{
    struct db model = {0};
    sqlite3_stmt *ours = NULL, *theirs = NULL;
    if (schema_model(&model) != STORE_OK ||
        sqlite3_prepare_v2(model.handle, AUDIT_SCHEMA, -1, &ours, NULL) != SQLITE_OK) {
        audit_say(audit, false, "schema: out of memory");
        goto out;
    }
    theirs = audit_prepare(audit, "schema", AUDIT_SCHEMA);
    if (theirs != NULL)
        schema_walk(audit, model.handle, ours, theirs);
out:
    sqlite3_finalize(ours);
    sqlite3_finalize(theirs);
    db_close(&model);
}
