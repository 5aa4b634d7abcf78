/*
 * inflate.h: a gzip body into bounded memory. Pure, zlib only.
 */
#ifndef BEACOND_CONTRACT_INFLATE_H
#define BEACOND_CONTRACT_INFLATE_H

#include <stddef.h>

#include "base/bytes.h"

enum inflate_status {
    INFLATE_OK = 0,
    INFLATE_BAD = -1,       /* no gzip, damaged, cut short, or something behind it */
    INFLATE_TOO_LARGE = -2, /* more than max_len bytes come out */
    INFLATE_NO_MEMORY = -3,
};

/* Inflates data[0..len) of one or more gzip members and appends to out (which the caller clears,
 * also after an error). Stops as soon as max_len is passed: a bomb costs no more than a legal body.
 */
int inflate_gzip(const void *data, size_t len, size_t max_len, struct bytes *out) MUST_CHECK;

#endif
