/*
 * count.h: what the counting programs share.
 *
 * Each makes something ready and then calls count_subject once: callgrind counts the instructions
 * of that call alone (count.sh). The first line written says how the program was made, since a
 * number holds only for that; the second one "ok", when what was counted has done its work.
 */
#ifndef BEACOND_TESTS_COUNT_H
#define BEACOND_TESTS_COUNT_H

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <zlib.h>

#define COUNT_TEXT(x) #x
#define COUNT_NUMBER(x) COUNT_TEXT(x)

#if defined __clang__
#define COUNT_COMPILER "clang-" COUNT_NUMBER(__clang_major__)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define COUNT_SANITIZED
#endif
#elif defined __GNUC__
#define COUNT_COMPILER "gcc-" COUNT_NUMBER(__GNUC__)
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define COUNT_SANITIZED
#endif
#else
#define COUNT_COMPILER "unknown"
#endif

#if defined COUNT_SANITIZED
#define COUNT_HOW "sanitized"
#elif !defined __OPTIMIZE__ || defined __OPTIMIZE_SIZE__
#define COUNT_HOW "unoptimised"
#else
#define COUNT_HOW "optimised"
#endif

/* What is counted. Not static and called through a pointer, so that it stays a function of that
 * name. */
void count_subject(void);

static inline void count_must(int fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "count: %s\n", what);
    exit(EXIT_FAILURE);
}

static inline void count_run(void)
{
    void (*volatile subject)(void) = count_subject;
    struct utsname system;
    count_must(uname(&system) == 0, "uname");
    printf("%s %s-%s-glibc-%s-zlib-%s\n", COUNT_HOW, system.machine, COUNT_COMPILER,
           gnu_get_libc_version(), zlibVersion());
    fflush(stdout);
    subject();
}

static inline int count_done(void)
{
    puts("ok");
    return EXIT_SUCCESS;
}

#endif
