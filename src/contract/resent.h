/*
 * resent.h: what a client may have sent for a stored event. Pure.
 *
 * Receipts know bodies by the bytes of their elements as they came, and what is stored has an id
 * that may have been put in (batch.h). So the element was one of a few texts: what is stored; the
 * same with "" or null for an id; the same without the id. An id that was a number or the like
 * can't be told.
 */
#ifndef BEACOND_CONTRACT_RESENT_H
#define BEACOND_CONTRACT_RESENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/siphash.h"

#define RESENT_MOST 4

/* Writes the keyed hashes (marks_hash) of those texts to hashes, which has room for RESENT_MOST,
 * and how many there are to *count. scratch is overwritten. 0, or -1 when out of memory. */
int resent_hashes(const unsigned char key[SIPHASH_KEY_BYTES], const char *text, size_t len,
                  struct bytes *scratch, uint64_t *hashes, size_t *count) MUST_CHECK;

#endif
