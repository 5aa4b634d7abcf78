/*
 * table.h: what the files of this room share: a row of the option table and the reader's state.
 * Private to options/.
 *
 * Sources are read from the strongest to the weakest (flags, environment, file, defaults), so that
 * the config file is known when its turn comes; a value from a weaker source than the one that has
 * already set the option is checked for its form and then dropped.
 */
#ifndef BEACOND_OPTIONS_TABLE_H
#define BEACOND_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "options/options.h"

enum options_kind {
    OPTIONS_TEXT,     /* char *; an empty value means NULL where there is no default */
    OPTIONS_LIST,     /* struct options_list; repeatable */
    OPTIONS_FLAG,     /* bool; yes or no, as a flag without a value */
    OPTIONS_COUNT,    /* int64_t; a whole number */
    OPTIONS_SIZE,     /* int64_t bytes; K, M and G are powers of 1024 */
    OPTIONS_DURATION, /* int64_t milliseconds; ms, s, m, h or d */
    OPTIONS_CHOICE,   /* an enum; the place of the word in choices */
};

struct options_row {
    const char *name; /* as in a flag and in the file: lower case, hyphens */
    enum options_kind kind;
    bool reloads;               /* SIGHUP changes it; else it needs a restart */
    size_t offset;              /* place in struct options */
    const char *fallback;       /* the default as text; NULL: none, an empty list, no */
    const char *takes;          /* what stands behind the flag in the help; NULL for a flag */
    int64_t least, most;        /* of a count, size or duration, both inclusive */
    const char *const *choices; /* NULL-terminated, in the order of the enum */
    int (*check)(const char *value, struct error *err); /* form of a text or list item, or NULL.
                                                         * 0, or -1 with err */
    /* For the default configuration. */
    const char *group;    /* of the first row of a group: its title, a section of beacond.conf(5) */
    const char *example;  /* of one without a default: a value */
    const char *packaged; /* the value for a daemon that a package installs; NULL: the default */
    const char *help;     /* a line */
};

enum options_source { /* ascending strength */
                      OPTIONS_FROM_NOWHERE,
                      OPTIONS_FROM_DEFAULT,
                      OPTIONS_FROM_FILE,
                      OPTIONS_FROM_ENVIRONMENT,
                      OPTIONS_FROM_FLAG,
};

struct options_reader; /* the options being filled in and where each came from */

/* options.c */

/* The row of that name, NULL when there is none. */
const struct options_row *options_find(const char *name);

/* The n-th row; NULL past the end. */
const struct options_row *options_row(size_t n);

/* Takes one value. where tells the place for err ("beacond.conf:3: max-body"). 0 or -1. */
int options_take(struct options_reader *reader, const struct options_row *row,
                 enum options_source source, const char *where, const char *value,
                 struct error *err) MUST_CHECK;

/* The first half of options_read: what the sources say, but for the key file. options->config is
 * the file that was read. As options_read. */
int options_gather(struct options *options, struct arguments *arguments, int argc, char **argv,
                   char **environment, struct error *err) MUST_CHECK;

/* The second: adds the keys of key-file, and checks all. 0 or -1. */
int options_settle(struct options *options, bool serves, struct error *err) MUST_CHECK;

/* arguments.c */

/* Takes the flags, the command's own too, and its operands. OPTIONS_OK, _USAGE or _CONFIG. */
int options_read_flags(struct options_reader *reader, struct arguments *arguments, int argc,
                       char **argv, struct error *err) MUST_CHECK;

/* options_file.c */

/* Takes what the config file sets. 0 or -1 with err. Blocks for the disk. */
int options_read_file(struct options_reader *reader, const char *path,
                      struct error *err) MUST_CHECK;

/* Warns through the log when others than the owner and its group may read the file, which holds a
 * password. Blocks for the disk. */
void options_guard(const char *path);

/* Appends the keys of a key file to list: one a line, "#" comments. Warns through the log when
 * others than the owner may read the file. 0 or -1 with err, which quotes no line. */
int options_read_keys(struct options_list *list, const char *path, struct error *err) MUST_CHECK;

/* options_value.c */

#define OPTIONS_LONGEST_MS (36500 * INT64_C(86400000)) /* a hundred years */

/* Checks the form of value; of a flag, count, size, duration or choice sets *number. 0, or -1 with
 * err "expected …" (no name in it). */
int options_value_read(const struct options_row *row, const char *value, int64_t *number,
                       struct error *err) MUST_CHECK;

/* Puts a value that options_value_read has accepted in its place; appends it to a list. 0, or -1
 * when out of memory. */
int options_value_store(struct options *options, const struct options_row *row, const char *value,
                        int64_t number) MUST_CHECK;

/* Frees what the option holds; it is then NULL or an empty list. Numbers stay. */
void options_value_clear(struct options *options, const struct options_row *row);

/* Whether both have the same value; the order of a list counts. */
bool options_value_same(const struct options *one, const struct options *other,
                        const struct options_row *row);

/* Puts a copy of from's value in the place of the option's. 0, or -1 when out of memory (the option
 * is then empty or shorter). */
int options_value_copy(struct options *options, const struct options *from,
                       const struct options_row *row) MUST_CHECK;

int options_list_append(struct options_list *list, const char *text) MUST_CHECK; /* 0 or -1 */
void options_list_clear(struct options_list *list);

/* options_check.c: the forms of texts, and what contradicts itself. 0, or -1 with err. */

int options_check_listen(const char *value, struct error *err);
int options_check_prefix(const char *value, struct error *err);
int options_check_path(const char *value, struct error *err);
int options_check_database(const char *value, struct error *err);
int options_check_node(const char *value, struct error *err);
int options_check_app_id(const char *value, struct error *err);
int options_check_key(const char *value, struct error *err);
int options_check_proxy(const char *value, struct error *err) MUST_CHECK;
int options_check_admin_host(const char *value, struct error *err) MUST_CHECK;
int options_check_origin(const char *value, struct error *err);
int options_check_all(const struct options *options, bool serves, struct error *err) MUST_CHECK;

#endif
