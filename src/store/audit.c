#include "store/audit.h"

#include "store/ops.h"

int store_audit(const char *database, enum store_audit_depth depth,
                const struct store_audit_ear *ear, struct store_audit_facts *facts,
                struct error *err)
{
    int status = store_check(database, err);
    return status == STORE_OK ? store_kind_of(database)->audit(database, depth, ear, facts, err)
                              : status;
}
