#include "store/postgres/postgres_reader_parts.h"
#include "store/postgres/postgres_store.h"

int postgres_reader_open(const char *database, struct store_reader **out, struct error *err)
{
    (void)database;
    (void)out;
    error_set(err, "PostgreSQL can't be read by itself yet");
    return STORE_BUSY;
}
