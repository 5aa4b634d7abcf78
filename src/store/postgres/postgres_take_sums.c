/* Both sides' sums. */

#include "store/postgres/postgres_take_parts.h"

#include <endian.h>
#include <string.h>

#include "base/sha256.h"

static void taker_add(struct bytes *text, const void *data, size_t len, bool *failed)
{
    if (bytes_append(text, data, len) != 0)
        *failed = true;
}

/* As @take_sums has it. */
uint64_t postgres_take_hash(struct store_taker *base, const struct store_row *row)
{
    struct postgres_taker *taker = taker_of(base);
    struct bytes text = taker->hashed;
    uint64_t ints[] = {htobe64((uint64_t)row->place.ts), htobe64((uint64_t)row->place.seq),
                       htobe64((uint64_t)row->received)};
    unsigned char digest[SHA256_BYTES], given = row->given;
    const char *id;
    size_t id_len;
    uint64_t sum;
    if (postgres_take_id(taker, row, &id, &id_len) != 0)
        return 0;
    uint32_t len = htobe32((uint32_t)id_len);
    bool failed = false;
    text.len = 0;
    taker_add(&text, ints, sizeof ints, &failed);
    taker_add(&text, &given, 1, &failed);
    taker_add(&text, &len, sizeof len, &failed);
    taker_add(&text, id, id_len, &failed);
    taker_add(&text, row->text, row->len, &failed);
    taker->hashed = text;
    if (failed)
        return 0;
    sha256(text.data, text.len, digest);
    memcpy(&sum, digest, sizeof sum);
    return be64toh(sum);
}

int postgres_take_ask_sums(struct store_taker *base, const struct store_take_stretch *stretch,
                           struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    struct pg_params params = {0};
    int status = pg_connect(&taker->pg, err);
    pg_put_int(&params, stretch->after_seq);
    pg_put_int(&params, stretch->upto_seq);
    pg_put_int(&params, stretch->since_ms);
    pg_put_int(&params, stretch->until_ms);
    if (status == STORE_OK)
        status = pg_send(&taker->pg, SQL_TAKE_SUMS, &params, err);
    pg_params_clear(&params);
    return status;
}

/* A whole number of any length, modulo 2^64. */
static uint64_t taker_number(const char *text, size_t len)
{
    bool negative = len > 0 && *text == '-';
    uint64_t number = 0;
    for (size_t i = negative; i < len; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    return negative ? 0 - number : number;
}

enum { SUMS_DAY, SUMS_EVENTS, SUMS_SUM };

static int taker_hand_sums(const PGresult *result, store_take_sum_fn *fn, void *arg,
                           struct error *err)
{
    for (int i = 0; i < PQntuples(result); i++) {
        size_t len;
        const char *text = pg_bytes(result, i, SUMS_SUM, &len);
        struct store_take_sum sum = {
            .at_ms = pg_int(result, i, SUMS_DAY),
            .events = pg_int(result, i, SUMS_EVENTS),
            .sum = taker_number(text, len),
        };
        if (fn(arg, &sum) == 0)
            continue;
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    return STORE_OK;
}

int postgres_take_hear_sums(struct store_taker *base, store_take_sum_fn *fn, void *arg,
                            struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    PGresult *result = pg_next(&taker->pg), *rest;
    int status = STORE_BUSY;
    if (taker->pg.connection == NULL)
        (void)pg_no_answer(err);
    else if (PQresultStatus(result) == PGRES_TUPLES_OK)
        status = taker_hand_sums(result, fn, arg, err);
    else
        (void)pg_failure(&taker->pg, result, err);
    PQclear(result);
    while ((rest = pg_next(&taker->pg)) != NULL)
        PQclear(rest);
    return status;
}
