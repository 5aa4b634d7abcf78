/*
 * table.h: rows as a table of text that fits a width. Pure; one thread.
 *
 * Columns are as wide as what stands in them. When that is more than the width, those of text are
 * made narrower, the widest first, and what is cut ends in three dots; numbers are never cut. The
 * widths are learned from the first TABLE_LEARNS rows, which are held until then; later rows keep
 * them, so that memory does not grow with the rows. Numbers stand to the right.
 *
 * Whatever the values hold, the table is printable text on lines of its own (line_append_plain).
 */
#ifndef BEACOND_COMMANDS_TABLE_H
#define BEACOND_COMMANDS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define TABLE_LEARNS 1000 /* rows */
#define TABLE_LEAST 8     /* columns that a text keeps at least, where it has as many */
#define TABLE_WHOLE 24    /* a column of text that is no wider stays so, if the others allow it */
#define TABLE_MOST 1000   /* characters of a value that are shown at most */

struct table_cell {
    size_t at, len; /* within text */
    size_t columns;
};

struct table_column {
    size_t width;
    bool number; /* whatever stands in it is one, or nothing; and not nothing alone */
    bool other;  /* something else has been seen */
};

struct table {
    size_t count, width;
    struct table_column *columns;
    struct bytes text;        /* of what is held */
    struct table_cell *cells; /* count of them a row; the first row is the head */
    size_t held, room;        /* rows */
    bool learned;
};

/* width: columns that a row may take, 0 for any. 0, or -1 when out of memory; table_clear in any
 * case. names: what the head says. */
int table_init(struct table *table, size_t width, const char *const *names,
               size_t count) MUST_CHECK;
void table_clear(struct table *table);

/* Takes the next value, row by row; those of a row in their order, then table_row. All 0, or -1
 * when out of memory. number: it is one. */
int table_value(struct table *table, size_t column, const char *text, size_t len,
                bool number) MUST_CHECK;

/* The row is complete: appends to out what can be printed by now. */
int table_row(struct table *table, struct bytes *out) MUST_CHECK;

/* Appends what is still held, at least the head. */
int table_end(struct table *table, struct bytes *out) MUST_CHECK;

#endif
