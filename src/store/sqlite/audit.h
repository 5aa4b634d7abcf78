/*
 * audit.h: the audit of an SQLite database; see store/audit.h for what it promises.
 */
#ifndef BEACOND_STORE_SQLITE_AUDIT_H
#define BEACOND_STORE_SQLITE_AUDIT_H

#include "store/audit.h"

int sqlite_audit(const char *database, enum store_audit_depth depth,
                 const struct store_audit_ear *ear, struct store_audit_facts *facts,
                 struct error *err) MUST_CHECK;

#endif
