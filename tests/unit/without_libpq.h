/*
 * without_libpq.h: the main of a test program about what takes libpq, in a build without it. Its
 * status is not 77: behind that tests/run.sh would print a second plan.
 */
#ifndef BEACOND_TESTS_WITHOUT_LIBPQ_H
#define BEACOND_TESTS_WITHOUT_LIBPQ_H

#include <stdio.h>

int main(void)
{
    printf("1..0 # SKIP built without libpq\n");
    return 0;
}

#endif
