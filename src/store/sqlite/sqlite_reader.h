/*
 * sqlite_reader.h: the reading half of the SQLite store. See store.h for what each call promises.
 *
 * A reader has a read-only connection of its own. No statement stays open between calls: an open
 * one would keep the WAL from being reset.
 */
#ifndef BEACOND_STORE_SQLITE_READER_H
#define BEACOND_STORE_SQLITE_READER_H

#include "store/ops.h"

/* ops: put into the reader, for store.c. */
int sqlite_reader_open(const char *database, const struct store_ops *ops, struct store_reader **out,
                       struct error *err) MUST_CHECK;
int sqlite_reader_open_file(const char *database, const struct store_ops *ops,
                            struct store_reader **out, struct error *err) MUST_CHECK;
void sqlite_reader_close(struct store_reader *reader);
int sqlite_reader_survey(struct store_reader *reader, int64_t since, int64_t until, int64_t skip,
                         struct store_survey *out, struct error *err) MUST_CHECK;
int sqlite_reader_newest(struct store_reader *reader, struct store_newest *out,
                         struct error *err) MUST_CHECK;
int sqlite_reader_page(struct store_reader *reader, int64_t since, int64_t max_seq,
                       struct range_place place, store_row_fn *row, void *arg, bool *more,
                       struct error *err) MUST_CHECK;

/* sqlite_rows.c */
int sqlite_reader_page_up(struct store_reader *reader, int64_t until, int64_t max_seq,
                          struct range_place place, store_seq_fn *row, void *arg, bool *more,
                          struct error *err) MUST_CHECK;
int sqlite_reader_page_down(struct store_reader *reader, int64_t since, int64_t max_seq,
                            struct range_place place, store_seq_fn *row, void *arg, bool *more,
                            struct error *err) MUST_CHECK;
int sqlite_reader_page_seq(struct store_reader *reader, int64_t after_seq, int64_t max_seq,
                           store_seq_fn *row, void *arg, bool *more, struct error *err) MUST_CHECK;
int sqlite_reader_seq_back(struct store_reader *reader, int64_t count, int64_t *seq,
                           struct error *err) MUST_CHECK;
int sqlite_reader_page_rejects(struct store_reader *reader, int64_t after_n, store_reject_fn *row,
                               void *arg, bool *more, struct error *err) MUST_CHECK;

/* sqlite_reader_pages.c */
int sqlite_reader_page_receipts(struct store_reader *reader, int64_t after_row,
                                store_receipts_fn *row, void *arg, bool *more,
                                struct error *err) MUST_CHECK;

int sqlite_reader_origin(struct store_reader *reader, struct store_origin *out,
                         struct error *err) MUST_CHECK;

/* sqlite_known.c */
int sqlite_reader_known(struct store_reader *reader, const struct batch *batch, bool *known,
                        struct error *err) MUST_CHECK;

#endif
