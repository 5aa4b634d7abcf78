/* The configuration file that packages install: every option of the table, with its default.
 * Nothing in it depends on how beacond was built or where it runs. */

#include <ctype.h>
#include <string.h>

#include "commands/commands.h"

static const char default_config_begin[] =
    "# beacond.conf: the configuration of beacond. Made by: beacond default-config\n"
    "#\n"
    "# Every option is here, with its default or, where it has none, an example. To set one take "
    "the\n"
    "# \"# \" in front of its name away and put your value in. beacond.conf(5) tells what each "
    "takes and why\n"
    "# its default is what it is.\n"
    "#\n"
    "#     beacond check-config         says whether all is right\n"
    "#     systemctl reload beacond     or SIGHUP puts changes in force; some need a restart\n";

static void default_config_group(const char *title)
{
    printf("\n# ---- %c", title[0]);
    for (const char *c = title + 1; *c != '\0'; c++)
        putchar(tolower((unsigned char)*c));
    printf(" ----\n");
}

static void default_config_option(const struct options_about *about)
{
    const char *value = about->fallback;

    if (about->group != NULL)
        default_config_group(about->group);
    printf("\n# %s%s\n", about->help, about->reloads ? "" : " (needs a restart)");
    if (about->packaged != NULL) {
        printf("%s = %s\n", about->name, about->packaged);
        return;
    }
    if (about->example != NULL) {
        printf("# No default. For example:\n");
        value = about->example;
    }
    printf("# %s = %s\n", about->name, value != NULL ? value : "no");
}

static int default_config_run(const struct options *options, const struct arguments *arguments)
{
    struct options_about about;
    (void)options;
    (void)arguments;
    fputs(default_config_begin, stdout);
    for (size_t i = 0; options_about(i, &about); i++)
        if (strcmp(about.name, "config") != 0) /* which can't stand in a file */
            default_config_option(&about);
    return COMMAND_OK;
}

static const char *const default_config_options[] = {NULL};

const struct command command_default_config = {
    .name = "default-config",
    .help = "print a configuration file with every option in it",
    .usage = {.options = default_config_options, .bare = true},
    .run = default_config_run,
};
