/*
 * facts.h: what a database holds and how large it is, without going through its events.
 */
#ifndef BEACOND_STORE_FACTS_H
#define BEACOND_STORE_FACTS_H

#include "store/store.h"
#include "store/tally.h"

struct store_facts {
    int64_t schema;               /* version */
    int64_t events, last_seq;     /* by the tally; of the newest, 0 when there is none */
    int64_t oldest_ms, newest_ms; /* of the events' timestamps; only when there are events */
    int64_t file_bytes;           /* of the database, as it lies on the disk */
    int64_t page_bytes, pages, free_pages; /* these and wal_bytes of a file alone, to which */
    int64_t wal_bytes;                     /* file_bytes may lag behind; page_bytes 0: none is */
    int64_t rejects, rejects_bytes;
    int64_t receipts, receipts_bytes; /* rows of them */
    int64_t receipts_oldest_ms;       /* when the oldest was made; only when there are any */
};

/* All of one moment. STORE_OK or STORE_BUSY. */
int store_facts(struct store_reader *reader, struct store_facts *out, struct error *err) MUST_CHECK;

/* How many steps one answer has at most. */
#define STORE_STEPS_MOST 10000
/* Where nobody names a step, the finest is taken that gives no more than so many. */
#define STORE_STEPS_FINE 1000

struct store_steps_ask {
    int64_t since, until; /* both inclusive; INT64_MIN, INT64_MAX: the oldest, the newest event */
    bool named;           /* by that step; else by one that suits the window */
    enum step step;
};

/* A window's events by steps; store_steps_clear it. */
struct store_steps {
    struct store_facts facts; /* of the same moment; nothing of receipts, nor rejects_bytes */
    bool any;                 /* there is a window: an end of it was given, or there are events */
    int64_t since, until; /* it, its ends found; empty when since > until, as it was asked for */
    enum step step;
    bool too_many;            /* steps: there are none below, and total says nothing */
    int64_t total;            /* events in the window: the sum of the steps */
    struct tally_step *steps; /* ascending, those without events left out; of the first and the last
                               * one only what lies in the window counts */
    size_t count;
};

/* Counts by the tally: the cost is that of the steps and not of the events, but for those of the
 * two seconds that a window begins or ends within. All of one moment. STORE_OK or STORE_BUSY; clear
 * out in any case. */
int store_count_steps(struct store_reader *reader, const struct store_steps_ask *ask,
                      struct store_steps *out, struct error *err) MUST_CHECK;
void store_steps_clear(struct store_steps *steps);

/* What could not be stored, newest first. */
struct store_rejects_ask {
    int64_t before;    /* those with lower numbers */
    size_t most;       /* so many at most */
    size_t head_bytes; /* of each this much at most */
    size_t reasons;    /* so many at most */
};

/* One of them: the text is the beginning, of bytes in all. One reason, and how many rejects have
 * it, those with most first. Valid during the call; non-zero fails the whole call: out of memory.
 */
typedef int store_reject_head_fn(void *arg, const struct store_reject *reject, int64_t bytes);
typedef int store_reason_fn(void *arg, const char *reason, size_t len, int64_t rejects);

struct store_rejects_show {
    store_reason_fn *reason;
    store_reject_head_fn *reject;
    void *arg;
    int64_t total; /* set by the call: how many rejects there are */
    bool more;     /* and whether there are some below the last one shown */
};

/* Hands out reasons, then rejects, all of one moment. STORE_OK or STORE_BUSY. */
int store_show_rejects(struct store_reader *reader, const struct store_rejects_ask *ask,
                       struct store_rejects_show *show, struct error *err) MUST_CHECK;

/* Hands out the days that have events, oldest first: the first millisecond of each, and how many.
 * Non-zero ends it. STORE_OK or STORE_BUSY. */
typedef int store_day_fn(void *arg, int64_t at_ms, int64_t events);
int store_days(struct store_reader *reader, store_day_fn *day, void *arg,
               struct error *err) MUST_CHECK;

#endif
