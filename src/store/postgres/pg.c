#include "store/postgres/pg.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"

/* What every session begins with. A node that stops in the midst of a transaction, or whose network
 * goes, must not hold its locks for long: others wait for them. */
#define PG_SETTINGS                                                                       \
    "-c search_path=beacond -c beacond.own=on -c idle_in_transaction_session_timeout=10s" \
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"   \
    " -c tcp_user_timeout=25000 -c client_min_messages=warning -c jit=off"                \
    " -c default_transaction_isolation=read\\ committed"
#define PG_READ_ONLY " -c default_transaction_read_only=on"
#define PG_OPTIONS_SIZE 4096
#define PG_KEPT_SIZE 32
#define PG_SILENT "PostgreSQL does not say what failed"

void pg_init(struct pg *pg, const char *database, bool read_only)
{
    *pg = (struct pg){.database = database, .read_only = read_only};
}

void pg_close(struct pg *pg)
{
    PQfinish(pg->connection);
    pg->connection = NULL;
    pg->syncs = 0;
    pg->unsynced = false;
    memset(pg->kept, 0, sizeof pg->kept);
}

/* Why there is no connection, as one line: of a server with several addresses there is one for
 * each. What is set in behind a tab is advice. */
static void pg_say(const char *message, struct error *err)
{
    char text[2 * sizeof err->text] = ""; /* error_set cuts it as it must be */
    size_t len = 0;
    while (*message != '\0') {
        size_t line = strcspn(message, "\n");
        if (line > 0 && *message != '\t' && len + 2 < sizeof text) {
            const char *between = len == 0 || text[len - 1] == ' ' ? "" : "; ";
            int more =
                snprintf(text + len, sizeof text - len, "%s%.*s", between, (int)line, message);
            len = len + (size_t)more < sizeof text ? len + (size_t)more : sizeof text - 1;
        }
        message += line + (message[line] == '\n');
    }
    error_set(err, "%s", len == 0 ? PG_SILENT : text);
}

/* Which of several servers will do. "primary" is newer than some libraries: pg_on_standby makes up
 * for it. */
static const char *pg_server(const struct pg *pg)
{
    if (!pg->read_only)
        return "read-write";
    return pg->primary && PQlibVersion() >= 140000 ? "primary" : "any";
}

static bool pg_on_standby(const struct pg *pg)
{
    const char *standby = PQparameterStatus(pg->connection, "in_hot_standby");
    return standby != NULL && strcmp(standby, "on") == 0;
}

/* Warnings, of which none is anybody's to act on; libpq would write them to standard error. */
static void pg_notice(void *arg, const char *message)
{
    (void)arg;
    log_debug("PostgreSQL: %.*s", (int)strcspn(message, "\n"), message);
}

/* The session's settings: those that the operator names, in the connection string or in libpq's
 * variable for it, and ours behind them, which win. */
static int pg_options(const struct pg *pg, char *out, size_t size, struct error *err)
{
    const char *named = getenv("PGOPTIONS");
    PQconninfoOption *all = PQconninfoParse(pg->database, NULL);
    for (const PQconninfoOption *one = all; one != NULL && one->keyword != NULL; one++)
        if (strcmp(one->keyword, "options") == 0 && one->val != NULL)
            named = one->val;
    int len = snprintf(out, size, "%s %s%s %s", named != NULL ? named : "", PG_SETTINGS,
                       pg->read_only ? PG_READ_ONLY : "", pg->settings != NULL ? pg->settings : "");
    PQconninfoFree(all);
    if (len >= 0 && (size_t)len < size)
        return STORE_OK;
    error_set(err, "the connection's options are too long");
    return STORE_BUSY;
}

int pg_connect(struct pg *pg, struct error *err)
{
    char options[PG_OPTIONS_SIZE];
    const char *const names[] = {"connect_timeout",
                                 "fallback_application_name",
                                 "client_encoding",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "target_session_attrs",
                                 "dbname",
                                 "options",
                                 NULL};
    /* What stands in front of dbname, that string may say otherwise; not what stands behind it. */
    const char *const values[] = {
        PG_CONNECT_SECONDS, "beacond",    "UTF8",  "10", "5", "3", "25000",
        pg_server(pg),      pg->database, options, NULL};
    int64_t now_ms = clock_mono_ms();
    if (pg->connection != NULL)
        return STORE_OK;
    if (now_ms < pg->again_ms) {
        error_set(err, "PostgreSQL could not be reached a moment ago");
        return STORE_BUSY;
    }
    if (pg_options(pg, options, sizeof options, err) != STORE_OK)
        return STORE_BUSY;
    pg->connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(pg->connection) != CONNECTION_OK) {
        pg->again_ms = now_ms + PG_AGAIN_MS;
        pg_say(PQerrorMessage(pg->connection), err);
        pg_close(pg);
        return STORE_BUSY;
    }
    if (pg->primary && pg_on_standby(pg)) {
        pg->again_ms = now_ms + PG_AGAIN_MS;
        error_set(err, "the server is a standby");
        pg_close(pg);
        return STORE_BUSY;
    }
    (void)PQsetNoticeProcessor(pg->connection, pg_notice, NULL);
    (void)PQsetnonblocking(pg->connection, 1); /* see pg_next */
    pg->made++;
    return STORE_OK;
}

/* Whether this session will never do what is asked of it: the server has become a standby, or has
 * been told to take no writes. Another one may be sent elsewhere. */
static bool pg_is_useless(const char *code)
{
    return code != NULL && strcmp(code, "25006") == 0;
}

/* Whether that code (SQLSTATE) says that a statement which the session keeps is gone, as behind a
 * pooler that is not known for one, or that its plan does not fit what the tables have become; that
 * code others have, too. */
static void pg_look_at_kept(struct pg *pg, const char *code)
{
    bool gone = strcmp(code, "26000") == 0;
    if (gone && !pg->forgetful)
        log_info("a session of PostgreSQL has lost its prepared statements: none is kept any more");
    if (gone)
        pg->forgetful = true;
    if (gone || strcmp(code, "0A000") == 0)
        memset(pg->kept, 0, sizeof pg->kept);
}

/* Whether that code (SQLSTATE) blames what a row holds: data, constraints, limits; a trigger's
 * RAISE. */
static bool pg_blames_row(const char *code)
{
    static const char *const classes[] = {"22", "23", "54", "P0"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(code, classes[i], 2) == 0)
            return true;
    return false;
}

int pg_failure(struct pg *pg, const PGresult *result, struct error *err)
{
    const char *code = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = code == NULL ? PQerrorMessage(pg->connection)
                                       : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message == NULL || message[0] == '\0')
        message = PG_SILENT;
    error_set(err, "%.*s", (int)strcspn(message, "\n"), message); /* behind that stands advice */
    bool refused = code != NULL && pg_blames_row(code);
    if (code != NULL)
        pg_look_at_kept(pg, code);
    const char *severity =
        code == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    /* The server's last word on a session may come before its end is noticed. Where libpq itself
     * has failed (it is out of memory), nobody knows what the server does with what was sent. */
    if (code == NULL || PQstatus(pg->connection) != CONNECTION_OK ||
        (severity != NULL && strcmp(severity, "ERROR") != 0) || pg_is_useless(code))
        pg_close(pg);
    return refused ? STORE_REFUSED : STORE_BUSY;
}

/* Until something has come, or something that is left to send can go. 0, or -1: given up. */
static int pg_wait(struct pg *pg, short events)
{
    struct pollfd socket = {.fd = PQsocket(pg->connection), .events = events};
    while (poll(&socket, 1, PG_LOOK_MS) == 0)
        if (pg->waits != NULL && !pg->waits(pg->waits_arg))
            return -1;
    return 0;
}

PGresult *pg_next(struct pg *pg)
{
    if (pg->connection == NULL)
        return NULL;
    for (;;) {
        int unsent = PQflush(pg->connection);
        if (unsent < 0 || PQisBusy(pg->connection) == 0)
            break;
        if (pg_wait(pg, unsent == 0 ? POLLIN : POLLIN | POLLOUT) != 0) {
            pg_close(pg);
            return NULL;
        }
        if (PQconsumeInput(pg->connection) != 1)
            break;
    }
    return PQgetResult(pg->connection);
}

/* The result of a statement, as PQexec gives it. */
static PGresult *pg_last(struct pg *pg, int sent)
{
    PGresult *last = NULL, *next;
    while (sent == 1 && (next = pg_next(pg)) != NULL) {
        /* Of several statements the one that failed tells; there is none behind it. */
        PQclear(last);
        last = next;
    }
    return last;
}

int pg_no_answer(struct error *err)
{
    error_set(err, "PostgreSQL does not answer");
    return STORE_BUSY;
}

int pg_no_connection(struct error *err)
{
    error_set(err, "there is no connection to PostgreSQL");
    return STORE_BUSY;
}

static int pg_no_params(const struct pg_params *params, struct error *err)
{
    error_set(err, params->too_large ? "it is larger than PostgreSQL takes" : "out of memory");
    return params->too_large ? STORE_REFUSED : STORE_BUSY;
}

/* What a statement that is kept is called: after its text, so that of two versions of beacond
 * behind a pooler that is not known for one neither runs the other's. */
static const char *pg_kept(enum sql_statement name, char out[PG_KEPT_SIZE])
{
    static const unsigned char key[SIPHASH_KEY_BYTES];
    uint64_t digest = siphash(key, sql_text[name], strlen(sql_text[name]));
    snprintf(out, PG_KEPT_SIZE, "beacond_%016" PRIx64, digest);
    return out;
}

/* Hands it to libpq; *sent: whether it took it. */
static int pg_put(struct pg *pg, enum sql_statement name, const struct pg_params *params, int *sent,
                  struct error *err)
{
    static const struct pg_params none = {0};
    const char *values[PG_PARAMETERS];
    int formats[PG_PARAMETERS];
    if (params == NULL)
        params = &none;
    if (pg->connection == NULL)
        return pg_no_connection(err);
    if (params->failed)
        return pg_no_params(params, err);
    for (int i = 0; i < params->count; i++) {
        /* An empty text must not become NULL where there are no bytes at all. */
        values[i] = params->bytes.data == NULL ? "" : params->bytes.data + params->starts[i];
        formats[i] = 1;
    }
    if (pg->kept[name]) {
        char kept[PG_KEPT_SIZE];
        *sent = PQsendQueryPrepared(pg->connection, pg_kept(name, kept), params->count, values,
                                    params->lens, formats, 1);
        return STORE_OK;
    }
    *sent = PQsendQueryParams(pg->connection, sql_text[name], params->count, params->types, values,
                              params->lens, formats, 1);
    return STORE_OK;
}

int pg_keep(struct pg *pg, enum sql_statement name, const struct pg_params *params,
            struct error *err)
{
    char kept[PG_KEPT_SIZE];
    if (pg->connection == NULL)
        return pg_no_connection(err);
    if (params->failed)
        return pg_no_params(params, err);
    PGresult *result = pg_last(pg, PQsendPrepare(pg->connection, pg_kept(name, kept),
                                                 sql_text[name], params->count, params->types));
    pg->kept[name] = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!pg->kept[name])
        (void)(pg->connection == NULL ? pg_no_answer(err) : pg_failure(pg, result, err));
    PQclear(result);
    return pg->connection != NULL && pg->kept[name] ? STORE_OK : STORE_BUSY;
}

int pg_ask(struct pg *pg, enum sql_statement name, const struct pg_params *params, PGresult **out,
           struct error *err)
{
    int sent = 0, status = pg_put(pg, name, params, &sent, err);
    if (status != STORE_OK)
        return status;
    PGresult *result = pg_last(pg, sent);
    int code = PQresultStatus(result);
    if (result == NULL && pg->connection == NULL)
        return pg_no_answer(err);
    if (code != PGRES_TUPLES_OK && code != PGRES_COMMAND_OK) {
        status = pg_failure(pg, result, err);
        PQclear(result);
        return status;
    }
    if (out != NULL)
        *out = result;
    else
        PQclear(result);
    return STORE_OK;
}

int pg_run(struct pg *pg, enum sql_statement name, struct error *err)
{
    return pg_ask(pg, name, NULL, NULL, err);
}

int pg_script(struct pg *pg, const char *sql, struct error *err)
{
    if (pg->connection == NULL)
        return pg_no_connection(err);
    PGresult *result = pg_last(pg, PQsendQuery(pg->connection, sql));
    int code = PQresultStatus(result), status = STORE_OK;
    if (result == NULL && pg->connection == NULL)
        return pg_no_answer(err);
    if (code != PGRES_TUPLES_OK && code != PGRES_COMMAND_OK)
        status = pg_failure(pg, result, err);
    PQclear(result);
    return status;
}

int pg_send(struct pg *pg, enum sql_statement name, const struct pg_params *params,
            struct error *err)
{
    int sent = 0, status = pg_put(pg, name, params, &sent, err);
    if (status != STORE_OK)
        return status;
    if (sent != 1)
        return pg_failure(pg, NULL, err);
    pg->unsynced = true;
    return STORE_OK;
}

void pg_abandon(struct pg *pg)
{
    struct error err;
    if (pg->connection == NULL || PQtransactionStatus(pg->connection) == PQTRANS_IDLE)
        return;
    if (pg_run(pg, SQL_ROLLBACK, &err) != STORE_OK)
        pg_close(pg);
}

bool pg_cancel(struct pg *pg)
{
    char words[256];
    PGcancel *cancel = PQgetCancel(pg->connection);
    bool told = cancel != NULL && PQcancel(cancel, words, sizeof words) == 1;
    PQfreeCancel(cancel);
    return told;
}
