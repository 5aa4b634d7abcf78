#include "later.h"

/* NOLINTNEXTLINE(bugprone-suspicious-include): the same source, with other migrations */
#include "store/sqlite/fit_file.c"
