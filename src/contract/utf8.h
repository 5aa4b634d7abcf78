/*
 * utf8.h: whether bytes that come in pieces are UTF-8 (RFC 3629). Pure.
 *
 * No overlong forms, no surrogates, nothing beyond U+10FFFF. A bad byte is noticed as soon as it is
 * there, also when the pieces split a character.
 */
#ifndef BEACOND_CONTRACT_UTF8_H
#define BEACOND_CONTRACT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Start with zeros. */
struct utf8 {
    unsigned char missing;   /* bytes that the character begun still needs */
    unsigned char low, high; /* what the next of them must lie between */
};

bool utf8_add(struct utf8 *utf8, const void *data, size_t len); /* false: no UTF-8 */
bool utf8_whole(const struct utf8 *utf8);                       /* no character is left open */

#endif
