#include "store/postgres/postgres_store.h"

int postgres_audit(const char *database, enum store_audit_depth depth,
                   const struct store_audit_ear *ear, struct store_audit_facts *facts,
                   struct error *err)
{
    (void)database;
    (void)depth;
    (void)ear;
    (void)facts;
    error_set(err, "PostgreSQL can't be checked yet");
    return STORE_BUSY;
}
