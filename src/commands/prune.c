#include "commands/commands.h"

#include <stdio.h>

#include "base/clock.h"
#include "commands/flags.h"
#include "commands/work.h"

/* The request, from what the command line says. NULL: *code tells, and so has been told. */
static json_t *prune_request(const struct arguments *arguments, int *code)
{
    const char *before = arguments_value(arguments, "before");
    const char *older = arguments_value(arguments, "older-than");
    struct error err = {""};
    int64_t ms = 0;
    *code = COMMAND_FAILED;
    if (before == NULL && older == NULL)
        return json_pack("{ss}", "job", "prune");
    if (before != NULL && older != NULL) {
        fputs("beacond: --before and --older-than exclude each other\n"
              "Try: beacond prune --help\n",
              stderr);
        *code = COMMAND_USAGE;
        return NULL;
    }
    if (flags_time(arguments, "before", &ms, &err) != 0) {
        fprintf(stderr, "beacond: %s\n", err.text);
        *code = COMMAND_CONFIG;
        return NULL;
    }
    if (older != NULL && options_duration(older, &ms, &err) != 0) {
        fprintf(stderr, "beacond: --older-than: %s\n", err.text);
        *code = COMMAND_CONFIG;
        return NULL;
    }
    return json_pack("{ss,sI}", "job", "prune", "before",
                     (json_int_t)(before != NULL ? ms : clock_wall_ms() - ms));
}

static int prune_run(const struct options *options, const struct arguments *arguments)
{
    struct meter meter;
    json_t *result;
    int code;
    json_t *request = prune_request(arguments, &code);
    if (request == NULL) {
        if (code == COMMAND_FAILED)
            fputs("beacond: out of memory\n", stderr);
        return code;
    }
    meter_init(&meter);
    code = work_run(options, &meter, request, &result);
    if (code != COMMAND_OK)
        return code;
    bool stopped = json_is_true(json_object_get(result, "stopped"));
    printf("%lld events erased, %lld bytes freed\n",
           (long long)json_integer_value(json_object_get(result, "events")),
           (long long)json_integer_value(json_object_get(result, "freed")));
    json_decref(result);
    if (stopped)
        meter_say(&meter, "beacond: stopped; the same again does the rest");
    return stopped ? COMMAND_STOPPED : COMMAND_OK;
}

static const struct arguments_flag prune_flags[] = {
    {"before", "TIME", "erase events dated before this time"},
    {"older-than", "DURATION", "erase events dated longer ago, such as 30d"},
    {NULL, NULL, NULL},
};

static const char *const prune_options[] = {
    "config",      "database",         "synchronous",   "retain",    "retain-size", "min-free-disk",
    "max-rejects", "max-rejects-size", "receipts-size", "log-level", "log-format",  NULL,
};

const struct command command_prune = {
    .name = "prune",
    .help = "erase old events; without a flag, those that the retain options name",
    .usage = {.flags = prune_flags,
              .options = prune_options,
              .operands = "[--before TIME | --older-than DURATION]"},
    .run = prune_run,
};
