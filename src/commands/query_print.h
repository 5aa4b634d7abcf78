/*
 * query_print.h: the rows of a question, written out: as a table, line by line, as CSV or as JSON.
 *
 * A table (table.h) and lines are for people: what strangers sent is made visible and can do
 * nothing to a terminal. CSV (RFC 4180) and JSON, an object a line, are whole; a NULL is nothing in
 * CSV and null in JSON, what is no UTF-8 becomes U+FFFD, a BLOB its bytes in hexadecimal digits, an
 * infinite number null in JSON. Shown on a terminal, their control characters are escaped, too.
 */
#ifndef BEACOND_COMMANDS_QUERY_PRINT_H
#define BEACOND_COMMANDS_QUERY_PRINT_H

#include <stdint.h>

#include "commands/output.h"
#include "commands/table.h"
#include "store/ask.h"

enum query_format { QUERY_TABLE, QUERY_LINES, QUERY_CSV, QUERY_JSON, QUERY_FORMATS };

extern const char *const query_formats[QUERY_FORMATS]; /* their names */

struct query_print {
    enum query_format format;
    size_t width;          /* of a table, 0 for any */
    struct output *output; /* the caller's */
    int64_t rows;

    struct table table;
    char **names; /* copies */
    size_t count, longest;
    bool starved; /* out of memory */
    int status;   /* of output */
    struct error *err;
};

/* The rest starts with zeros; query_print_clear in any case. */
void query_print_clear(struct query_print *print);

/* As store_ask wants them; arg is the struct query_print. Non-zero: starved, or status says why. */
int query_print_columns(void *arg, const char *const *names, size_t count);
int query_print_row(void *arg, const struct store_cell *cells, size_t count);

/* What is held back. 0, or as above. Whoever owns the output has it written. */
int query_print_end(struct query_print *print) MUST_CHECK;

#endif
