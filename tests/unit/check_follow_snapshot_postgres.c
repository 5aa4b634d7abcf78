/* check_follow_snapshot.c on PostgreSQL. */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#define RUN_ON_POSTGRES
#include "check_follow_snapshot.c" /* NOLINT(bugprone-suspicious-include): the same tests */

#else

int main(void)
{
    printf("1..0 # SKIP built without libpq\n");
    return 0;
}

#endif
