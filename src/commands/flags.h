/*
 * flags.h: the values of flags that several commands take, read and refused with the same words.
 *
 * Each gives -1 with err, "--name: expected …, got …", when the value can't be read.
 */
#ifndef BEACOND_COMMANDS_FLAGS_H
#define BEACOND_COMMANDS_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "options/arguments.h"

/* A time (contract/timestamp.h). 0; *ms stays as it is when the flag was not given. */
int flags_time(const struct arguments *arguments, const char *name, int64_t *ms,
               struct error *err) MUST_CHECK;

/* A whole number of 0 or more. 1 when the flag was given, 0 when not. */
int flags_number(const struct arguments *arguments, const char *name, int64_t *number,
                 struct error *err) MUST_CHECK;

/* One of two words, the first of which is the default. 0 and *is_second. */
int flags_word(const struct arguments *arguments, const char *name, const char *first,
               const char *second, bool *is_second, struct error *err) MUST_CHECK;

/* A whole number of 0 or more, as flags_number reads it. 0 or -1. */
int flags_read_number(const char *text, int64_t *number) MUST_CHECK;

#endif
