/*
 * basic.h: the Authorization header of HTTP Basic (RFC 7617). Pure.
 */
#ifndef BEACOND_CONTRACT_BASIC_H
#define BEACOND_CONTRACT_BASIC_H

#include <stddef.h>

#include "base/error.h"

#define BASIC_SIZE 1024 /* bytes of user name, colon and password */

struct basic {
    char text[BASIC_SIZE]; /* the user name, a colon, the password; no NUL at the end */
    const char *password;  /* in text: behind the first colon */
    size_t password_len;
};

/* Reads "Basic dXNlcjprZXk=" (NULL: no header was sent). 0; or -1 when it is something else:
 * another scheme, bad base64 (padding is needed), no colon, more than BASIC_SIZE. What the header
 * held may be left in out then. */
int basic_read(const char *header, struct basic *out) MUST_CHECK;

#endif
