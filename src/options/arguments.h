/*
 * arguments.h: what stands behind a command beside the options of the table: flags of its own and
 * operands.
 *
 * A command says by its arguments_usage what it takes; options_read fills in the rest. All texts
 * are argv's. Constant once read.
 */
#ifndef BEACOND_OPTIONS_ARGUMENTS_H
#define BEACOND_OPTIONS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ARGUMENTS_FLAGS 16 /* flags of its own that a command may have */

struct arguments_flag {
    const char *name;  /* without the hyphens */
    const char *takes; /* what stands behind it in the help; FILE is a path, a|b one of two words;
                        * NULL: no value */
    const char *help;  /* a line */
};

struct arguments_usage {
    const struct arguments_flag *flags; /* ended by one without a name; NULL for none */
    const char *const *options; /* of the table, those that apply, ended by NULL; NULL: all */
    const char *operands; /* for the help, what stands behind the options: "FILE..."; or NULL */
    /* For completion, what operands may be, the n-th of all; NULL past the end: "list", "retry all"
     * (all may stand behind retry). NULL: nothing is known. */
    const char *(*word)(size_t n);
    size_t least, most; /* operands */
    bool serves;        /* it needs keys and listening addresses to be in order */
    bool bare;          /* environment and config file do not concern it, and may be wrong */
};

struct arguments {
    const struct arguments_usage *usage; /* the caller's, set before options_read */
    const char *values[ARGUMENTS_FLAGS]; /* as usage->flags; NULL: not given */
    char *const *operands;
    size_t operand_count;

    /* What options_read was given, for options_read_again. */
    int argc;
    char **argv;
    char **environment;
};

/* The value of one of the command's own flags (of one without value: ""), or NULL. */
const char *arguments_value(const struct arguments *arguments, const char *name);

/* Whether the command takes the option of that name. */
bool arguments_takes(const struct arguments_usage *usage, const char *option);

/* The flags of its own for --help, two lines each. */
void arguments_help(FILE *out, const struct arguments_usage *usage);

#endif
