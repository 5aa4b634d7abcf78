#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "commands/work.h"
#include "contract/timestamp.h"

static int prune_usage(const char *what)
{
    fprintf(stderr, "beacond: prune: %s\nTry: beacond prune --help\n", what);
    return COMMAND_USAGE;
}

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
    if (before != NULL && older != NULL)
        *code = prune_usage("--before and --older-than at once");
    else if (before != NULL && timestamp_parse(before, strlen(before), &ms) != 0)
        *code = prune_usage("--before: expected a time such as 2024-03-15T10:00:00Z");
    else if (older != NULL && options_duration(older, &ms, &err) != 0)
        *code = prune_usage(err.text);
    else
        return json_pack("{ss,sI}", "job", "prune", "before",
                         (json_int_t)(before != NULL ? ms : clock_wall_ms() - ms));
    return NULL;
}

static int prune_run(const struct options *options, const struct arguments *arguments)
{
    struct meter meter;
    json_t *result;
    int code;
    json_t *request = prune_request(arguments, &code);
    if (request == NULL)
        return code;
    meter_init(&meter);
    code = work_run(options, &meter, request, &result);
    if (code != COMMAND_OK)
        return code;
    bool stopped = json_is_true(json_object_get(result, "stopped"));
    printf("%sevents erased: %lld\nbytes freed: %lld\n", stopped ? "stopped early\n" : "",
           (long long)json_integer_value(json_object_get(result, "events")),
           (long long)json_integer_value(json_object_get(result, "freed")));
    json_decref(result);
    return stopped ? COMMAND_STOPPED : COMMAND_OK;
}

static const struct arguments_flag prune_flags[] = {
    {"before", "TIME", "erase events dated before; ISO 8601"},
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
    .usage = {.flags = prune_flags, .options = prune_options},
    .run = prune_run,
};
