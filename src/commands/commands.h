/*
 * commands.h: what beacond can be told to do. One struct command each, in a file of its own.
 *
 * Each runs on the main thread with options that have been read and checked, and returns the exit
 * code of the process. Errors have been told (log or standard error) when it returns.
 */
#ifndef BEACOND_COMMANDS_COMMANDS_H
#define BEACOND_COMMANDS_COMMANDS_H

#include "options/options.h"

enum command_exit {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1,
    COMMAND_USAGE = 2,     /* unknown command, unknown flag, stray argument */
    COMMAND_STOPPED = 130, /* SIGINT or SIGTERM came first; what was done is whole */
    COMMAND_CONFIG = 78, /* bad value or file, or a database that must not be touched (EX_CONFIG) */
};

struct command {
    const char *name;
    const char *help; /* a line */
    struct arguments_usage usage;
    bool takes_hangups; /* SIGHUP is blocked before anything is done: it is taken later */
    int (*run)(const struct options *options, const struct arguments *arguments);
};

/* The n-th, NULL past the end; the one of that name, or NULL. */
const struct command *commands_nth(size_t n);
const struct command *commands_find(const char *name);

/* Runs the daemon until a signal ends it. */
extern const struct command command_serve;

/* Says that the options are fine: bad ones don't get this far. Touches neither network nor
 * database. */
extern const struct command command_check_config;

/* Asks the daemon whether it takes events. */
extern const struct command command_ready;

/* Copies the database to another file. */
extern const struct command command_backup;

/* Looks at a database and says what is wrong with it. */
extern const struct command command_check;

/* Tells what a database holds and how large it is. */
extern const struct command command_stats;

/* Answers a ready question, or one in SQL, about what the database holds. */
extern const struct command command_query;

/* Writes the events of a window to a file or to standard output. */
extern const struct command command_export;

/* Writes each event as it is committed. */
extern const struct command command_tail;

/* Erases old events. */
extern const struct command command_prune;

/* Erases one user or session. */
extern const struct command command_forget;

/* Stores the events of log files. */
extern const struct command command_import;

/* Moves the database into another store. */
extern const struct command command_migrate;

/* Lists what could not be stored, reads it anew, or deletes it. */
extern const struct command command_rejects;

/* Prints what makes a shell complete command lines. */
extern const struct command command_completion;

/* Prints a configuration file in which every option is explained. */
extern const struct command command_default_config;

#endif
