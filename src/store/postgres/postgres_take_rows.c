/* Rows of the source, put and sent. */

#include "store/postgres/postgres_take_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "contract/receipt_rows.h"
#include "store/postgres/postgres_days.h"
#include "store/postgres/postgres_id.h"

/* What is put before it is time to send it. */
#define TAKE_PORTION ((size_t)16 << 20)

void postgres_take_reset(struct postgres_taker *taker)
{
    pg_copy_reset(&taker->rows);
    tally_reset(&taker->tally);
    taker->starved = false;
}

/* What the put functions return. */
static int taker_put(const struct postgres_taker *taker)
{
    if (taker->rows.failed || taker->starved)
        return -1;
    return taker->rows.bytes.len >= TAKE_PORTION;
}

/* The id as its column has it: itself, or what taker->text then holds. 0, or -1. */
int postgres_take_id(struct postgres_taker *taker, const struct store_row *row, const char **id,
                     size_t *len)
{
    *id = row->id;
    *len = row->id_len;
    if (postgres_id_is_plain(row->id, row->id_len))
        return 0;
    taker->text.len = 0;
    if (postgres_id_spell(&taker->text, row->id, row->id_len) != 0)
        return -1;
    *id = taker->text.data;
    *len = taker->text.len;
    return 0;
}

int postgres_take_event(struct store_taker *base, const struct store_row *row)
{
    struct postgres_taker *taker = taker_of(base);
    const char *id;
    size_t len;
    taker->starved = taker->starved || postgres_take_id(taker, row, &id, &len) != 0 ||
                     tally_add(&taker->tally, row->place.ts) != 0;
    if (taker->starved)
        return -1;
    if (taker->rows.rows == 0)
        taker->first = row->place;
    taker->last = row->place;
    taker->kind = SQL_TAKE_EVENTS;
    pg_copy_row(&taker->rows, 6);
    pg_copy_int(&taker->rows, row->place.seq);
    pg_copy_int(&taker->rows, row->place.ts);
    pg_copy_int(&taker->rows, row->received);
    pg_copy_bool(&taker->rows, row->given);
    pg_copy_bytes(&taker->rows, id, len);
    pg_copy_bytes(&taker->rows, row->text, row->len);
    return taker_put(taker);
}

int postgres_take_reject(struct store_taker *base, const struct store_reject *reject)
{
    struct postgres_taker *taker = taker_of(base);
    taker->kind = SQL_TAKE_REJECTS;
    pg_copy_row(&taker->rows, 4);
    pg_copy_int(&taker->rows, reject->n);
    pg_copy_int(&taker->rows, reject->received);
    pg_copy_bytes(&taker->rows, reject->reason, strlen(reject->reason));
    pg_copy_bytes(&taker->rows, reject->text, reject->len);
    return taker_put(taker);
}

/* One receipt. Nobody knows whether the answers to bursts have arrived: as after a restart, they
 * count as lost. They are no node's. */
static void taker_receipt(struct postgres_taker *taker, int64_t at_ms, const uint64_t *running,
                          const struct receipt_entry *entry)
{
    taker->text.len = 0;
    if (receipt_row_put(&taker->text, running, entry->count, entry->burst) != 0) {
        taker->starved = true;
        return;
    }
    taker->kind = SQL_TAKE_RECEIPTS;
    pg_copy_row(&taker->rows, 7);
    pg_copy_int(&taker->rows, ++taker->serial);
    pg_copy_int(&taker->rows, (int64_t)running[0]);
    pg_copy_int(&taker->rows, 0);
    pg_copy_int(&taker->rows, at_ms);
    pg_copy_bool(&taker->rows, entry->burst);
    pg_copy_int32(&taker->rows, entry->burst);
    pg_copy_bytes(&taker->rows, taker->text.data, taker->text.len);
}

int postgres_take_receipts(struct store_taker *base, int64_t at_ms, const void *data, size_t len)
{
    struct postgres_taker *taker = taker_of(base);
    struct receipt_row row = receipt_row_begin(data, len);
    struct receipt_entry entry;
    /* As many marks as the whole row could have. */
    uint64_t *running = malloc(len + sizeof *running);
    if (running == NULL)
        return -1;
    while (receipt_row_next(&row, &entry)) {
        receipt_entry_marks(&entry, running);
        taker_receipt(taker, at_ms, running, &entry);
    }
    free(running);
    return taker_put(taker);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The partitions of the days that the events put lie in, as nodes would have made them. */
static int taker_make_days(struct postgres_taker *taker, struct error *err)
{
    struct pg_params params = {0};
    int64_t today = step_floor(STEP_DAY, clock_wall_ms()) / step_ms[STEP_DAY];
    pg_ints_begin(&params);
    for (size_t i = 0; i < taker->tally.count; i++) {
        int64_t day = taker->tally.steps[i].at / step_ms[STEP_DAY];
        if (day >= today - POSTGRES_DAYS_BACK && day <= today + POSTGRES_DAYS_AHEAD)
            pg_ints_add(&params, day);
    }
    pg_array_end(&params);
    int status = pg_ask(&taker->pg, SQL_TAKE_DAYS, &params, NULL, err);
    pg_params_clear(&params);
    return status;
}

/* The four tables by one statement; behind it the tally is folded into days. */
static int taker_tally(struct postgres_taker *taker, struct error *err)
{
    struct pg_params params = {0};
    for (int step = STEP_SECOND; step < STEP_COUNT; step++) {
        tally_fold(&taker->tally, (enum step)step);
        pg_ints_begin(&params);
        for (size_t i = 0; i < taker->tally.count; i++)
            pg_ints_add(&params, taker->tally.steps[i].at);
        pg_array_end(&params);
        pg_ints_begin(&params);
        for (size_t i = 0; i < taker->tally.count; i++)
            pg_ints_add(&params, taker->tally.steps[i].events);
        pg_array_end(&params);
    }
    int status = pg_ask(&taker->pg, SQL_TAKE_TALLY, &params, NULL, err);
    pg_params_clear(&params);
    return status;
}

static int taker_flush_events(struct postgres_taker *taker, struct error *err)
{
    struct range_place first = taker->first, last = taker->last;
    struct error why = {""};
    int status = taker_tally(taker, &why);
    if (status == STORE_OK)
        status = taker_make_days(taker, &why);
    if (status == STORE_OK)
        status = pg_copy_send(&taker->pg, SQL_TAKE_EVENTS, &taker->rows, &why);
    if (status == STORE_REFUSED)
        error_set(err, "one of the events from number %lld to %lld can't be stored: %s",
                  (long long)first.seq, (long long)last.seq, why.text);
    else if (status != STORE_OK)
        *err = why;
    return status;
}

int postgres_take_flush(struct store_taker *base, struct error *err)
{
    struct postgres_taker *taker = taker_of(base);
    int status = STORE_OK;
    if (taker->starved) {
        error_set(err, "out of memory");
        status = STORE_BUSY;
    } else if (taker->rows.rows > 0 && taker->kind == SQL_TAKE_EVENTS) {
        status = taker_flush_events(taker, err);
    } else if (taker->rows.rows > 0) {
        status = pg_copy_send(&taker->pg, taker->kind, &taker->rows, err);
    }
    postgres_take_reset(taker);
    return status;
}
