/* Parameters in PostgreSQL's binary forms. */

#include <endian.h>
#include <string.h>

#include "store/postgres/pg.h"

/* The types' numbers, which never change (src/include/catalog/pg_type.dat). */
enum { PG_BOOL = 16, PG_BYTEA = 17, PG_INT8 = 20, PG_TEXT = 25 };
enum { PG_BYTEA_ARRAY = 1001, PG_TEXT_ARRAY = 1009, PG_INT8_ARRAY = 1016 };

/* PostgreSQL takes messages of less than 1 GiB. */
#define PG_MOST_BYTES ((size_t)1000 << 20)

void pg_params_clear(struct pg_params *params)
{
    bytes_clear(&params->bytes);
    *params = (struct pg_params){0};
}

void pg_params_reset(struct pg_params *params)
{
    params->bytes.len = 0;
    params->count = 0;
    params->failed = params->too_large = false;
}

static void params_append(struct pg_params *params, const void *data, size_t len)
{
    if (len > PG_MOST_BYTES - params->bytes.len)
        params->failed = params->too_large = true;
    if (params->failed || bytes_append(&params->bytes, data, len) != 0)
        params->failed = true;
}

static void params_append_32(struct pg_params *params, uint32_t value)
{
    uint32_t big = htobe32(value);
    params_append(params, &big, sizeof big);
}

static void params_append_64(struct pg_params *params, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    params_append(params, &big, sizeof big);
}

static void params_begin(struct pg_params *params, Oid type)
{
    if (params->count == PG_PARAMETERS) {
        params->failed = true;
        return;
    }
    params->starts[params->count] = params->bytes.len;
    params->types[params->count++] = type;
}

static void params_end(struct pg_params *params)
{
    int last = params->count - 1;
    params->lens[last] = (int)(params->bytes.len - params->starts[last]);
}

void pg_put_int(struct pg_params *params, int64_t value)
{
    params_begin(params, PG_INT8);
    params_append_64(params, value);
    params_end(params);
}

void pg_put_bool(struct pg_params *params, bool value)
{
    char byte = value;
    params_begin(params, PG_BOOL);
    params_append(params, &byte, 1);
    params_end(params);
}

void pg_put_text(struct pg_params *params, const char *text, size_t len)
{
    params_begin(params, PG_TEXT);
    params_append(params, text, len);
    params_end(params);
}

void pg_put_bytes(struct pg_params *params, const void *data, size_t len)
{
    params_begin(params, PG_BYTEA);
    params_append(params, data, len);
    params_end(params);
}

/* One dimension, no NULLs, the elements' type, their number, the lower bound. */
static void params_begin_array(struct pg_params *params, Oid array, Oid element)
{
    params_begin(params, array);
    params_append_32(params, 1);
    params_append_32(params, 0);
    params_append_32(params, element);
    params->length_at = params->bytes.len;
    params->elements = 0;
    params_append_32(params, 0);
    params_append_32(params, 1);
}

static void params_add(struct pg_params *params, const void *data, size_t len)
{
    params_append_32(params, (uint32_t)len);
    params_append(params, data, len);
    params->elements++;
}

void pg_ints_begin(struct pg_params *params)
{
    params_begin_array(params, PG_INT8_ARRAY, PG_INT8);
}

void pg_ints_add(struct pg_params *params, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    params_add(params, &big, sizeof big);
}

void pg_texts_begin(struct pg_params *params)
{
    params_begin_array(params, PG_TEXT_ARRAY, PG_TEXT);
}

void pg_texts_add(struct pg_params *params, const char *text, size_t len)
{
    params_add(params, text, len);
}

void pg_blobs_begin(struct pg_params *params)
{
    params_begin_array(params, PG_BYTEA_ARRAY, PG_BYTEA);
}

void pg_blobs_add(struct pg_params *params, const void *data, size_t len)
{
    params_add(params, data, len);
}

void pg_array_end(struct pg_params *params)
{
    uint32_t big = htobe32((uint32_t)params->elements);
    if (!params->failed)
        memcpy(params->bytes.data + params->length_at, &big, sizeof big);
    params_end(params);
}

void pg_put_ints(struct pg_params *params, const struct bytes *ints)
{
    const int64_t *values = (const int64_t *)(const void *)ints->data;
    pg_ints_begin(params);
    for (size_t i = 0; i < ints->len / sizeof *values; i++)
        pg_ints_add(params, values[i]);
    pg_array_end(params);
}
