#include "later.h"

#include "store/sqlite/audit_schema.c" /* as it is */
