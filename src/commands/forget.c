#include "commands/commands.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "commands/work.h"
#include "contract/timestamp.h"
#include "contract/utf8.h"

static int forget_usage(const char *what)
{
    fprintf(stderr, "beacond: %s\nTry: beacond forget --help\n", what);
    return COMMAND_USAGE;
}

static long long forget_count(const json_t *result, const char *name)
{
    return (long long)json_integer_value(json_object_get(result, name));
}

static void forget_print(const struct options *options, const json_t *result, bool session,
                         const char *id)
{
    char at[TIMESTAMP_SIZE], database[PATH_MAX];
    bool file = store_is_file(options->database);
    bool stopped = json_is_true(json_object_get(result, "stopped"));
    timestamp_format(at, json_integer_value(json_object_get(result, "at")));
    store_name(options->database, database, sizeof database);
    printf("%s: %s \"%s\", %s, %s\n", stopped ? "stopped early, only a part is erased" : "erased",
           session ? "session" : "user", id, database, at);
    printf("  events                  %lld\n", forget_count(result, "events"));
    printf("  rejects                 %lld\n", forget_count(result, "rejects"));
    printf("  receipts of bodies      %lld\n", forget_count(result, "receipts"));
    if (!stopped && file)
        puts("  cache, WAL, free space  nothing left of them");
    else if (!stopped)
        puts("  caches                  nothing left of them");
    printf("out of reach: backups and exports, log files that were imported, what other programs\n"
           "and dashboards have read, %s; and what is sent from now on\n",
           file ? "snapshots of the disk" : "logs, replicas and disks of the database's server");
}

static int forget_run(const struct options *options, const struct arguments *arguments)
{
    const char *user = arguments_value(arguments, "user");
    const char *session = arguments_value(arguments, "session");
    const char *id = user != NULL ? user : session;
    struct utf8 utf8 = {0};
    struct meter meter;
    json_t *result;
    if ((user == NULL) == (session == NULL))
        return forget_usage("give one of --user and --session");
    if (*id == '\0' || !utf8_add(&utf8, id, strlen(id)) || !utf8_whole(&utf8)) {
        fprintf(stderr, "beacond: --%s: expected an ID of one character or more, in UTF-8\n",
                user != NULL ? "user" : "session");
        return COMMAND_CONFIG;
    }
    meter_init(&meter);
    int code =
        work_run(options, &meter,
                 json_pack("{ss,sb,ss}", "job", "forget", "session", (int)(user == NULL), "id", id),
                 &result);
    if (code != COMMAND_OK)
        return code;
    forget_print(options, result, user == NULL, id);
    if (json_is_true(json_object_get(result, "stopped")))
        code = COMMAND_STOPPED;
    json_decref(result);
    return code;
}

static const struct arguments_flag forget_flags[] = {
    {"user", "ID", "erase every event whose userId is this"},
    {"session", "ID", "erase every event whose sessionId is this"},
    {NULL, NULL, NULL},
};

static const char *const forget_options[] = {
    "config",        "database",  "synchronous", "max-rejects", "max-rejects-size",
    "receipts-size", "log-level", "log-format",  NULL,
};

const struct command command_forget = {
    .name = "forget",
    .help = "erase all events of one user or session, and every trace of them",
    .usage = {.flags = forget_flags,
              .options = forget_options,
              .operands = "--user ID | --session ID"},
    .run = forget_run,
};
