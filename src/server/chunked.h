/*
 * chunked.h: decodes a chunked body (RFC 9112, 7.1) as its bytes come. Pure.
 *
 * Strict where evhttp is not: a size is hexadecimal digits and nothing else, every line ends with
 * CR LF, a chunk ends where it says. Extensions and trailers are read over, within bounds.
 */
#ifndef BEACOND_SERVER_CHUNKED_H
#define BEACOND_SERVER_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes of one chunk's line, and of all trailers together. */
#define CHUNKED_LINE_BYTES 4096

enum chunked_status {
    CHUNKED_MORE = 0, /* everything was read, the body goes on */
    CHUNKED_DONE = 1,
    CHUNKED_BAD = -1,       /* not chunked as it should be */
    CHUNKED_TOO_LARGE = -2, /* the body passes the limit */
    CHUNKED_NO_MEMORY = -3,
};

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_BLANK, /* behind the digits of a size */
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER,
    CHUNKED_TRAILER_LF,
};

/* Start with {0}. */
struct chunked {
    enum chunked_state state;
    unsigned digits; /* of the size read so far */
    uint64_t left;   /* of the chunk */
    size_t line;     /* bytes of the line, or of the trailers, so far */
    size_t column;   /* of the trailer line */
};

/* Reads data[0..len), appends what it decodes to out, whose length may reach max_len. *used: how
 * many bytes belong to the body; less than len only when it is done or bad. */
int chunked_read(struct chunked *chunked, const char *data, size_t len, size_t max_len,
                 struct bytes *out, size_t *used) MUST_CHECK;

#endif
