/*
 * gunzip.h: a gzip file of any number of members, inflated piece by piece. Pure, zlib only.
 */
#ifndef BEACOND_CONTRACT_GUNZIP_H
#define BEACOND_CONTRACT_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct gunzip;

struct gunzip *gunzip_new(void) MUST_CHECK; /* NULL when out of memory */
void gunzip_free(struct gunzip *gunzip);    /* NULL is fine */

/* Whether these, a file's first bytes, are a gzip file's; two are needed to tell. */
bool gunzip_is(const void *data, size_t len);

/* Inflates from data[0..len) into out[0..room), room > 0. *used: bytes taken; *got: bytes written.
 * Both 0: more is needed. 0, or -1 with err when it is damaged or memory ran out. */
int gunzip_read(struct gunzip *gunzip, const void *data, size_t len, size_t *used, void *out,
                size_t room, size_t *got, struct error *err) MUST_CHECK;

/* Whether a file may end here: behind a member. */
bool gunzip_whole(const struct gunzip *gunzip);

#endif
