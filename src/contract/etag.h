/*
 * etag.h: entity tags of reads (RFC 9110, 8.8.3 and 13.1.2). Pure.
 *
 * Stored events never change, so the answer to one URL is the same as long as the total of its
 * window is, and nothing was erased or changed by hand. A tag says no more than that, so it is
 * weak: compressed and plain answers share it, and so do answers that only differ in their cursor.
 */
#ifndef BEACOND_CONTRACT_ETAG_H
#define BEACOND_CONTRACT_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"

#define ETAG_SIZE 21 /* W/"16 hexadecimal digits" and a NUL */

/* The tag for a window's total. epoch: differs from run to run, since a database can be changed
 * while nobody looks. erasures: how often events were erased or changed. */
void etag_make(char out[ETAG_SIZE], uint64_t epoch, int64_t erasures, int64_t total,
               const unsigned char key[SIPHASH_KEY_BYTES]);

/* Whether an If-None-Match header (NULL for none) names the tag, or is "*". What is no list of tags
 * names none. */
bool etag_matches(const char *header, const char *tag);

#endif
