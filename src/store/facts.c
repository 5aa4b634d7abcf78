#include "store/facts.h"

#include "store/sqlite/sqlite_facts.h"

int store_facts(struct store_reader *reader, struct store_facts *out, struct error *err)
{
    return sqlite_facts(reader, out, err);
}

int store_days(struct store_reader *reader, store_day_fn *day, void *arg, struct error *err)
{
    return sqlite_days(reader, day, arg, err);
}
