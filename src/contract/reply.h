/*
 * reply.h: the small JSON documents that answer requests. Pure.
 *
 * Each appends one document to out and returns 0, or -1 when out of memory (or when a text is no
 * UTF-8, which the callers' own words and checked options never are).
 */
#ifndef BEACOND_CONTRACT_REPLY_H
#define BEACOND_CONTRACT_REPLY_H

#include "base/bytes.h"

/* {"error":"text"} */
int reply_error(struct bytes *out, const char *text) MUST_CHECK;

/* {"ok":true,"saved":…,"rejected":…,"duplicate":…} */
int reply_saved(struct bytes *out, size_t saved, size_t rejected, size_t duplicate) MUST_CHECK;

/* {"ok":true,"appId":"…","mode":"http","version":"…"} */
int reply_ping(struct bytes *out, const char *app_id, const char *version) MUST_CHECK;

#endif
