#include "commands/commands.h"

#include <string.h>

/* In the order in which help and completion list them. */
static const struct command *const commands_table[] = {
    &command_serve,  &command_check_config, &command_import,     &command_export,
    &command_tail,   &command_rejects,      &command_prune,      &command_forget,
    &command_backup, &command_migrate,      &command_check,      &command_stats,
    &command_query,  &command_ready,        &command_completion, &command_default_config,
};

enum { COMMANDS_COUNT = sizeof(commands_table) / sizeof(commands_table[0]) };

const struct command *commands_nth(size_t n)
{
    return n < COMMANDS_COUNT ? commands_table[n] : NULL;
}

const struct command *commands_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(commands_table[i]->name, name) == 0)
            return commands_table[i];
    }
    return NULL;
}
