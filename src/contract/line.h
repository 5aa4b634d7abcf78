/*
 * line.h: what strangers sent, put on a line of text. Pure.
 *
 * Nothing that goes through line_append_plain or line_append_visible can move a terminal's cursor:
 * control characters, those of C1 too, come out escaped.
 */
#ifndef BEACOND_CONTRACT_LINE_H
#define BEACOND_CONTRACT_LINE_H

#include <stddef.h>

#include "base/bytes.h"

/* Appends a stored event as one line, without the newline: byte for byte, but each CR and LF, which
 * JSON allows between its tokens alone, as a space. 0, or -1 when out of memory. */
int line_append(struct bytes *out, const char *text, size_t len) MUST_CHECK;

/* Does that to a text where it stands. */
void line_join(char *text, size_t len);

/* The same for a terminal: what would be a control character there, or turns the direction of a
 * text, is written as JSON's escape, so that the line still means the same; bytes that are no UTF-8
 * as the replacement character. */
int line_append_visible(struct bytes *out, const char *text, size_t len) MUST_CHECK;

/* Appends any bytes for a person to read: a backslash doubled, control characters and those that
 * turn the direction of a text as \n, \t, \x1b or \u202e, bytes that are no UTF-8 as \xff. Behind
 * most characters it ends in three dots. 0, or -1 when out of memory. */
int line_append_plain(struct bytes *out, const char *text, size_t len, size_t most) MUST_CHECK;

#endif
