/*
 * url_path.h: the path of a URL as the name of something that was given one before. Pure.
 *
 * Nothing here is ever handed to a file system: a name is looked up among those that are known
 * (server/files.h). Names have one spelling each all the same, so that nobody in front of the
 * daemon can take a path for another one than it does.
 */
#ifndef BEACOND_CONTRACT_URL_PATH_H
#define BEACOND_CONTRACT_URL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define URL_PATH_SIZE 1025 /* a name and its NUL */

/* Whether text[0..len) may be one segment of a name: 1 to 255 bytes of UTF-8 (no overlong forms)
 * without '/', '\' and control characters, that do not begin with '.': so neither ".", ".." nor
 * hidden. */
bool url_path_segment(const char *text, size_t len);

/* Decodes the path text[0..len), which begins with '/', into out as a name: segments with '/'
 * between them, and none in front; "" for "/"; with a '/' at the end when the path has one. Escapes
 * are decoded once, after the path was cut into segments. 0; or -1 for what is no such path: a bad
 * escape, a segment that is none (an empty one in the middle, "..", "%2e%2e", "a%2fb", "%00"), or
 * more than URL_PATH_SIZE. */
int url_path_decode(const char *text, size_t len, char out[URL_PATH_SIZE]) MUST_CHECK;

#endif
