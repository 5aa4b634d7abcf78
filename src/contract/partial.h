/*
 * partial.h: a text message whose end has not come yet (RFC 6455, 5.4; RFC 7692, 7.2).
 *
 * Its parts are put together within a limit and checked for UTF-8 as they come, inflated first
 * where the message is compressed. The verdict does not depend on where the parts were cut. zlib's
 * context lives from partial_begin to the end of the message. For frames.c. Pure.
 */
#ifndef BEACOND_CONTRACT_PARTIAL_H
#define BEACOND_CONTRACT_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/bytes.h"
#include "contract/utf8.h"

enum partial_status {
    PARTIAL_OK = 0,
    PARTIAL_TOO_LARGE = -1,
    PARTIAL_NOT_UTF8 = -2,
    PARTIAL_DAMAGED = -3, /* it can't be inflated */
    PARTIAL_CUT = -4,     /* compressed, and the end is missing */
    PARTIAL_NO_MEMORY = -5,
};

/* Embed it; start with zeros. After a failure there is nothing to do but partial_clear. */
struct partial {
    size_t max; /* bytes of text; may be changed at any time */
    bool begun;
    bool compressed;    /* inflate holds a context */
    uint64_t announced; /* bytes of its parts, those to come in the last one included */
    struct bytes text;  /* stays when the message has ended, until the next one begins */
    struct utf8 utf8;
    z_stream inflate;
};

enum partial_status partial_begin(struct partial *partial, bool compressed) MUST_CHECK;

/* A part of that many bytes is to come. Refuses what can't become a legal message. */
enum partial_status partial_announce(struct partial *partial, uint64_t len) MUST_CHECK;

/* Takes bytes of it, in pieces of any size (of less than 2 GiB). */
enum partial_status partial_add(struct partial *partial, const void *data, size_t len) MUST_CHECK;

/* All of it has come. On PARTIAL_OK text is the message, and no message is under way. */
enum partial_status partial_end(struct partial *partial) MUST_CHECK;

void partial_clear(struct partial *partial); /* frees all; no message is under way */

/* Bytes of memory that the message under way takes; 0 for none. */
size_t partial_held(const struct partial *partial);

#endif
