#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/work.h"
#include "contract/receipt_rows.h"
#include "store/audit.h"
#include "store/store.h"

struct check {
    const struct options *options;
    struct meter meter;
    struct store_audit_facts facts;
};

static void check_say(void *arg, bool ok, const char *text)
{
    struct check *check = arg;
    meter_clear(&check->meter);
    printf("%-5s %s\n", ok ? "ok" : "wrong", text);
    (void)fflush(stdout); /* in order with what stands on standard error */
}

static int check_step(void *arg, const char *what, int64_t done, int64_t total)
{
    struct check *check = arg;
    bool pages = strcmp(what, STORE_AUDIT_PAGES) == 0;
    meter_step(&check->meter, what, done, total, pages ? "bytes" : "events");
    return interrupted() ? -1 : 0;
}

static int check_audit(struct check *check, enum store_audit_depth depth)
{
    const struct store_audit_ear ear = {
        .say = check_say,
        .receipts = receipt_row_fits,
        .step = check_step,
        .arg = check,
        .max_rejects = check->options->max_rejects,
        .max_rejects_bytes = check->options->max_rejects_size,
    };
    struct error err = {""};
    int status = store_audit(check->options->database, depth, &ear, &check->facts, &err);
    meter_clear(&check->meter);
    if (status == STORE_OK)
        return check->facts.whole ? COMMAND_OK : COMMAND_FAILED;
    fprintf(stderr, "beacond: %s\n", err.text);
    if (interrupted())
        return COMMAND_STOPPED;
    return status == STORE_UNFIT ? COMMAND_CONFIG : COMMAND_FAILED;
}

/* Has who may write count anew, and looks again. code: what the audit came to, the tally apart. */
static int check_repair(struct check *check)
{
    json_t *result = NULL;
    int code =
        work_run(check->options, &check->meter, json_pack("{ss}", "job", "recount"), &result);
    if (code != COMMAND_OK)
        return code;
    printf("fixed tally: counted anew, %lld events\n",
           (long long)json_integer_value(json_object_get(result, "events")));
    json_decref(result);
    return check_audit(check, STORE_AUDIT_TALLY);
}

static int check_run(const struct options *options, const struct arguments *arguments)
{
    struct check check = {.options = options};
    bool quick = arguments_value(arguments, "quick") != NULL;
    meter_init(&check.meter);
    interrupt_watch();
    int code = check_audit(&check, quick ? STORE_AUDIT_QUICK : STORE_AUDIT_WHOLE);
    struct store_audit_facts facts = check.facts;
    if (code != COMMAND_OK && code != COMMAND_FAILED)
        return code;
    if (arguments_value(arguments, "repair-tally") == NULL || facts.tally_right)
        return code;
    code = check_repair(&check);
    return code == COMMAND_OK && facts.others_wrong ? COMMAND_FAILED : code;
}

static const struct arguments_flag check_flags[] = {
    {.name = "quick", .help = "don't compare indexes with their tables"},
    {.name = "repair-tally", .help = "count the events anew where the tally is wrong"},
    {.name = NULL},
};

static const char *const check_options[] = {
    "config", "database", "max-rejects", "max-rejects-size", "log-level", "log-format", NULL,
};

const struct command command_check = {
    .name = "check",
    .help = "say whether the database is whole; exit 1 when it is not",
    .usage = {.flags = check_flags, .options = check_options},
    .run = check_run,
};
