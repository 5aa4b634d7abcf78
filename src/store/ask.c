#include "store/ask.h"

#include "store/ops.h"

bool store_query_at(const char *database, size_t n, struct store_query *out)
{
    return store_kind_of(database)->query_at(n, out);
}

const char *store_views(const char *database)
{
    return store_kind_of(database)->views();
}

int store_ask(struct store_reader *reader, const struct store_ask *ask, struct error *err)
{
    return reader->ops->ask(reader, ask, err);
}
