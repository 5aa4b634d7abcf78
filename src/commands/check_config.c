#include <stdio.h>

#include "base/log.h"
#include "commands/commands.h"
#include "server/tls.h"

static int check_config_run(const struct options *options, const struct arguments *arguments)
{
    (void)arguments;
    for (size_t i = 0; i < options->listen.count; i++)
        printf("listen %s\n", options->listen.items[i]);
    for (size_t i = 0; i < options->prefix.count; i++)
        printf("prefix %s\n", options->prefix.items[i]);
    printf("database %s\n", options->database);
    printf("keys %zu\n", options->key.count); /* how many: never which */
    if (options->tls_cert != NULL) {
        struct error err;
        struct tls *tls = tls_load(options->tls_cert, options->tls_key, &err);
        if (tls == NULL) {
            log_error("%s", err.text);
            return COMMAND_CONFIG;
        }
        tls_free(tls);
        printf("tls-cert %s\n", options->tls_cert);
    }
    puts("configuration ok");
    return COMMAND_OK;
}

const struct command command_check_config = {
    .name = "check-config",
    .help = "check options and files, then end",
    .usage = {.serves = true},
    .run = check_config_run,
};
