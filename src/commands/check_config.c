#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "commands/commands.h"
#include "commands/serve_setup.h"
#include "store/store.h"

static int check_config_run(const struct options *options, const struct arguments *arguments)
{
    struct serve_setup setup;
    char database[PATH_MAX];
    struct error err;
    (void)arguments;
    /* What the daemon would refuse later. */
    if (serve_setup_make(&setup, options, &err) != 0) {
        log_error("%s", err.text);
        return error_of_memory(&err) ? COMMAND_FAILED : COMMAND_CONFIG;
    }
    serve_setup_clear(&setup);
    if (options->config != NULL)
        printf("config %s\n", options->config);
    for (size_t i = 0; i < options->listen.count; i++)
        printf("listen %s\n", options->listen.items[i]);
    for (size_t i = 0; i < options->prefix.count; i++)
        printf("prefix %s\n", options->prefix.items[i]);
    store_name(options->database, database, sizeof database);
    printf("database %s\n", database);
    if (options->dashboard != NULL)
        printf("dashboard %s\n", options->dashboard);
    printf("keys %zu\n", options->key.count); /* how many: never which */
    if (options->tls_cert != NULL)
        printf("tls-cert %s\n", options->tls_cert);
    puts("configuration ok");
    return COMMAND_OK;
}

const struct command command_check_config = {
    .name = "check-config",
    .help = "check options and files, then end",
    .usage = {.serves = true},
    .run = check_config_run,
};
