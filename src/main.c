/*
 * main.c: finds the command, has the options read, runs the command.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/whose.h"
#include "options/options.h"

static void main_help(void)
{
    printf("usage: beacond [serve] [OPTION]...\n"
           "       beacond COMMAND [OPTION]... [ARGUMENT]...\n"
           "       beacond [COMMAND] --help | --version\n"
           "\n"
           "Takes batches of browser telemetry over HTTP or WebSocket, keeps them in an\n"
           "SQLite file or a PostgreSQL database, and gives them back newest first.\n"
           "\n"
           "Commands:\n");
    for (size_t i = 0; commands_nth(i) != NULL; i++)
        printf("  %-14s %s\n", commands_nth(i)->name, commands_nth(i)->help);
    printf("\n"
           "Options. Each can also be given in the environment (BEACOND_MAX_BODY=8M) and, but for\n"
           "config, in the config file (max-body = 8M). Flags override the environment, the\n"
           "environment overrides the file. Commands take those that concern them.\n");
    options_help(stdout, &command_serve.usage);
    printf("\n"
           "See beacond(8), beacond.conf(5), beacond-schema(5) and beacond-protocol(7).\n");
}

static void main_help_command(const struct command *command)
{
    const struct arguments_usage *usage = &command->usage;
    printf("usage: beacond %s [OPTION]...%s%s\n\n%s\n\n", command->name,
           usage->operands != NULL ? " " : "", usage->operands != NULL ? usage->operands : "",
           command->help);
    arguments_help(stdout, usage);
    options_help(stdout, usage);
    printf("\n"
           "See beacond(8), COMMANDS.\n");
}

/* The second line is what configure found, or was told to leave out. */
static void main_version(void)
{
#ifdef HAVE_OPENSSL
    const char *tls = "yes";
#else
    const char *tls = "no";
#endif
#ifdef HAVE_LIBSYSTEMD
    const char *systemd = "yes";
#else
    const char *systemd = "no";
#endif
#ifdef HAVE_LIBPQ
    const char *postgresql = "yes";
#else
    const char *postgresql = "no";
#endif
    printf("beacond %s\nTLS: %s, systemd: %s, PostgreSQL: %s\n", PACKAGE_VERSION, tls, systemd,
           postgresql);
}

/* A full disk must not make "beacond --help >file" a success. */
static int main_flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("beacond: standard output");
    return COMMAND_FAILED;
}

/* command: whose help tells more, NULL for that of the program. */
static int main_usage_error(const struct command *command, const char *what, const char *which)
{
    fprintf(stderr, "beacond: %s%s\nTry: beacond%s%s --help\n", what, which,
            command != NULL ? " " : "", command != NULL ? command->name : "");
    return COMMAND_USAGE;
}

static int main_run(const struct command *command, int argc, char **argv)
{
    struct options options;
    struct arguments arguments = {.usage = &command->usage};
    struct error err = {""};
    int status = COMMAND_CONFIG;
    sigset_t hangup;

    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    if (command->takes_hangups)
        (void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);

    switch (options_read(&options, &arguments, argc, argv, environ, &err)) {
    case OPTIONS_OK:
        status = command->run(&options, &arguments);
        if (status != COMMAND_OK)
            whose_advise(command->name, options.database);
        break;
    case OPTIONS_USAGE:
        status = main_usage_error(command, err.text, "");
        break;
    default:
        fprintf(stderr, "beacond: %s\n", err.text);
        if (error_of_memory(&err))
            status = COMMAND_FAILED;
        whose_advise(command->name, options.config != NULL ? options.config : options_file());
        break;
    }
    options_clear(&options);
    return main_flushed(status);
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;

    /* A word in front is the command. What follows it is read as flags by options_read, which skips
     * the first word as any getopt does. */
    if (argc > 1 && argv[1][0] != '-') {
        command = commands_find(argv[1]);
        if (command == NULL)
            return main_usage_error(NULL, "there is no command ", argv[1]);
        argc--;
        argv++;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        if (command != NULL && command != &command_serve)
            main_help_command(command);
        else
            main_help();
        return main_flushed(COMMAND_OK);
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        main_version();
        return main_flushed(COMMAND_OK);
    }
    return main_run(command != NULL ? command : &command_serve, argc, argv);
}
