#include "store/postgres/pg_copy.h"

#include <endian.h>
#include <string.h>

/* Of one CopyData message. */
#define COPY_CHUNK ((size_t)256 << 10)

/* The signature, no flags, nothing more in the header. */
static const char copy_header[19] = "PGCOPY\n\377\r\n\0";
/* Behind the last row. */
static const char copy_trailer[2] = "\377\377";

void pg_copy_clear(struct pg_copy *copy)
{
    bytes_clear(&copy->bytes);
    *copy = (struct pg_copy){0};
}

void pg_copy_reset(struct pg_copy *copy)
{
    copy->bytes.len = 0;
    copy->rows = 0;
    copy->failed = false;
}

static void copy_append(struct pg_copy *copy, const void *data, size_t len)
{
    if (copy->failed || bytes_append(&copy->bytes, data, len) != 0)
        copy->failed = true;
}

/* A column: its length in four bytes, then itself. */
static void copy_column(struct pg_copy *copy, const void *data, size_t len)
{
    uint32_t big = htobe32((uint32_t)len);
    copy_append(copy, &big, sizeof big);
    copy_append(copy, data, len);
}

void pg_copy_row(struct pg_copy *copy, int columns)
{
    uint16_t big = htobe16((uint16_t)columns);
    if (copy->rows++ == 0)
        copy_append(copy, copy_header, sizeof copy_header);
    copy_append(copy, &big, sizeof big);
}

void pg_copy_int(struct pg_copy *copy, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    copy_column(copy, &big, sizeof big);
}

void pg_copy_int32(struct pg_copy *copy, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    copy_column(copy, &big, sizeof big);
}

void pg_copy_bool(struct pg_copy *copy, bool value)
{
    char byte = value;
    copy_column(copy, &byte, 1);
}

void pg_copy_bytes(struct pg_copy *copy, const void *data, size_t len)
{
    copy_column(copy, data, len);
}

/* Nothing here waits for long: what the server does not take yet libpq keeps, and pg_next sends. */
static bool copy_pour(PGconn *connection, const struct bytes *bytes)
{
    for (size_t at = 0; at < bytes->len;) {
        size_t len = bytes->len - at < COPY_CHUNK ? bytes->len - at : COPY_CHUNK;
        if (PQputCopyData(connection, bytes->data + at, (int)len) != 1)
            return false;
        at += len;
    }
    return PQputCopyEnd(connection, NULL) == 1;
}

/* What has become of it, once the server has all rows. */
static int copy_end(struct pg *pg, struct error *err)
{
    int status = STORE_OK;
    PGresult *result;
    while ((result = pg_next(pg)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && status == STORE_OK)
            status = pg_failure(pg, result, err);
        PQclear(result);
    }
    if (status == STORE_OK && pg->connection == NULL)
        status = pg_no_answer(err);
    return status;
}

static int copy_run(struct pg *pg, enum sql_statement name, const struct bytes *bytes,
                    struct error *err)
{
    PGresult *result = PQsendQuery(pg->connection, sql_text[name]) == 1 ? pg_next(pg) : NULL;
    bool ready = PQresultStatus(result) == PGRES_COPY_IN;
    int status = ready || pg->connection == NULL ? STORE_OK : pg_failure(pg, result, err);
    PQclear(result);
    if (ready && !copy_pour(pg->connection, bytes))
        return pg_failure(pg, NULL, err);
    int ended = copy_end(pg, status == STORE_OK ? err : &(struct error){""});
    return status == STORE_OK ? ended : status;
}

int pg_copy_send(struct pg *pg, enum sql_statement name, struct pg_copy *copy, struct error *err)
{
    int status = STORE_OK;
    if (copy->rows > 0)
        copy_append(copy, copy_trailer, sizeof copy_trailer);
    if (copy->failed) {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    } else if (pg->connection == NULL) {
        status = pg_no_connection(err);
    } else if (copy->rows > 0) {
        status = copy_run(pg, name, &copy->bytes, err);
    }
    pg_copy_reset(copy);
    return status;
}
