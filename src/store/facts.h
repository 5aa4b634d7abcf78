/*
 * facts.h: what a database holds and how large it is, without going through its events.
 */
#ifndef BEACOND_STORE_FACTS_H
#define BEACOND_STORE_FACTS_H

#include "store/store.h"

struct store_facts {
    int64_t schema;               /* version */
    int64_t events, last_seq;     /* by the tally; of the newest, 0 when there is none */
    int64_t oldest_ms, newest_ms; /* of the events' timestamps; only when there are events */
    int64_t page_bytes, pages, free_pages;
    int64_t file_bytes, wal_bytes; /* as the files are, which may lag behind pages */
    int64_t rejects, rejects_bytes;
    int64_t receipts, receipts_bytes; /* rows of them */
    int64_t receipts_oldest_ms;       /* when the oldest was made; only when there are any */
};

/* All of one moment. STORE_OK or STORE_BUSY. */
int store_facts(struct store_reader *reader, struct store_facts *out, struct error *err) MUST_CHECK;

/* Hands out the days that have events, oldest first: the first millisecond of each, and how many.
 * Non-zero ends it. STORE_OK or STORE_BUSY. */
typedef int store_day_fn(void *arg, int64_t at_ms, int64_t events);
int store_days(struct store_reader *reader, store_day_fn *day, void *arg,
               struct error *err) MUST_CHECK;

#endif
