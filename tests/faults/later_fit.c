#include "later.h"

#include "store/sqlite/fit.c" /* as it is */
