/*
 * columns.h: how many columns of a terminal a text takes. Pure; any thread.
 *
 * The text is UTF-8 without control characters, as line_append_plain (contract/line.h) leaves it. A
 * combining mark takes none, a Chinese character two; what the C library does not know takes one.
 */
#ifndef BEACOND_COMMANDS_COLUMNS_H
#define BEACOND_COMMANDS_COLUMNS_H

#include <stddef.h>

/* How many bytes of the text fit into most columns, whole characters with the marks on them; *taken
 * is how many columns these take. */
size_t columns_fit(const char *text, size_t len, size_t most, size_t *taken);

#endif
