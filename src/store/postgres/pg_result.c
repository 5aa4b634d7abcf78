/* Values of results, which come in binary. */

#include <endian.h>
#include <string.h>

#include "store/postgres/pg.h"

int64_t pg_int(const PGresult *result, int row, int column)
{
    uint64_t big;
    if (PQgetisnull(result, row, column))
        return 0;
    memcpy(&big, PQgetvalue(result, row, column), sizeof big);
    return (int64_t)be64toh(big);
}

bool pg_bool(const PGresult *result, int row, int column)
{
    return !PQgetisnull(result, row, column) && *PQgetvalue(result, row, column) != 0;
}

/* In front of an array's elements: dimensions, whether there are NULLs, the elements' type, their
 * number and the lower bound. Each has its length in front. */
enum { PG_ARRAY_HEAD = 20, PG_ARRAY_ELEMENT = 12 };

size_t pg_int_count(const PGresult *result, int row, int column)
{
    int len = PQgetisnull(result, row, column) ? 0 : PQgetlength(result, row, column);
    return len < PG_ARRAY_HEAD ? 0 : (size_t)(len - PG_ARRAY_HEAD) / PG_ARRAY_ELEMENT;
}

int64_t pg_int_of(const PGresult *result, int row, int column, size_t n)
{
    uint64_t big;
    memcpy(&big,
           PQgetvalue(result, row, column) + PG_ARRAY_HEAD + n * PG_ARRAY_ELEMENT + sizeof(int32_t),
           sizeof big);
    return (int64_t)be64toh(big);
}

const char *pg_bytes(const PGresult *result, int row, int column, size_t *len)
{
    *len = (size_t)PQgetlength(result, row, column);
    return PQgetvalue(result, row, column);
}
