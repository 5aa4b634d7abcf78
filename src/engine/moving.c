#include "engine/moving.h"

#include "engine/moving_parts.h"

/* Rows of a page: no read transaction lasts longer. */
#define MOVING_PAGE 20000

int moving_step(struct moving *moving, const char *what, int64_t done, int64_t total,
                struct error *err)
{
    if (progress_step(moving->ask->progress, what, done, total) == 0)
        return STORE_OK;
    error_set(err, "stopped");
    return STORE_BUSY;
}

static int moving_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

/* --- the source's rows ------------------------------------------------------------------------ */

struct moving_page {
    struct moving *moving;
    const struct moving_walk *walk;
    struct range_place last;
    int64_t left;
    bool failed;
};

static int moving_row(void *arg, const struct store_row *row)
{
    struct moving_page *page = arg;
    int wants = page->walk->row(page->moving, page->walk->arg, row);
    page->failed = wants < 0;
    page->last = row->place;
    return wants != 0 || --page->left == 0;
}

int moving_each(struct moving *moving, const struct store_take_stretch *stretch,
                const struct moving_walk *walk, struct error *err)
{
    bool timed = stretch->since_ms != INT64_MIN || stretch->until_ms != INT64_MAX, more = true;
    struct moving_page page = {.moving = moving, .walk = walk};
    page.last.ts = stretch->since_ms;
    page.last.seq = timed ? INT64_MIN : stretch->after_seq;
    int status = STORE_OK;
    while (more && status == STORE_OK) {
        page.left = MOVING_PAGE;
        status = timed ? store_page_up(moving->reader, stretch->until_ms, stretch->upto_seq,
                                       page.last, moving_row, &page, &more, err)
                       : store_page_seq(moving->reader, page.last.seq, stretch->upto_seq,
                                        moving_row, &page, &more, err);
        if (status == STORE_OK && page.failed)
            status = moving_no_memory(err);
        if (status == STORE_OK)
            status = walk->pause(moving, walk->arg, !more, err);
    }
    return status;
}

/* --- new events ------------------------------------------------------------------------------- */

struct moving_copy {
    struct store_take_mark mark;
    int64_t first_seq; /* it began behind that */
    int64_t rows;      /* of the transaction */
};

static int moving_copy_row(struct moving *moving, void *arg, const struct store_row *row)
{
    struct moving_copy *copy = arg;
    copy->mark.seq = row->place.seq;
    copy->rows++;
    return store_take_event(moving->taker, row);
}

/* Commits, and begins again unless that was all. */
static int moving_copy_pause(struct moving *moving, void *arg, bool last, struct error *err)
{
    struct moving_copy *copy = arg;
    if (last)
        copy->mark.seq = moving->survey.max_seq;
    int status = store_take_end(moving->taker, &copy->mark, err);
    if (status != STORE_OK)
        return status;
    moving->report->copied += copy->rows;
    copy->rows = 0;
    status = moving_step(moving, "copying events", copy->mark.seq - copy->first_seq,
                         moving->survey.max_seq - copy->first_seq, err);
    return last || status != STORE_OK ? status : store_take_begin(moving->taker, err);
}

static int moving_copy_new(struct moving *moving, struct error *err)
{
    struct moving_copy copy;
    store_take_look(moving->taker, &copy.mark);
    struct store_take_stretch stretch = {copy.mark.seq, moving->survey.max_seq, INT64_MIN,
                                         INT64_MAX};
    const struct moving_walk walk = {moving_copy_row, moving_copy_pause, &copy};
    copy.first_seq = copy.mark.seq;
    copy.rows = 0;
    if (stretch.after_seq >= stretch.upto_seq)
        return STORE_OK;
    int status = store_take_begin(moving->taker, err);
    if (status == STORE_OK)
        status = moving_each(moving, &stretch, &walk, err);
    if (status != STORE_OK)
        store_take_drop(moving->taker);
    return status;
}

/* --- rejects and receipts: there are not many, and all are brought each time ------------------ */

struct moving_notes {
    struct moving *moving;
    int64_t last; /* number */
    int64_t count;
    bool failed;
};

static int moving_reject(void *arg, const struct store_reject *reject)
{
    struct moving_notes *notes = arg;
    int wants = store_take_reject(notes->moving->taker, reject);
    notes->failed = wants < 0;
    notes->last = reject->n;
    notes->count++;
    return wants != 0;
}

static int moving_receipts(void *arg, int64_t row, int64_t at_ms, const void *data, size_t len)
{
    struct moving_notes *notes = arg;
    int wants = store_take_receipts(notes->moving->taker, at_ms, data, len);
    notes->failed = wants < 0;
    notes->last = row;
    notes->count++;
    return wants != 0;
}

static int moving_page_notes(struct moving *moving, struct moving_notes *notes, bool rejects,
                             bool *more, struct error *err)
{
    if (rejects)
        return store_page_rejects(moving->reader, notes->last, moving_reject, notes, more, err);
    return store_page_receipts(moving->reader, notes->last, moving_receipts, notes, more, err);
}

static int moving_put_notes(struct moving *moving, struct moving_notes *notes, bool rejects,
                            struct error *err)
{
    struct store_take_mark mark;
    store_take_look(moving->taker, &mark);
    int status = store_take_begin(moving->taker, err);
    if (status == STORE_OK)
        status = rejects ? store_take_erase_rejects(moving->taker, err)
                         : store_take_erase_receipts(moving->taker, err);
    for (bool more = true; more && status == STORE_OK;) {
        status = moving_page_notes(moving, notes, rejects, &more, err);
        if (status == STORE_OK && notes->failed)
            status = moving_no_memory(err);
        if (status == STORE_OK)
            status = store_take_flush(moving->taker, err);
        if (status == STORE_OK)
            status = moving_step(moving, rejects ? "copying rejects" : "copying receipts",
                                 notes->count, 0, err);
    }
    return status == STORE_OK ? store_take_end(moving->taker, &mark, err) : status;
}

static int moving_copy_notes(struct moving *moving, bool rejects, int64_t *count, struct error *err)
{
    struct moving_notes notes = {.moving = moving, .last = INT64_MIN};
    int status = moving_put_notes(moving, &notes, rejects, err);
    if (status != STORE_OK)
        store_take_drop(moving->taker);
    *count = notes.count;
    return status;
}

/* --- a run ------------------------------------------------------------------------------------ */

/* Through the store, where no daemon has it: then none comes until this is over. The file is looked
 * at first, for to open it would make one. */
static int moving_open_source(struct moving *moving, struct error *err)
{
    const char *database = moving->ask->source.database;
    int status = store_reader_open_file(database, &moving->reader, err);
    if (status != STORE_OK)
        return status;
    store_reader_close(moving->reader);
    moving->reader = NULL;
    status = store_open(&moving->source, &moving->ask->source, err);
    moving->report->running = status == STORE_HELD;
    if (status == STORE_HELD)
        return store_reader_open_file(database, &moving->reader, err);
    return status == STORE_OK ? store_reader_open(moving->source, &moving->reader, err) : status;
}

static int moving_open(struct moving *moving, struct error *err)
{
    struct store_origin origin;
    if (!store_is_file(moving->ask->source.database)) {
        error_set(err, "the database is not a file: there is nothing to move");
        return STORE_UNFIT;
    }
    int status = moving_open_source(moving, err);
    if (status == STORE_OK)
        status = store_origin(moving->reader, &origin, err);
    if (status == STORE_OK)
        status = store_take_open(moving->ask->target, &origin, &moving->taker, err);
    return status;
}

static int moving_all(struct moving *moving, struct error *err)
{
    struct moving_report *report = moving->report;
    struct store_take_mark mark;
    int status = store_survey(moving->reader, INT64_MIN, INT64_MAX, 0, &moving->survey, err);
    report->events = moving->survey.total;
    if (status == STORE_OK)
        status = moving_copy_new(moving, err);
    if (status == STORE_OK)
        status = moving_copy_notes(moving, true, &report->rejects, err);
    if (status == STORE_OK)
        status = moving_copy_notes(moving, false, &report->receipts, err);
    store_take_look(moving->taker, &mark);
    if (status == STORE_OK)
        status = moving_compare(moving, &mark, err);
    if (status == STORE_OK && !report->running && report->differing == 0) {
        status = store_take_finish(moving->taker, moving->survey.max_seq, err);
        report->finished = status == STORE_OK;
    }
    return status;
}

int moving_run(const struct moving_ask *ask, struct moving_report *out, struct error *err)
{
    struct moving moving = {.ask = ask, .report = out};
    *out = (struct moving_report){0};
    int status = moving_open(&moving, err);
    if (status == STORE_OK)
        status = moving_all(&moving, err);
    store_take_close(moving.taker);
    store_reader_close(moving.reader);
    store_close(moving.source);
    return status;
}
