#include <stdio.h>
#include <time.h>

#include "store/sqlite/audit_parts.h"
#include "store/step.h"

/* Steps of one table that are named. */
#define TALLY_MOST 3
/* How often it is said how far it is. */
#define TALLY_LOOK 4096

/* One of the four tables, gone through beside the events in the order of time. */
struct tally_side {
    const char *name;
    sqlite3_stmt *rows;
    int64_t at;     /* the step that is being counted */
    int64_t events; /* of it so far; 0: none has begun */
    enum step step;
    int code; /* of the last sqlite3_step of rows */
    int wrong;
};

static const char *const tally_sql[STEP_COUNT] = {
    [STEP_SECOND] = "SELECT at, events FROM tally_second ORDER BY at",
    [STEP_MINUTE] = "SELECT at, events FROM tally_minute ORDER BY at",
    [STEP_HOUR] = "SELECT at, events FROM tally_hour ORDER BY at",
    [STEP_DAY] = "SELECT at, events FROM tally_day ORDER BY at",
};

static const char *const tally_names[STEP_COUNT] = {
    [STEP_SECOND] = "tally_second",
    [STEP_MINUTE] = "tally_minute",
    [STEP_HOUR] = "tally_hour",
    [STEP_DAY] = "tally_day",
};

static void tally_wrong(struct audit *audit, struct tally_side *side, int64_t at, int64_t says,
                        int64_t events)
{
    char when[40] = "";
    struct tm tm;
    time_t seconds = (time_t)(step_floor(STEP_SECOND, at) / 1000);
    audit->facts->tally_right = false;
    if (++side->wrong > TALLY_MOST)
        return;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(when, sizeof when, "%FT%TZ", &tm) == 0)
        snprintf(when, sizeof when, "%lld", (long long)at);
    audit_say(audit, false, "%s: %s (at %lld) says %lld events, there are %lld", side->name, when,
              (long long)at, (long long)says, (long long)events);
}

/* Rows of steps before that time, in which no event was counted. */
static void tally_skip(struct audit *audit, struct tally_side *side, int64_t before)
{
    while (side->code == SQLITE_ROW && sqlite3_column_int64(side->rows, 0) < before) {
        int64_t says = sqlite3_column_int64(side->rows, 1);
        if (says != 0)
            tally_wrong(audit, side, sqlite3_column_int64(side->rows, 0), says, 0);
        side->code = sqlite3_step(side->rows);
    }
}

/* The step that was being counted is complete. */
static void tally_close(struct audit *audit, struct tally_side *side)
{
    int64_t says = 0;
    if (side->events == 0)
        return;
    tally_skip(audit, side, side->at);
    if (side->code == SQLITE_ROW && sqlite3_column_int64(side->rows, 0) == side->at) {
        says = sqlite3_column_int64(side->rows, 1);
        side->code = sqlite3_step(side->rows);
    }
    if (says != side->events)
        tally_wrong(audit, side, side->at, says, side->events);
    side->events = 0;
}

static void tally_count(struct audit *audit, struct tally_side *sides, int64_t ts)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        struct tally_side *side = &sides[i];
        int64_t at = step_floor(side->step, ts);
        if (at != side->at)
            tally_close(audit, side);
        side->at = at;
        side->events++;
    }
}

static void tally_walk(struct audit *audit, struct tally_side *sides, sqlite3_stmt *events)
{
    int64_t told = 0, total = 0;
    int code;
    /* Only for the bar. */
    if (db_script_number(&audit->db, "SELECT coalesce(sum(events), 0) FROM tally_day", &total,
                         NULL) != STORE_OK)
        total = 0;
    while ((code = sqlite3_step(events)) == SQLITE_ROW) {
        tally_count(audit, sides, sqlite3_column_int64(events, 0));
        if (++audit->facts->events - told < TALLY_LOOK)
            continue;
        told = audit->facts->events;
        if (audit_step(audit, "counting events", told, total))
            return;
    }
    if (code != SQLITE_DONE) {
        audit_failed(audit, "events_by_time");
        audit->facts->tally_right = false;
        return;
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        tally_close(audit, &sides[i]);
        tally_skip(audit, &sides[i], INT64_MAX);
        if (sides[i].code != SQLITE_DONE)
            audit_failed(audit, sides[i].name);
        if (sides[i].wrong > TALLY_MOST)
            audit_say(audit, false, "%s: %d steps in all are wrong", sides[i].name, sides[i].wrong);
    }
}

void audit_tally(struct audit *audit)
{
    audit->facts->others_wrong = !audit->facts->whole;
    struct tally_side sides[STEP_COUNT] = {0};
    sqlite3_stmt *events = audit_prepare(audit, "events", "SELECT ts FROM events ORDER BY ts");
    bool ready = events != NULL;
    for (int i = 0; i < STEP_COUNT && ready; i++) {
        sides[i].name = tally_names[i];
        sides[i].step = (enum step)i;
        sides[i].rows = audit_prepare(audit, tally_names[i], tally_sql[i]);
        ready = sides[i].rows != NULL;
        if (ready)
            sides[i].code = sqlite3_step(sides[i].rows);
    }
    if (ready)
        tally_walk(audit, sides, events);
    else
        audit->facts->tally_right = false;
    for (int i = 0; i < STEP_COUNT; i++)
        sqlite3_finalize(sides[i].rows);
    sqlite3_finalize(events);
    if (audit->facts->tally_right && !audit->stopped)
        audit_say(audit, true, "tally: right, %lld events", (long long)audit->facts->events);
}
