/*
 * coding.h: Accept-Encoding. Pure.
 */
#ifndef BEACOND_SERVER_CODING_H
#define BEACOND_SERVER_CODING_H

#include <stdbool.h>

/* Whether an Accept-Encoding header (NULL: none was sent) takes gzip: named, or by "*", with a
 * weight above 0. */
bool coding_accepts_gzip(const char *header);

#endif
