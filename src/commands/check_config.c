#include <stdio.h>

#include "commands/commands.h"

int command_check_config(const struct options *options)
{
    for (size_t i = 0; i < options->listen.count; i++)
        printf("listen %s\n", options->listen.items[i]);
    for (size_t i = 0; i < options->prefix.count; i++)
        printf("prefix %s\n", options->prefix.items[i]);
    printf("database %s\n", options->database);
    printf("keys %zu\n", options->key.count); /* how many: never which */
    puts("configuration ok");
    return COMMAND_OK;
}
