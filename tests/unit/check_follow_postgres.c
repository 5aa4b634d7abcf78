/* check_follow.c on PostgreSQL. */

#ifdef HAVE_LIBPQ
#define RUN_ON_POSTGRES
#include "check_follow.c" /* NOLINT(bugprone-suspicious-include): the same tests */
#else
#include "without_libpq.h"
#endif
