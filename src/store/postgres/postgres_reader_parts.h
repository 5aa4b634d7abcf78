/*
 * postgres_reader_parts.h: the inside of the PostgreSQL store's reading half, for its own files
 * alone.
 *
 * Nothing is kept in a session between two calls. Reading does no harm, so what fails since a
 * connection turns out to be dead is asked once more on a new one; a server that has become slow is
 * given up behind a deadline, and the connection with it.
 */
#ifndef BEACOND_STORE_POSTGRES_READER_PARTS_H
#define BEACOND_STORE_POSTGRES_READER_PARTS_H

#include "store/ops.h"
#include "store/postgres/pg.h"

struct postgres_reader {
    struct store_reader base;
    char *database;
    struct pg pg;
    struct pg_params params; /* of the statement that is sent next */
    int64_t settled;         /* nothing with a number up to it will come any more */
    size_t page_rows;        /* somewhat more than the last page of events took */
    int64_t mark;            /* of the look that is under way: the watermark before it */
    int64_t patience_ms;     /* for an answer; 0: without end, for what a person waits for */
    int64_t until_ms;        /* the answer's deadline, by the monotonic clock */
};

static inline struct postgres_reader *postgres_reader_of(struct store_reader *base)
{
    return (struct postgres_reader *)base;
}

/* Makes sure of a connection; an answer's deadline begins. STORE_OK or STORE_BUSY. */
int postgres_reader_begin(struct postgres_reader *reader, struct error *err) MUST_CHECK;

/* One statement with reader->params, which are empty behind it. STORE_OK and *out, which the caller
 * clears, or STORE_BUSY. */
int postgres_reader_ask(struct postgres_reader *reader, enum sql_statement name, PGresult **out,
                        struct error *err) MUST_CHECK;

/* One row of a statement: row 0 of it. Non-zero ends it. */
typedef int postgres_row_fn(void *arg, const PGresult *row);

struct postgres_stream {
    postgres_row_fn *row;
    void *arg;
    size_t count; /* rows that were handed out */
    size_t bytes; /* in them */
    bool ended;   /* by row */
};

/* The same for a statement of many rows: each is handed out as it comes. STORE_BUSY: maybe behind
 * some of them. */
int postgres_reader_stream(struct postgres_reader *reader, enum sql_statement name,
                           struct postgres_stream *rows, struct error *err) MUST_CHECK;

/* Several statements of one moment, within a transaction that only looks: fn asks them by
 * postgres_reader_look_at, and may be called a second time unless it sets *told. STORE_OK or
 * STORE_BUSY. */
typedef int postgres_look_fn(struct postgres_reader *reader, void *arg, bool *told,
                             struct error *err);
int postgres_reader_look(struct postgres_reader *reader, postgres_look_fn *fn, void *arg,
                         struct error *err) MUST_CHECK;

/* As postgres_reader_ask, on the connection that there is. A store_status. */
int postgres_reader_look_at(struct postgres_reader *reader, enum sql_statement name, PGresult **out,
                            struct error *err) MUST_CHECK;

/* The newest moment. */
int postgres_reader_moment(struct store_reader *base, struct store_moment *out,
                           struct error *err) MUST_CHECK;

/* Lowers *max_seq to a moment's: what is newer may have lower numbers yet to come. */
int postgres_reader_settle(struct postgres_reader *reader, int64_t *max_seq,
                           struct error *err) MUST_CHECK;

/* The event of a row (row 0) of one of the statements that read pages of them. */
void postgres_reader_row(const PGresult *result, struct store_row *out);

/* How many rows a statement is asked for behind those; none: it is the first. */
size_t postgres_reader_limit(const struct postgres_stream *rows);

/* postgres_reader_pages.c, see store.h. */
int postgres_reader_newest(struct store_reader *base, struct store_newest *out,
                           struct error *err) MUST_CHECK;
int postgres_reader_page(struct store_reader *base, int64_t since, int64_t max_seq,
                         struct range_place place, store_row_fn *row, void *arg, bool *more,
                         struct error *err) MUST_CHECK;
int postgres_reader_page_up(struct store_reader *base, int64_t until, int64_t max_seq,
                            struct range_place place, store_seq_fn *row, void *arg, bool *more,
                            struct error *err) MUST_CHECK;
int postgres_reader_page_down(struct store_reader *base, int64_t since, int64_t max_seq,
                              struct range_place place, store_seq_fn *row, void *arg, bool *more,
                              struct error *err) MUST_CHECK;

/* postgres_reader_rows.c, see store.h. */
int postgres_reader_page_seq(struct store_reader *base, int64_t after_seq, int64_t max_seq,
                             store_seq_fn *row, void *arg, bool *more,
                             struct error *err) MUST_CHECK;
int postgres_reader_seq_back(struct store_reader *base, int64_t count, int64_t *seq,
                             struct error *err) MUST_CHECK;
int postgres_reader_page_rejects(struct store_reader *base, int64_t after_n, store_reject_fn *row,
                                 void *arg, bool *more, struct error *err) MUST_CHECK;
int postgres_reader_page_receipts(struct store_reader *base, int64_t after_row,
                                  store_receipts_fn *row, void *arg, bool *more,
                                  struct error *err) MUST_CHECK;

/* postgres_known.c, see store.h. */
int postgres_reader_known(struct store_reader *base, const struct batch *batch, bool *known,
                          struct error *err) MUST_CHECK;

/* postgres_facts.c, see store/facts.h. */
int postgres_reader_facts(struct store_reader *base, struct store_facts *out,
                          struct error *err) MUST_CHECK;
int postgres_reader_count_steps(struct store_reader *base, const struct store_steps_ask *ask,
                                struct store_steps *out, struct error *err) MUST_CHECK;
int postgres_reader_show_rejects(struct store_reader *base, const struct store_rejects_ask *ask,
                                 struct store_rejects_show *show, struct error *err) MUST_CHECK;
int postgres_reader_days(struct store_reader *base, store_day_fn *day, void *arg,
                         struct error *err) MUST_CHECK;

/* postgres_ask.c, see store/ask.h. */
int postgres_reader_ask_sql(struct store_reader *base, const struct store_ask *ask,
                            struct error *err) MUST_CHECK;

extern const struct store_ops postgres_reader_ops;

#endif
