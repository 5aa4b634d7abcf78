#include "store/copy.h"

#include "store/ops.h"
#include "store/sqlite/sqlite_copy.h"

int store_copy_possible(const struct store *store, struct error *err)
{
    if (store->ops->copy_instead == NULL)
        return STORE_OK;
    error_set(err, "%s", store->ops->copy_instead);
    return STORE_REFUSED;
}

int store_copy_begin(struct store *store, const char *path, struct store_copy **out,
                     struct error *err)
{
    return store->ops->copy_begin(store, path, out, err);
}

int store_copy_step(struct store_copy *copy, struct store_copy_state *out, struct error *err)
{
    return copy->ops->copy_step(copy, out, err);
}

void store_copy_end(struct store_copy *copy)
{
    if (copy != NULL)
        copy->ops->copy_end(copy);
}

int store_copy_settle(const char *path, struct error *err)
{
    return sqlite_copy_settle(path, err);
}
