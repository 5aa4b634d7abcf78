#include "engine/filler.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache/fill.h"
#include "engine/writer.h"

/* How far ahead of the clock the ceiling is moved, and below which distance it is moved again. */
#define FILLER_AHEAD_MS (5 * 60000 + 10000)
#define FILLER_LEAST_AHEAD_MS (5 * 60000)
/* The clock has jumped when the ceiling is further from its place than this. */
#define FILLER_JUMP_MS (60 * 60000)
/* Events that are filled in at once. */
#define FILLER_EVENTS 16384
#define FILLER_BYTES (64 << 20)
#define FILLER_LEAST_BYTES (1 << 20) /* of a small cache, and as many as that may hold */
/* After so many it is looked whether they are still wanted. */
#define FILLER_LOOK_EVENTS 1024
/* After a failure, or when someone was faster. */
#define FILLER_AGAIN_MS 100

int64_t filler_ceiling_ms(void)
{
    return clock_wall_ms() + FILLER_AHEAD_MS;
}

/* --- beginning -------------------------------------------------------------------------------- */

struct filler_errand {
    struct errand errand; /* first */
    struct filler *filler;
    struct fill *fill; /* NULL: the ring is to begin anew */
    enum fill_status status;
};

static int filler_row_place(void *arg, struct range_place place, const char *text, size_t len)
{
    (void)text;
    (void)len;
    *(struct range_place *)arg = place_above(place);
    return 1;
}

/* Empties the ring and puts it above all that is stored: the present goes into it from here on, and
 * is filled in below at leisure. */
static int filler_begin_ring(struct filler *filler, struct error *err)
{
    struct store_newest newest;
    struct range_place floor = PLACE_LOWEST;
    int64_t ceiling_ms = filler_ceiling_ms();
    bool more;
    ring_clear(filler->ring, ceiling_ms);
    if (store_newest(filler->reader, &newest, err) != STORE_OK ||
        store_page(filler->reader, INT64_MIN, newest.max_seq, place_of_ms(ceiling_ms),
                   filler_row_place, &floor, &more, err) != STORE_OK)
        return -1;
    ring_open(filler->ring, floor, newest.any ? newest.top : PLACE_LOWEST);
    return 0;
}

/* On the writer's thread, between two commits; the filler's own waits, so its reader may be used.
 */
static void filler_on_writer(struct errand *base)
{
    struct filler_errand *errand = (struct filler_errand *)base;
    struct error err = {""};
    /* A snapshot may be newer than what the ring was told. */
    writer_catch_up(errand->filler->writer);
    if (errand->fill != NULL)
        errand->status = fill_publish(errand->fill, clock_mono_ms());
    else if (filler_begin_ring(errand->filler, &err) != 0)
        log_debug("the cache can't begin now: %s", err.text);
    else
        errand->status = FILL_DONE;
}

static enum fill_status filler_publish(struct filler *filler, struct fill *fill)
{
    struct filler_errand errand = {{.run = filler_on_writer}, filler, fill, FILL_VOID};
    writer_run(filler->writer, &errand.errand);
    return errand.status;
}

static bool filler_begin(struct filler *filler)
{
    filler->full = false;
    return filler_publish(filler, NULL) == FILL_DONE;
}

/* --- filling ---------------------------------------------------------------------------------- */

struct filler_page {
    struct filler *filler;
    struct fill *fill;
    bool up;
    size_t bytes;
    size_t most_bytes;
    struct range_place last;
    bool failed; /* out of memory */
    bool vain;   /* the fill is void, or nobody wants it any more */
    bool vast;   /* it goes up, and there is too much */
};

static bool filler_page_is_full(const struct filler_page *page)
{
    return fill_count(page->fill) >= FILLER_EVENTS || page->bytes >= page->most_bytes;
}

static int filler_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct filler_page *page = arg;
    if (fill_add(page->fill, page->filler->pieces, place, text, len) != 0) {
        page->failed = true;
        return 1;
    }
    page->bytes += len;
    page->last = place;
    if (fill_count(page->fill) % FILLER_LOOK_EVENTS == 0)
        page->vain = fill_void(page->fill) || atomic_load(&page->filler->stopping);
    return page->vain || filler_page_is_full(page);
}

/* Reads the events of a fill. 0, or -1 with err. */
static int filler_read(struct filler *filler, struct filler_page *page, struct error *err)
{
    struct store_newest newest;
    struct fill *fill = page->fill;
    struct range_place low = fill_low(fill);
    bool more = false;
    if (store_newest(filler->reader, &newest, err) != STORE_OK)
        return -1;
    fill_snapshot(fill, newest.max_seq, newest.any ? newest.top : PLACE_LOWEST);
    if (store_page(filler->reader, low.ts, newest.max_seq, fill_high(fill), filler_row, page, &more,
                   err) != STORE_OK)
        return -1;
    /* One that goes up must reach the old ceiling. */
    page->vast = page->up && more && !page->vain;
    if (!page->failed && fill_end(fill, filler->pieces, more && !page->up ? page->last : low) == 0)
        return 0;
    error_set(err, "out of memory");
    return -1;
}

/* Fills in once. FILL_VOID: something went wrong, or it is *vast. */
static enum fill_status filler_fill(struct filler *filler, struct fill *fill, bool *vast)
{
    struct error err = {""};
    struct filler_page page = {.filler = filler,
                               .fill = fill,
                               .up = !place_equal(fill_low(fill), PLACE_LOWEST),
                               .most_bytes = FILLER_BYTES};
    if (page.most_bytes > filler->options->max_bytes + FILLER_LEAST_BYTES)
        page.most_bytes = filler->options->max_bytes + FILLER_LEAST_BYTES;
    bool fine = filler_read(filler, &page, &err) == 0;
    if (!fine)
        log_debug("the cache can't be filled now: %s", err.text);
    *vast = fine && page.vast;
    if (fine && !page.vain && !page.vast)
        return filler_publish(filler, fill);
    fill_free(fill);
    return FILL_VOID;
}

/* --- what is due ------------------------------------------------------------------------------ */

static bool filler_waits(const struct filler *filler)
{
    return clock_mono_ms() < filler->again_ms;
}

/* Something was due; fine: and worked. */
static bool filler_did(struct filler *filler, bool fine)
{
    if (!fine)
        filler->again_ms = clock_mono_ms() + FILLER_AGAIN_MS;
    return true;
}

bool filler_place(struct filler *filler)
{
    struct ring_survey survey;
    if (filler_waits(filler))
        return false;
    ring_bounds(filler->ring, &survey);
    int64_t ahead_ms = survey.ceiling.ts - clock_wall_ms();
    if (place_equal(survey.floor, survey.ceiling) || ahead_ms < FILLER_AHEAD_MS - FILLER_JUMP_MS ||
        ahead_ms > FILLER_AHEAD_MS + FILLER_JUMP_MS)
        return filler_did(filler, filler_begin(filler));
    if (ahead_ms >= FILLER_LEAST_AHEAD_MS)
        return false;
    /* Few events are dated that late. Where many are, begin above them. */
    bool vast = false;
    struct fill *fill = fill_up(filler->ring, filler_ceiling_ms());
    bool fine = fill != NULL && filler_fill(filler, fill, &vast) != FILL_VOID;
    return filler_did(filler, fine || (vast && filler_begin(filler)));
}

/* Whether the ring could hold older events, too: it has room, more than when it was last found to
 * have none. */
static bool filler_has_room(struct filler *filler, const struct ring_survey *survey)
{
    const struct ring_options *options = filler->options;
    if (place_equal(survey->floor, PLACE_LOWEST))
        return false;
    if (survey->events <= options->max_events / 4 * 3 &&
        survey->bytes <= options->max_bytes / 4 * 3 &&
        (survey->events < filler->full_events / 4 * 3 ||
         survey->bytes < filler->full_bytes / 4 * 3))
        filler->full = false;
    return !filler->full;
}

static void filler_note_full(struct filler *filler)
{
    struct ring_survey survey;
    ring_bounds(filler->ring, &survey);
    filler->full = true;
    filler->full_events = survey.events;
    filler->full_bytes = survey.bytes;
}

bool filler_deepen(struct filler *filler)
{
    struct ring_survey survey;
    bool vast;
    if (filler_waits(filler))
        return false;
    ring_bounds(filler->ring, &survey);
    struct fill *fill = filler_has_room(filler, &survey) ? fill_down(filler->ring) : NULL;
    if (fill == NULL) {
        if (!filler->filled)
            log_debug("the cache holds %zu events in %zu bytes", survey.events, survey.bytes);
        filler->filled = true;
        return false;
    }
    filler->filled = false;
    enum fill_status status = filler_fill(filler, fill, &vast);
    if (status == FILL_FULL)
        filler_note_full(filler);
    return filler_did(filler, status != FILL_VOID);
}
