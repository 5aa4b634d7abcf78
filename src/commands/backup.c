#include "commands/commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/interrupt.h"
#include "commands/meter.h"
#include "commands/work.h"

/* The daemon, which is in another directory, is told an absolute path. 0 or -1. */
static int backup_absolute(const char *file, char out[PATH_MAX])
{
    char here[PATH_MAX] = "";
    if (file[0] != '/' && getcwd(here, sizeof here) == NULL)
        return -1;
    const char *slash = file[0] == '/' || strcmp(here, "/") == 0 ? "" : "/";
    if ((size_t)snprintf(out, PATH_MAX, "%s%s%s", here, slash, file) < PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int backup_run(const struct options *options, const struct arguments *arguments)
{
    struct meter meter;
    const char *file = arguments->operands[0];
    char path[PATH_MAX];
    json_t *result = NULL;
    meter_init(&meter);
    meter.unit = "bytes";
    if (backup_absolute(file, path) != 0) {
        meter_say(&meter, "beacond: %s: %s", file, strerror(errno));
        return COMMAND_FAILED;
    }
    json_t *request = json_pack("{sssssb}", "job", "backup", "file", path, "force",
                                arguments_value(arguments, "force") != NULL);
    if (request == NULL) {
        meter_say(&meter, "beacond: %s: the name must be UTF-8", file);
        return COMMAND_FAILED;
    }
    int code = work_run(options, &meter, request, &result);
    if (code == COMMAND_OK)
        printf("%s: %lld events, %lld bytes, complete and looked through\n", file,
               (long long)json_integer_value(json_object_get(result, "events")),
               (long long)json_integer_value(json_object_get(result, "bytes")));
    json_decref(result);
    return code == COMMAND_FAILED && interrupted() ? COMMAND_STOPPED : code;
}

static const struct arguments_flag backup_flags[] = {
    {.name = "force", .help = "replace FILE if there is one"},
    {.name = NULL},
};

static const char *const backup_options[] = {
    "config", "database", "log-level", "log-format", NULL,
};

const struct command command_backup = {
    .name = "backup",
    .help = "copy the database to FILE, whether a daemon runs or not",
    .usage = {.flags = backup_flags,
              .options = backup_options,
              .operands = "FILE",
              .least = 1,
              .most = 1},
    .run = backup_run,
};
