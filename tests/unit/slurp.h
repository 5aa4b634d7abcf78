/*
 * slurp.h: a whole file of tests/data in memory, or the test fails.
 */
#ifndef BEACOND_TESTS_SLURP_H
#define BEACOND_TESTS_SLURP_H

#include <stdio.h>

#include "base/bytes.h"
#include "unit.h"

/* name: below tests/data. Appends to out. */
static inline void slurp(struct bytes *out, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/%s", unit_srcdir(), name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is not there", path);
    size_t got;
    do {
        ck_assert_int_eq(bytes_reserve(out, 65536), 0);
        got = fread(out->data + out->len, 1, 65536, file);
        out->len += got;
    } while (got > 0);
    fclose(file);
}

#endif
