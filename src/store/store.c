#include "store/store.h"

#include "store/ops.h"

const struct store_kind *store_kind_of(const char *database)
{
    return postgres_kind.takes(database) ? &postgres_kind : &sqlite_kind;
}

bool store_is_file(const char *database)
{
    return store_kind_of(database)->file;
}

void store_name(const char *database, char *out, size_t size)
{
    store_kind_of(database)->name(database, out, size);
}

bool store_shared(const struct store *store)
{
    return store->shared;
}

int store_check(const char *database, struct error *err)
{
    return store_kind_of(database)->check(database, err);
}

int store_open(struct store **out, const struct store_options *options, struct error *err)
{
    int status = store_check(options->database, err);
    return status == STORE_OK ? store_kind_of(options->database)->open(out, options, err) : status;
}

void store_on_work(struct store *store, void (*works)(void *arg), void *arg)
{
    store->works = works;
    store->works_arg = arg;
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

int store_append(struct store *store, struct store_item *items, size_t count,
                 const struct store_receipts *receipts, struct error *err)
{
    return store->ops->append(store, items, count, receipts, err);
}

void store_limit_rejects(struct store *store, int64_t max_rejects, int64_t max_rejects_bytes)
{
    store->ops->limit_rejects(store, max_rejects, max_rejects_bytes);
}

int store_append_apart(struct store *store, struct store_item *item,
                       const struct store_receipts *receipts, struct error *err)
{
    return store->ops->append_apart(store, item, receipts, err);
}

int store_load_receipts(struct store *store, store_receipts_fn *fn, void *arg, struct error *err)
{
    return store->ops->load_receipts(store, fn, arg, err);
}

int store_erase_oldest(struct store *store, int64_t before_ms, size_t most,
                       struct range_place *places, size_t *erased, struct error *err)
{
    return store->ops->erase_oldest(store, before_ms, most, places, erased, err);
}

int store_erase(struct store *store, const struct range_place *places, size_t count, size_t *erased,
                struct error *err)
{
    return store->ops->erase(store, places, count, erased, err);
}

int store_erase_rejects(struct store *store, const int64_t *numbers, size_t count, size_t *erased,
                        struct error *err)
{
    return store->ops->erase_rejects(store, numbers, count, erased, err);
}

int store_retry_rejects(struct store *store, struct store_retry *retries, size_t count,
                        struct error *err)
{
    return store->ops->retry_rejects(store, retries, count, err);
}

int store_replace_receipts(struct store *store, const struct store_receipts_row *rows, size_t count,
                           struct error *err)
{
    return store->ops->replace_receipts(store, rows, count, err);
}

int store_size(struct store *store, struct store_size *out, struct error *err)
{
    return store->ops->size(store, out, err);
}

int store_shrink(struct store *store, int64_t pages, int64_t *left, struct error *err)
{
    return store->ops->shrink(store, pages, left, err);
}

int store_scrub(struct store *store, struct error *err)
{
    return store->ops->scrub(store, err);
}

int store_find_traces(struct store *store, int64_t *page, store_trace_fn *fn, void *arg, bool *more,
                      struct error *err)
{
    return store->ops->find_traces(store, page, fn, arg, more, err);
}

int store_clean_traces(struct store *store, const int64_t *pages, size_t count, struct error *err)
{
    return store->ops->clean_traces(store, pages, count, err);
}

int store_rebuild_index(struct store *store, struct error *err)
{
    return store->ops->rebuild_index(store, err);
}

int store_rewrite(struct store *store, struct error *err)
{
    return store->ops->rewrite(store, err);
}

bool store_tend(struct store *store, bool idle, int64_t now_ms)
{
    return store->ops->tend(store, idle, now_ms);
}

void store_look(const struct store *store, struct store_state *out)
{
    *out = store->state;
}

void store_look_checkpoints(const struct store *store, struct store_checkpoints *out)
{
    *out = store->checkpoints;
}

int store_probe(struct store *store, struct error *err)
{
    return store->ops->probe(store, err);
}

bool store_changed(struct store *store)
{
    return store->ops->changed(store);
}

void store_doubt(struct store *store)
{
    store->ops->doubt(store);
}

const unsigned char *store_secret(const struct store *store)
{
    return store->secret;
}

int store_reader_open(struct store *store, struct store_reader **out, struct error *err)
{
    return store->ops->reader_open(store, out, err);
}

int store_reader_open_file(const char *database, struct store_reader **out, struct error *err)
{
    int status = store_check(database, err);
    return status == STORE_OK ? store_kind_of(database)->reader_open_file(database, out, err)
                              : status;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader != NULL)
        reader->ops->reader_close(reader);
}

int store_survey(struct store_reader *reader, int64_t since, int64_t until, int64_t skip,
                 struct store_survey *out, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->survey(reader, since, until, skip, out, err);
    gate_leave(reader->gate);
    return status;
}

int store_newest(struct store_reader *reader, struct store_newest *out, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->newest(reader, out, err);
    gate_leave(reader->gate);
    return status;
}

/* A page, or the part of one behind which someone waits at the gate. */
struct store_stretch {
    struct gate *gate;
    store_row_fn *row;
    void *arg;
    struct range_place last;
    bool ended; /* by row */
};

static int store_stretch_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct store_stretch *stretch = arg;
    stretch->last = place;
    stretch->ended = stretch->row(stretch->arg, place, text, len) != 0;
    return stretch->ended || gate_wanted(stretch->gate);
}

/* What fills the cache compresses what it is handed, tens of MB of it. */
int store_page(struct store_reader *reader, int64_t since, int64_t max_seq,
               struct range_place place, store_row_fn *row, void *arg, bool *more,
               struct error *err)
{
    struct store_stretch stretch = {.gate = reader->gate, .row = row, .arg = arg, .last = place};
    int status;
    do {
        gate_enter(reader->gate);
        status = reader->ops->page(reader, since, max_seq, stretch.last, store_stretch_row,
                                   &stretch, more, err);
        gate_leave(reader->gate);
    } while (status == STORE_OK && *more && !stretch.ended);
    return status;
}

int store_page_up(struct store_reader *reader, int64_t until, int64_t max_seq,
                  struct range_place place, store_seq_fn *row, void *arg, bool *more,
                  struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->page_up(reader, until, max_seq, place, row, arg, more, err);
    gate_leave(reader->gate);
    return status;
}

int store_page_down(struct store_reader *reader, int64_t since, int64_t max_seq,
                    struct range_place place, store_seq_fn *row, void *arg, bool *more,
                    struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->page_down(reader, since, max_seq, place, row, arg, more, err);
    gate_leave(reader->gate);
    return status;
}

int store_page_seq(struct store_reader *reader, int64_t after_seq, int64_t max_seq,
                   store_seq_fn *row, void *arg, bool *more, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->page_seq(reader, after_seq, max_seq, row, arg, more, err);
    gate_leave(reader->gate);
    return status;
}

int store_seq_back(struct store_reader *reader, int64_t count, int64_t *seq, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->seq_back(reader, count, seq, err);
    gate_leave(reader->gate);
    return status;
}

int store_page_rejects(struct store_reader *reader, int64_t after_n, store_reject_fn *row,
                       void *arg, bool *more, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->page_rejects(reader, after_n, row, arg, more, err);
    gate_leave(reader->gate);
    return status;
}

int store_page_receipts(struct store_reader *reader, int64_t after_row, store_receipts_fn *row,
                        void *arg, bool *more, struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->page_receipts(reader, after_row, row, arg, more, err);
    gate_leave(reader->gate);
    return status;
}

int store_known(struct store_reader *reader, const struct batch *batch, bool *known,
                struct error *err)
{
    gate_enter(reader->gate);
    int status = reader->ops->known(reader, batch, known, err);
    gate_leave(reader->gate);
    return status;
}
