/*
 * portable.h: the scanner as machines without SSE2 have it, under names of its own, beside the
 * library's. See contract/scan.h.
 */
#ifndef BEACOND_TESTS_PORTABLE_H
#define BEACOND_TESTS_PORTABLE_H

#include "contract/scan.h"

int portable_scan_batch(const char *text, size_t len, unsigned max_depth,
                        const struct scan_sink *sink, struct error *err) MUST_CHECK;

#endif
