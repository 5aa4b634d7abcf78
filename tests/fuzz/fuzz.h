/*
 * fuzz.h: what a fuzz target is to those who call it: libFuzzer (clang's -fsanitize=fuzzer), or
 * standalone.c.
 */
#ifndef BEACOND_TESTS_FUZZ_H
#define BEACOND_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Ends the process when something is wrong; always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
