# embed.awk: turns the SQL files into the header src/store/sqlite/sql.h, or, with -v room=postgres and the
# files of sql/postgresql, into src/store/postgres/sql.h.
#
#     awk -f sql/embed.awk sql/0001-schema.sql … sql/statements.sql > sql.h
#
# A file whose name begins with four digits is a migration; they are given in order, without a gap.
# Its text is embedded as it stands, comments too: SQLite keeps those inside CREATE statements, so
# `.schema` in the shell explains the columns, and a database made by hand from the file is the same.
# statements.sql holds statements, each behind a line `-- @name`; its other comment lines are left
# out. views.sql and each file in queries/ are embedded as they stand; what the first line of a query
# says behind its two hyphens is its help. Plain POSIX awk: mawk, gawk and busybox all read it.

function fail(text)
{
    print FILENAME ":" FNR ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

# One line as a C string literal that ends in a newline.
function literal(line,    i, c, out)
{
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\\" || c == "\"" || c == "?") # ?: no trigraphs
            out = out "\\" c
        else if (c == "\t")
            out = out "\\t"
        else if (c != "\r")
            out = out c
    }
    return "    \"" out "\\n\"\n"
}

function add(line)
{
    if (kind == "migration")
        migration[migrations] = migration[migrations] literal(line)
    else if (kind == "views")
        views = views literal(line)
    else if (kind == "query")
        query[queries] = query[queries] literal(line)
    else
        text[name] = text[name] literal(line)
}

FNR == 1 {
    base = FILENAME
    sub(/^.*\//, "", base)
    if (base == "statements.sql") {
        kind = "statements"
        name = ""
    } else if (base ~ /^[0-9][0-9][0-9][0-9]-.*\.sql$/) {
        kind = "migration"
        migrations++
        if (substr(base, 1, 4) + 0 != migrations)
            fail("migration " migrations " expected here: the numbers leave no gap")
        migration[migrations] = ""
    } else if (base == "views.sql") {
        kind = "views"
    } else if (FILENAME ~ /(^|\/)queries\/[a-z][a-z0-9-]*\.sql$/) {
        kind = "query"
        query_name[++queries] = substr(base, 1, length(base) - 4)
        if ($0 !~ /^-- ./)
            fail("the first line of a query says what it answers, as a comment")
        query_help[queries] = substr($0, 4)
        query[queries] = ""
    } else {
        fail("neither NNNN-name.sql, statements.sql, views.sql nor queries/name.sql")
    }
}

kind != "statements" { add($0); next }

/^-- @/ {
    name = substr($0, 5)
    sub(/[ \t\r]+$/, "", name)
    if (name !~ /^[a-z][a-z0-9_]*$/ || name == "count" || name == "migration_count")
        fail("no name for a statement: \"" name "\"")
    if (name in text)
        fail("a second statement \"" name "\"")
    text[name] = ""
    order[++statements] = name
    next
}

/^[ \t]*--/ || /^[ \t\r]*$/ { next }

name == "" { fail("SQL without a line `-- @name` before it") }

{ add($0) }

END {
    if (failed)
        exit 1
    for (i = 1; i <= statements; i++)
        if (text[order[i]] == "") {
            print "statements.sql: \"" order[i] "\" is empty" > "/dev/stderr"
            exit 1
        }
    print "/* Made by sql/embed.awk from the files in sql/. Edit those. */"
    guard = "BEACOND_STORE_" toupper(room == "" ? "sqlite" : room) "_SQL_H"
    print "#ifndef " guard
    print "#define " guard
    print ""
    print "/* sql_migrations[n] takes a database from version n to n + 1. */"
    print "#define SQL_MIGRATION_COUNT " (migrations + 0)
    print "static const char *const sql_migrations[SQL_MIGRATION_COUNT] = {"
    for (i = 1; i <= migrations; i++) {
        if (i > 1)
            print ""
        printf "%s    ,\n", migration[i]
    }
    print "};"
    print ""
    print "enum sql_statement {"
    for (i = 1; i <= statements; i++)
        print "    SQL_" toupper(order[i]) ","
    print "    SQL_COUNT"
    print "};"
    print ""
    print "static const char *const sql_text[SQL_COUNT] = {"
    for (i = 1; i <= statements; i++)
        printf "    [SQL_%s] =\n%s    ,\n", toupper(order[i]), text[order[i]]
    print "};"
    print ""
    print "static const char *const sql_views ="
    printf "%s    ;\n", views == "" ? literal("") : views
    print ""
    print "/* By name, ended by one without. help and text end in a newline. */"
    print "#define SQL_QUERY_COUNT " (queries + 0)
    print "static const struct sql_query {"
    print "    const char *name, *help, *text;"
    print "} sql_queries[SQL_QUERY_COUNT + 1] = {"
    for (i = 1; i <= queries; i++)
        printf "    {\"%s\",\n%s    ,\n%s    },\n", query_name[i], literal(query_help[i]), query[i]
    print "    {0},"
    print "};"
    print ""
    print "#endif"
}
