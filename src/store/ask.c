#include "store/ask.h"

#include "store/ops.h"
#include "store/sqlite/sqlite_ask.h"

bool store_query_at(size_t n, struct store_query *out)
{
    return sqlite_query_at(n, out);
}

const char *store_views(void)
{
    return sqlite_views();
}

int store_ask(struct store_reader *reader, const struct store_ask *ask, struct error *err)
{
    return reader->ops->ask(reader, ask, err);
}
