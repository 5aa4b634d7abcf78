/*
 * utf8.h: whether bytes that come in pieces are UTF-8 (RFC 3629), and what is shown of those that
 * are not. Pure.
 *
 * No overlong forms, no surrogates, nothing beyond U+10FFFF. A bad byte is noticed as soon as it is
 * there, also when the pieces split a character.
 */
#ifndef BEACOND_CONTRACT_UTF8_H
#define BEACOND_CONTRACT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Start with zeros. */
struct utf8 {
    unsigned char missing;   /* bytes that the character begun still needs */
    unsigned char low, high; /* what the next of them must lie between */
};

bool utf8_add(struct utf8 *utf8, const void *data, size_t len); /* false: no UTF-8 */
bool utf8_whole(const struct utf8 *utf8);                       /* no character is left open */

/* Appends the text with U+FFFD for what is no UTF-8: one for the longest beginning of a character
 * that breaks off, one for each other byte, as browsers do it. beginning: the text goes on
 * elsewhere; a character that is still open at its end is left out. 0, or -1 when out of memory. */
int utf8_repair(struct bytes *out, const char *text, size_t len, bool beginning) MUST_CHECK;

#endif
