/* Is a database whole: see store/audit.h. What PostgreSQL itself can tell of its files is asked
 * elsewhere (pg_amcheck); this is about what beacond keeps in them. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/postgres/postgres_reader_parts.h"
#include "store/postgres/postgres_store.h"
#include "store/step.h"

/* Rows of one kind that are named. */
#define AUDIT_MOST_ROWS 5
/* Steps of one table that are named. */
#define AUDIT_MOST_STEPS 3

struct audit {
    struct postgres_reader *reader;
    const struct store_audit_ear *ear;
    struct store_audit_facts *facts;
    const char *what; /* is being looked at */
    int64_t done, total;
    int64_t wrong[STEP_COUNT]; /* steps */
    int told[STEP_COUNT];      /* of them */
    int64_t twice;             /* ids */
    bool thorough;
    bool stopped; /* the ear wants it */
};

/* --- telling ---------------------------------------------------------------------------------- */

static void audit_say(struct audit *audit, bool ok, const char *format, ...) PRINTF_LIKE(3, 4);

static void audit_say(struct audit *audit, bool ok, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store_audit_say(audit->ear, audit->facts, ok, format, arguments);
    va_end(arguments);
}

static bool audit_step(struct audit *audit)
{
    const struct store_audit_ear *ear = audit->ear;
    if (!audit->stopped && ear->step != NULL &&
        ear->step(ear->arg, audit->what, audit->done, audit->total) != 0)
        audit->stopped = true;
    return audit->stopped;
}

/* While an answer is waited for. Who wants to stop has the statement ended, too. */
static bool audit_waits(void *arg)
{
    struct audit *audit = arg;
    if (!audit_step(audit))
        return true;
    (void)pg_cancel(&audit->reader->pg);
    return false;
}

static void audit_failed(struct audit *audit, const struct error *err)
{
    if (!audit->stopped)
        audit_say(audit, false, "%s: can't be read: %s", audit->what, err->text);
}

/* A statement's result, which the caller clears. NULL: audit_failed was called. */
static PGresult *audit_ask(struct audit *audit, enum sql_statement name)
{
    struct error err = {""};
    PGresult *result = NULL;
    if (!audit->stopped && postgres_reader_ask(audit->reader, name, &result, &err) != STORE_OK)
        audit_failed(audit, &err);
    return result;
}

/* Tells the lines of what is wrong. Whether none is. */
static bool audit_lines(struct audit *audit, const char *what, enum sql_statement name)
{
    audit->what = what;
    PGresult *result = audit_ask(audit, name);
    bool right = result != NULL && PQntuples(result) == 0;
    for (int i = 0; i < PQntuples(result); i++)
        audit_say(audit, false, "%s: %s", what, PQgetvalue(result, i, 0));
    PQclear(result);
    return right;
}

/* --- what there is beside the tally ----------------------------------------------------------- */

static void audit_meta(struct audit *audit)
{
    if (!audit_lines(audit, "meta", SQL_AUDIT_META))
        return;
    audit_say(audit, true, "meta: complete");
    PGresult *result = audit_ask(audit, SQL_AUDIT_DOUBT);
    if (result != NULL && pg_bool(result, 0, 0))
        audit_say(audit, true,
                  "meta: somebody has changed events by hand: a node counts them anew");
    PQclear(result);
}

static void audit_log(struct audit *audit)
{
    bool right = audit_lines(audit, "commits", SQL_AUDIT_COMMITS);
    if (audit_lines(audit, "erasures", SQL_AUDIT_ERASURES) && right)
        audit_say(audit, true, "commits, erasures: in order");
}

static bool audit_over(int64_t number, int64_t most)
{
    return most > 0 && number > most;
}

static void audit_rejects(struct audit *audit)
{
    audit->what = "rejects";
    PGresult *result = audit_ask(audit, SQL_AUDIT_REJECTS);
    if (result == NULL)
        return;
    int64_t count = pg_int(result, 0, 0), bytes = pg_int(result, 0, 1);
    if (pg_int(result, 0, 2) > 0)
        audit_say(audit, false, "rejects: %lld can't be made sense of",
                  (long long)pg_int(result, 0, 2));
    else
        audit_say(audit, true, "rejects: %lld rows, %lld bytes%s", (long long)count,
                  (long long)bytes,
                  audit_over(count, audit->ear->max_rejects) ||
                          audit_over(bytes, audit->ear->max_rejects_bytes)
                      ? ": over the bounds, the oldest go when the next one comes"
                      : "");
    PQclear(result);
}

struct audit_receipts {
    struct audit *audit;
    int64_t count;
    int wrong;
};

static int audit_receipt(void *arg, const PGresult *row)
{
    struct audit_receipts *receipts = arg;
    struct audit *audit = receipts->audit;
    size_t len;
    const char *data = pg_bytes(row, 0, 1, &len);
    audit->done = ++receipts->count;
    if (!audit->ear->receipts(data, len) && ++receipts->wrong <= AUDIT_MOST_ROWS)
        audit_say(audit, false, "receipts: row %lld can't be made sense of",
                  (long long)pg_int(row, 0, 0));
    return receipts->count % 4096 == 0 && audit_step(audit);
}

static void audit_all_receipts(struct audit *audit)
{
    struct audit_receipts receipts = {.audit = audit};
    struct postgres_stream rows = {.row = audit_receipt, .arg = &receipts};
    struct error err = {""};
    audit->what = "receipts";
    if (postgres_reader_stream(audit->reader, SQL_AUDIT_RECEIPTS, &rows, &err) != STORE_OK)
        audit_failed(audit, &err);
    else if (receipts.wrong > AUDIT_MOST_ROWS)
        audit_say(audit, false, "receipts: %d rows in all can't be made sense of", receipts.wrong);
    else if (receipts.wrong == 0 && !audit->stopped)
        audit_say(audit, true, "receipts: %lld rows", (long long)receipts.count);
    audit->done = 0;
}

static void audit_others(struct audit *audit)
{
    if (audit_lines(audit, "schema", SQL_AUDIT_SCHEMA))
        audit_say(audit, true, "schema: version %d, all there", (int)SQL_MIGRATION_COUNT);
    audit_meta(audit);
    (void)audit_lines(audit, "events", SQL_AUDIT_EVENTS);
    audit_log(audit);
    if (!audit->stopped)
        audit_all_receipts(audit);
    audit_rejects(audit);
}

/* --- the tally -------------------------------------------------------------------------------- */

static void audit_wrong_step(struct audit *audit, const PGresult *result, int row)
{
    char when[40] = "";
    struct tm tm;
    int64_t step = pg_int(result, row, 0), at = pg_int(result, row, 1);
    time_t seconds = (time_t)(step_floor(STEP_SECOND, at) / 1000);
    if (audit->told[step]++ >= AUDIT_MOST_STEPS)
        return;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(when, sizeof when, "%FT%TZ", &tm) == 0)
        snprintf(when, sizeof when, "%lld", (long long)at);
    audit_say(audit, false, "tally_%s: %s (at %lld) says %lld events, there are %lld",
              step_names[step], when, (long long)at, (long long)pg_int(result, row, 2),
              (long long)pg_int(result, row, 3));
}

static void audit_compare(struct audit *audit, const PGresult *result)
{
    int64_t count[STEP_COUNT] = {0};
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t step = pg_int(result, i, 0);
        if (step < 0) {
            audit->facts->events += pg_int(result, i, 3);
            continue;
        }
        count[step] = pg_int(result, i, 4);
        audit->facts->tally_right = false;
        audit_wrong_step(audit, result, i);
    }
    for (int step = 0; step < STEP_COUNT; step++)
        audit->wrong[step] += count[step];
}

static void audit_put_stretch(struct audit *audit, int64_t low, int64_t high)
{
    pg_put_int(&audit->reader->params, low);
    pg_put_int(&audit->reader->params, high);
}

/* One stretch of time in one look. False: no more of them. */
static bool audit_stretch(struct audit *audit, int64_t low, int64_t high)
{
    if (low >= high)
        return true;
    audit_put_stretch(audit, low, high);
    PGresult *result = audit_ask(audit, SQL_AUDIT_TALLY);
    if (result == NULL) {
        audit->facts->tally_right = false;
        return false;
    }
    audit_compare(audit, result);
    PQclear(result);
    audit->done = audit->facts->events;
    if (audit->thorough) {
        audit_put_stretch(audit, low, high);
        result = audit_ask(audit, SQL_AUDIT_GIVEN);
        audit->twice += result != NULL ? pg_int(result, 0, 0) : 0;
        PQclear(result);
    }
    return !audit_step(audit);
}

/* All of time: the days that there are, and what lies between them, where nothing should be. */
static void audit_stretches(struct audit *audit)
{
    PGresult *days = audit_ask(audit, SQL_AUDIT_DAYS);
    int64_t low = STEP_FIRST_MS - step_ms[STEP_DAY];
    bool more = days != NULL;
    low = step_floor(STEP_DAY, low);
    for (int i = 0; i < PQntuples(days) && more; i++) {
        int64_t day = pg_int(days, i, 0);
        more = audit_stretch(audit, low, day) && audit_stretch(audit, day, day + step_ms[STEP_DAY]);
        low = day + step_ms[STEP_DAY];
    }
    if (more)
        (void)audit_stretch(audit, low, INT64_MAX);
    if (days == NULL)
        audit->facts->tally_right = false;
    PQclear(days);
}

static void audit_tally(struct audit *audit)
{
    audit->facts->others_wrong = !audit->facts->whole;
    audit->what = "counting events";
    PGresult *total = audit_ask(audit, SQL_AUDIT_TOTAL); /* only for the bar */
    audit->total = total != NULL ? pg_int(total, 0, 0) : 0;
    PQclear(total);
    audit_stretches(audit);
    if (audit->twice > 0) {
        audit_say(audit, false, "events_given: %lld ids stand twice at their timestamps: REINDEX",
                  (long long)audit->twice);
        audit->facts->others_wrong = true;
    }
    for (int step = 0; step < STEP_COUNT; step++)
        if (audit->wrong[step] > AUDIT_MOST_STEPS)
            audit_say(audit, false, "tally_%s: %lld steps in all are wrong", step_names[step],
                      (long long)audit->wrong[step]);
    if (audit->facts->tally_right && !audit->stopped)
        audit_say(audit, true, "tally: right, %lld events", (long long)audit->facts->events);
}

int postgres_audit(const char *database, enum store_audit_depth depth,
                   const struct store_audit_ear *ear, struct store_audit_facts *facts,
                   struct error *err)
{
    struct store_reader *reader;
    struct audit audit = {.ear = ear, .facts = facts, .thorough = depth == STORE_AUDIT_WHOLE};
    *facts = (struct store_audit_facts){.whole = true, .tally_right = true};
    int status = postgres_reader_open(database, &reader, err);
    if (status != STORE_OK)
        return status;
    audit.reader = postgres_reader_of(reader);
    audit.reader->pg.waits = audit_waits;
    audit.reader->pg.waits_arg = &audit;
    if (depth == STORE_AUDIT_WHOLE || depth == STORE_AUDIT_QUICK)
        audit_others(&audit);
    if (!audit.stopped)
        audit_tally(&audit);
    store_reader_close(reader);
    if (!audit.stopped)
        return STORE_OK;
    error_set(err, "stopped before everything was looked at");
    return STORE_BUSY;
}
