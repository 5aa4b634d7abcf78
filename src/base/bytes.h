/*
 * bytes.h: a growing run of bytes.
 *
 * Embed it, bytes_init it, bytes_clear it. data may move whenever the run grows, so keep offsets,
 * not pointers. The run is not terminated by a NUL. One owner, any thread.
 */
#ifndef BEACOND_BASE_BYTES_H
#define BEACOND_BASE_BYTES_H

#include <stddef.h>

#include "base/error.h"

struct bytes {
    char *data;      /* NULL while capacity is 0 */
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
};

void bytes_init(struct bytes *b);
void bytes_clear(struct bytes *b); /* frees the memory; b is as after bytes_init */

/* Makes room for more bytes behind len, growing by half at least. 0, or -1 when out of memory
 * (b is unchanged then). */
int bytes_reserve(struct bytes *b, size_t more) MUST_CHECK;
int bytes_append(struct bytes *b, const void *data, size_t len) MUST_CHECK;
int bytes_append_text(struct bytes *b, const char *text) MUST_CHECK;
int bytes_append_format(struct bytes *b, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* Hands the memory to the caller (free() it); b is as after bytes_init. NULL when b is empty. */
char *bytes_steal(struct bytes *b, size_t *len) MUST_CHECK;

#endif
