#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/work.h"
#include "engine/moving.h"

struct migrate {
    struct meter meter;
    const char *source;
    char target[STORE_NAME_SIZE];
};

static void migrate_differs(void *arg, int64_t at_ms, int64_t source_events, int64_t target_events)
{
    struct migrate *migrate = arg;
    time_t at = (time_t)(at_ms / 1000);
    struct tm day;
    char text[32] = "?";
    if (gmtime_r(&at, &day) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d", &day);
    meter_say(&migrate->meter,
              "differs: %s has %" PRId64 " events in the file, %" PRId64 " in the copy%s", text,
              source_events, target_events,
              source_events == target_events ? ", and not the same ones" : "");
}

static void migrate_print(const struct moving_report *report)
{
    printf("copied   %" PRId64 " new events, %" PRId64 " rejects, %" PRId64 " rows of receipts\n",
           report->copied, report->rejects, report->receipts);
    if (report->again > 0)
        printf("anew     %" PRId64 " days that were not the same any more, %" PRId64 " events\n",
               report->again, report->again_of);
    printf("compared %" PRId64 " events of %" PRId64 " days: %s\n", report->compared, report->days,
           report->differing == 0 ? "equal" : "not equal");
}

/* What there is to do now. */
static void migrate_advise(const struct migrate *migrate, const struct moving_report *report)
{
    if (report->finished)
        printf("finished %s holds all %" PRId64 " events: beacond can be started on it\n",
               migrate->target, report->events);
    else if (report->differing > 0)
        printf("not finished%s: run this again\n",
               report->erased ? ", for events were erased meanwhile" : "");
    else
        printf("not finished, for %s is in use: stop the daemon and run this again\n",
               migrate->source);
}

static int migrate_code(struct migrate *migrate, int status, const struct moving_report *report,
                        const struct error *err)
{
    meter_clear(&migrate->meter);
    if (status == STORE_OK) {
        migrate_print(report);
        migrate_advise(migrate, report);
        return report->differing == 0 ? COMMAND_OK : COMMAND_FAILED;
    }
    if (interrupted()) {
        meter_say(&migrate->meter,
                  "beacond: stopped after %" PRId64 " new events; run it again, it goes on there",
                  report->copied);
        return COMMAND_STOPPED;
    }
    meter_say(&migrate->meter, "beacond: %s", err->text);
    return status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
}

static int migrate_run(const struct options *options, const struct arguments *arguments)
{
    struct migrate migrate = {.source = options->database};
    struct error err = {""};
    struct moving_report report;
    meter_init(&migrate.meter);
    const char *target = arguments_value(arguments, "to");
    if (target == NULL) {
        meter_say(&migrate.meter, "beacond: --to is missing: where the database is to go, "
                                  "postgresql://…");
        return COMMAND_USAGE;
    }
    store_name(target, migrate.target, sizeof migrate.target);
    interrupt_watch();
    (void)umask(077);
    struct progress progress = meter_progress(&migrate.meter);
    const struct moving_ask ask = {
        .source = work_engine_options(options).store,
        .target = target,
        .whole = arguments_value(arguments, "whole") != NULL,
        .progress = &progress,
        .differs = migrate_differs,
        .arg = &migrate,
    };
    int status = moving_run(&ask, &report, &err);
    return migrate_code(&migrate, status, &report, &err);
}

static const struct arguments_flag migrate_flags[] = {
    {"to", "URI", "the database that it is to go to: postgresql://…"},
    {"whole", NULL, "compare all events, also those that an earlier run has compared"},
    {0},
};

static const char *const migrate_options[] = {
    "config",           "database",  "synchronous", "max-rejects",
    "max-rejects-size", "log-level", "log-format",  NULL,
};

const struct command command_migrate = {
    .name = "migrate",
    .help = "move the database into PostgreSQL, while the daemon goes on",
    .usage = {.flags = migrate_flags, .options = migrate_options},
    .run = migrate_run,
};
