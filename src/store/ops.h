/*
 * ops.h: what an implementation of the store provides; only store/ and its implementations look in
 * here. What each call promises stands in the headers that users see.
 */
#ifndef BEACOND_STORE_OPS_H
#define BEACOND_STORE_OPS_H

#include <stdarg.h>

#include "base/gate.h"
#include "store/ask.h"
#include "store/audit.h"
#include "store/copy.h"
#include "store/facts.h"
#include "store/shared.h"
#include "store/store.h"
#include "store/take.h"

struct store_ops {
    void (*close)(struct store *store);
    int (*append)(struct store *store, struct store_item *items, size_t count,
                  const struct store_receipts *receipts, struct error *err);
    void (*limit_rejects)(struct store *store, int64_t max_rejects, int64_t max_rejects_bytes);
    int (*append_apart)(struct store *store, struct store_item *item,
                        const struct store_receipts *receipts, struct error *err);
    int (*load_receipts)(struct store *store, store_receipts_fn *fn, void *arg, struct error *err);
    int (*erase_oldest)(struct store *store, int64_t before_ms, size_t most,
                        struct range_place *places, size_t *erased, struct error *err);
    int (*erase)(struct store *store, const struct range_place *places, size_t count,
                 size_t *erased, struct error *err);
    int (*erase_rejects)(struct store *store, const int64_t *numbers, size_t count, size_t *erased,
                         struct error *err);
    int (*retry_rejects)(struct store *store, struct store_retry *retries, size_t count,
                         struct error *err);
    int (*replace_receipts)(struct store *store, const struct store_receipts_row *rows,
                            size_t count, struct error *err);
    int (*size)(struct store *store, struct store_size *out, struct error *err);
    int (*shrink)(struct store *store, int64_t pages, int64_t *left, struct error *err);
    int (*scrub)(struct store *store, struct error *err);
    int (*find_traces)(struct store *store, int64_t *page, store_trace_fn *fn, void *arg,
                       bool *more, struct error *err);
    int (*clean_traces)(struct store *store, const int64_t *pages, size_t count, struct error *err);
    int (*rebuild_index)(struct store *store, struct error *err);
    int (*rewrite)(struct store *store, struct error *err);
    bool (*tend)(struct store *store, bool idle, int64_t now_ms);
    int (*probe)(struct store *store, struct error *err);
    bool (*changed)(struct store *store);
    void (*doubt)(struct store *store);
    int (*reader_open)(struct store *store, struct store_reader **out, struct error *err);
    void (*reader_close)(struct store_reader *reader);
    int (*survey)(struct store_reader *reader, int64_t since, int64_t until, int64_t skip,
                  struct store_survey *out, struct error *err);
    int (*newest)(struct store_reader *reader, struct store_newest *out, struct error *err);
    int (*page)(struct store_reader *reader, int64_t since, int64_t max_seq,
                struct range_place place, store_row_fn *row, void *arg, bool *more,
                struct error *err);
    int (*page_up)(struct store_reader *reader, int64_t until, int64_t max_seq,
                   struct range_place place, store_seq_fn *row, void *arg, bool *more,
                   struct error *err);
    int (*page_down)(struct store_reader *reader, int64_t since, int64_t max_seq,
                     struct range_place place, store_seq_fn *row, void *arg, bool *more,
                     struct error *err);
    int (*page_seq)(struct store_reader *reader, int64_t after_seq, int64_t max_seq,
                    store_seq_fn *row, void *arg, bool *more, struct error *err);
    int (*seq_back)(struct store_reader *reader, int64_t count, int64_t *seq, struct error *err);
    int (*page_rejects)(struct store_reader *reader, int64_t after_n, store_reject_fn *row,
                        void *arg, bool *more, struct error *err);
    int (*page_receipts)(struct store_reader *reader, int64_t after_row, store_receipts_fn *row,
                         void *arg, bool *more, struct error *err);
    int (*known)(struct store_reader *reader, const struct batch *batch, bool *known,
                 struct error *err);
    /* store/facts.h */
    int (*facts)(struct store_reader *reader, struct store_facts *out, struct error *err);
    int (*count_steps)(struct store_reader *reader, const struct store_steps_ask *ask,
                       struct store_steps *out, struct error *err);
    int (*show_rejects)(struct store_reader *reader, const struct store_rejects_ask *ask,
                        struct store_rejects_show *show, struct error *err);
    int (*days)(struct store_reader *reader, store_day_fn *day, void *arg, struct error *err);
    /* store/take.h; NULL: databases of this kind are no sources */
    int (*origin)(struct store_reader *reader, struct store_origin *out, struct error *err);
    /* store/ask.h */
    int (*ask)(struct store_reader *reader, const struct store_ask *ask, struct error *err);
    /* store/copy.h */
    const char *copy_instead; /* what to do instead; NULL: the three below are there */
    int (*copy_begin)(struct store *store, const char *path, struct store_copy **out,
                      struct error *err);
    int (*copy_step)(struct store_copy *copy, struct store_copy_state *out, struct error *err);
    void (*copy_end)(struct store_copy *copy);
    /* store/shared.h; NULL in a store that is not shared, but for drop_days */
    int (*claim)(struct store *store, const uint64_t *keys, size_t count, store_claim_fn *fn,
                 void *arg, struct error *err);
    void (*release)(struct store *store);
    int (*lose)(struct store *store, const uint64_t *serials, size_t count, struct error *err);
    int (*follow)(struct store *store, const struct store_follow_ask *ask, int64_t *newest,
                  struct error *err);
    void (*on_news)(struct store *store, void (*fn)(void *arg), void *arg);
    uint64_t (*first_serial)(const struct store *store);
    int (*moment)(struct store_reader *reader, struct store_moment *out, struct error *err);
    int (*vacuum)(struct store *store, bool *more, struct error *err);
    int (*drop_days)(struct store *store, int64_t before_ms, int64_t used_bytes,
                     struct store_dropped *out, struct error *err);
};

/* What stores events under names of one kind. */
struct store_kind {
    bool file; /* names are paths */
    bool (*takes)(const char *database);
    void (*name)(const char *database, char *out, size_t size); /* see store_name */
    int (*check)(const char *database, struct error *err);      /* see store_check */
    int (*open)(struct store **out, const struct store_options *options, struct error *err);
    int (*reader_open_file)(const char *database, struct store_reader **out, struct error *err);
    int (*audit)(const char *database, enum store_audit_depth depth,
                 const struct store_audit_ear *ear, struct store_audit_facts *facts,
                 struct error *err);
    /* See store/take.h; NULL: databases of this kind are no targets. */
    int (*take_open)(const char *database, const struct store_origin *origin,
                     struct store_taker **out, struct error *err);
    bool (*query_at)(size_t n, struct store_query *out); /* see store_query_at */
    const char *(*views)(void);                          /* see store_views */
};

extern const struct store_kind sqlite_kind, postgres_kind;

/* The kind that a database of that name is of; SQLite's, where no other takes it. */
const struct store_kind *store_kind_of(const char *database);

/* For an implementation's audit: tells the ear a line; what is wrong is counted. Bytes that are not
 * printable come out as "?". */
void store_audit_say(const struct store_audit_ear *ear, struct store_audit_facts *facts, bool ok,
                     const char *format, va_list arguments) PRINTF_LIKE(4, 0);

/* An implementation embeds these as its first member. */
struct store {
    const struct store_ops *ops;
    bool shared; /* see store_shared */
    struct store_state state;
    struct store_checkpoints checkpoints;
    unsigned char secret[SIPHASH_KEY_BYTES];
    void (*works)(void *arg); /* store_on_work; NULL: nobody wants to know */
    void *works_arg;
};

struct store_reader {
    const struct store_ops *ops;
    struct gate *gate; /* the store's, entered around each of ops but reader_close; NULL: none */
};

/* An implementation of copies embeds this as its first member. */
struct store_copy {
    const struct store_ops *ops;
};

#endif
