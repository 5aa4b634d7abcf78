#include "later.h"

#include "store/sqlite/fit_file.c" /* as it is */
