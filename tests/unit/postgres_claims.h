/*
 * postgres_claims.h: bodies and receipts under keys, stored in the stores of postgres_stores.h, and
 * the ends of their sessions.
 */
#ifndef BEACOND_TESTS_POSTGRES_CLAIMS_H
#define BEACOND_TESTS_POSTGRES_CLAIMS_H

#include "postgres_stores.h"

#include "base/bytes.h"
#include "contract/receipt_rows.h"
#include "store/shared.h"

enum { RECEIVED = 12345 };

#define TS "\"timestamp\":\"2026-11-22T10:00:00Z\""

static inline struct batch *batch_of(const char *text)
{
    return read_body(text, store_secret(store), RECEIVED);
}

static inline int append(struct store_item *items, size_t count,
                         const struct store_receipts *receipts)
{
    struct error err = {""};
    int status = store_append(store, items, count, receipts, &err);
    ck_assert_msg(status == STORE_OK || status == STORE_REFUSED || err.text[0] != '\0', "%s",
                  err.text);
    return status;
}

/* A row of receipts with one mark each; odd keys are bursts, for whose answers somebody waits. */
static inline struct store_receipts receipts_of(struct bytes *row, const uint64_t *keys,
                                                size_t count)
{
    static uint64_t serial, awaited[8];
    size_t bursts = 0;
    if (serial == 0)
        serial = store_first_serial(store);
    row->len = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(receipt_row_put(row, &keys[i], 1, keys[i] % 2 != 0), 0);
        if (keys[i] % 2 == 0)
            continue;
        ck_assert_uint_lt(bursts, sizeof awaited / sizeof *awaited);
        awaited[bursts++] = serial + i;
    }
    struct store_receipts receipts = {.at_ms = 77,
                                      .data = row->data,
                                      .len = row->len,
                                      .first_serial = serial,
                                      .awaited = awaited,
                                      .awaited_count = bursts};
    serial += count;
    return receipts;
}

struct heard {
    size_t count;
    uint64_t serial;
    uint64_t key;
    unsigned lost;
};

static inline int hear(void *arg, const struct store_claimed *receipt)
{
    struct heard *heard = arg;
    struct receipt_row row = receipt_row_begin(receipt->data, receipt->len);
    struct receipt_entry entry;
    ck_assert(receipt_row_next(&row, &entry));
    ck_assert_uint_eq(entry.count, 1);
    receipt_entry_marks(&entry, &heard->key);
    heard->serial = receipt->serial;
    heard->lost = receipt->lost;
    heard->count++;
    return 0;
}

static inline int claim(struct store *who, uint64_t key, struct heard *heard)
{
    struct error err = {""};
    *heard = (struct heard){0};
    return store_claim(who, &key, 1, hear, heard, &err);
}

/* Claims a key and stores an event and a receipt under it. */
static inline int store_under(uint64_t key)
{
    struct bytes row = {NULL, 0, 0};
    struct heard heard;
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    struct store_receipts receipts = receipts_of(&row, &key, 1);
    struct store_item item = {.batch = batch_of("{\"events\":[{" TS "}]}")};
    int status = append(&item, 1, &receipts);
    ck_assert_int_eq(item.batch->events[0].seq != 0, status == STORE_OK);
    batch_free(item.batch);
    bytes_clear(&row);
    return status;
}

/* The one receipt under that key has lost so many answers. Returns its serial; the key is free. */
static inline uint64_t lost_under(uint64_t key, unsigned lost)
{
    struct heard heard;
    ck_assert_int_eq(claim(store, key, &heard), STORE_OK);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.lost, lost);
    store_release(store);
    return heard.serial;
}

/* Stores a receipt under a key, and returns its serial. */
static inline uint64_t receipt_under(uint64_t key)
{
    ck_assert_int_eq(store_under(key), STORE_OK);
    return lost_under(key, 0);
}

/* Waits until the database says so. */
static inline void until(const char *sql)
{
    while (shell(sql) == 0)
        (void)poll(NULL, 0, 5);
}

#define SESSION "application_name = 'beacond' AND datname = current_database()"

/* Ends beacond's sessions of which that is true, of all nodes, and waits until they are gone; not
 * those that are made in their place. */
static inline void end_session(const char *which)
{
    char sql[512];
    int64_t pid, now_us = shell("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
    for (;;) {
        snprintf(sql, sizeof sql,
                 "SELECT coalesce(min(pid), 0)::bigint FROM pg_stat_activity WHERE " SESSION
                 " AND extract(epoch FROM backend_start) * 1000000 < %lld AND %s",
                 (long long)now_us, which);
        pid = shell(sql);
        if (pid == 0)
            return;
        snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld)::integer", (long long)pid);
        (void)shell(sql);
        snprintf(sql, sizeof sql,
                 "SELECT (count(*) = 0)::integer FROM pg_stat_activity WHERE pid = %lld",
                 (long long)pid);
        until(sql);
    }
}

#endif
