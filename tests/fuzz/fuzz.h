/*
 * fuzz.h: what a fuzz target is to those who call it: libFuzzer (clang's -fsanitize=fuzzer), or
 * standalone.c; and what targets share.
 */
#ifndef BEACOND_TESTS_FUZZ_H
#define BEACOND_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the process when something is wrong; always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: it may be compiled away. */
static inline void fuzz_need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* What stands in front of the first NUL, as a text in memory of just that size. free() it. */
static inline char *fuzz_string(const void *data, size_t size)
{
    size_t len = size > 0 ? strnlen(data, size) : 0;
    char *text = malloc(len + 1);
    fuzz_need(text != NULL, "out of memory");
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

/* Two runs of bytes are the same. */
static inline bool fuzz_same(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

#endif
