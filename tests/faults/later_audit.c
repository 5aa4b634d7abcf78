#include "later.h"

#include "store/sqlite/audit.c" /* as it is */
