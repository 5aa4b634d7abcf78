/*
 * sqlite_reader_parts.h: the inside of the SQLite store's reading half, for its own files alone.
 */
#ifndef BEACOND_STORE_SQLITE_READER_PARTS_H
#define BEACOND_STORE_SQLITE_READER_PARTS_H

#include "store/sqlite/db.h"
#include "store/sqlite/sqlite_reader.h"

struct sqlite_reader {
    struct store_reader base;
    struct db db;
    bool notes; /* sqlite_known.c has made its table */
};

#endif
