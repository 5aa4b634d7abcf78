/*
 * postgres_reader_parts.h: the inside of the PostgreSQL store's reading half, for its own files
 * alone.
 */
#ifndef BEACOND_STORE_POSTGRES_READER_PARTS_H
#define BEACOND_STORE_POSTGRES_READER_PARTS_H

#include "store/ops.h"
#include "store/postgres/pg.h"

struct postgres_reader {
    struct store_reader base;
    char *database;
    struct pg pg;
};

#endif
