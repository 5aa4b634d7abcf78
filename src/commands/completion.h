/*
 * completion.h: what the shells' completions are made from: the flags and operands of each command,
 * as the option table and the command itself tell them; and one function a shell that writes the
 * script.
 *
 * The scripts depend on nothing else: neither on this machine nor on how beacond was built. contrib
 * has them as they are printed, and a test compares.
 */
#ifndef BEACOND_COMMANDS_COMPLETION_H
#define BEACOND_COMMANDS_COMPLETION_H

#include "commands/commands.h"

enum completion_value {
    COMPLETION_NOTHING,  /* takes no value */
    COMPLETION_ANYTHING, /* takes one, and none can be suggested */
    COMPLETION_FILE,
    COMPLETION_FOLDER,
    COMPLETION_WORDS, /* one of those in words */
};

struct completion_flag {
    const char *name, *help;
    const char *takes; /* what the help calls the value; NULL: none */
    enum completion_value value;
    char words[128]; /* separated by spaces */
    bool repeats;
};

/* The n-th option of the table. False past the end. */
bool completion_option(size_t n, struct completion_flag *flag);

/* The n-th of the flags that are the command's own. False past the end. */
bool completion_own(const struct command *command, size_t n, struct completion_flag *flag);

/* The n-th of all that the command takes: its own, then those of the table. False past the end. */
bool completion_flag(const struct command *command, size_t n, struct completion_flag *flag);

/* Flags that are none of those: they stand alone, the first word behind the command or, --version
 * too, behind beacond. */
#define COMPLETION_HELP "tell how it is used"
#define COMPLETION_VERSION "tell which version it is"

/* Whether its operands are files. */
bool completion_takes_files(const struct command *command);

/* What the first operand may be (first: NULL), or the one behind that first one, each once,
 * separated by spaces; "" when nothing can be suggested. */
void completion_words(const struct command *command, const char *first, char *words, size_t size);

/* Whether the command takes the flags of serve, no others, and no operands: they share a list. */
bool completion_is_like_serve(const struct command *command);

/* Writes text with a backslash before each character of special, and ' as quote. */
void completion_escape(FILE *out, const char *text, const char *special, const char *quote);

void completion_bash(FILE *out);
void completion_zsh(FILE *out);
void completion_fish(FILE *out);

#endif
