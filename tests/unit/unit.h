/*
 * unit.h: the one main of a unit test program: runs a suite and writes TAP to standard output.
 */
#ifndef BEACOND_TESTS_UNIT_H
#define BEACOND_TESTS_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

static inline int unit_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Defined in a build with a sanitizer, whose memory can't be limited. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED
#endif

/* Whether BEACOND_SLOW says that every step is dear (valgrind, sanitizers). */
static inline bool unit_slow(void)
{
    const char *slow = getenv("BEACOND_SLOW");
    return slow != NULL && *slow == '1';
}

/* How many rounds a random test plays: all of them, or a fiftieth. */
static inline unsigned unit_rounds(unsigned all)
{
    return unit_slow() ? all / 50 : all;
}

/* Where the source tree is; automake tells in a VPATH build. */
static inline const char *unit_srcdir(void)
{
    const char *dir = getenv("srcdir");
    return dir != NULL ? dir : ".";
}

#endif
