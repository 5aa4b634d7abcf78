#include "engine/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "cache/fill.h"
#include "cache/sealing.h"
#include "engine/writer.h"
#include "store/store.h"

#define KEEPER_GZIP_LEVEL 1
#define KEEPER_NICE 15
/* An open segment is sealed when nobody has read it for so long. */
#define KEEPER_SETTLE_MS 2000
/* How far ahead of the clock the ceiling is moved, and below which distance it is moved again. */
#define KEEPER_AHEAD_MS (6 * 60000)
#define KEEPER_LEAST_AHEAD_MS (KEEPER_AHEAD_MS - 10000)
/* The clock has jumped when the ceiling is further from its place than this. */
#define KEEPER_JUMP_MS (60 * 60000)
/* Events that are filled in at once. */
#define KEEPER_FILL_EVENTS 16384
#define KEEPER_FILL_BYTES (64 << 20)
#define KEEPER_FILL_LEAST_BYTES (1 << 20) /* of a small cache, and as many as that may hold */
/* After so many it is looked whether they are still wanted. */
#define KEEPER_LOOK_EVENTS 1024
/* After a failure, or when someone was faster. */
#define KEEPER_AGAIN_MS 100
/* However quiet it is, the clock and the floor are looked at. */
#define KEEPER_LOOK_MS 1000
/* So much is given back to the system at a time. */
#define KEEPER_TRIM_BYTES (8 << 20)

struct keeper {
    pthread_t thread;
    bool started;
    struct ring *ring;
    struct ring_options options;
    struct writer *writer;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    bool woken;
    bool stopping;

    /* The thread's own. */
    struct store_reader *reader;
    struct gzip_pieces *pieces;
    struct sealer sealer;
    bool full;                      /* what lies deeper did not stay when it was filled in, */
    size_t full_events, full_bytes; /* and the ring was left with so much */
    size_t sealed;                  /* plain bytes since memory was given back */
    bool filled;                    /* told once that it is */
    int64_t fill_ms;                /* not before, by the monotonic clock */
};

int64_t keeper_ceiling_ms(void)
{
    return clock_wall_ms() + KEEPER_AHEAD_MS;
}

static void keeper_poke(void *arg)
{
    struct keeper *keeper = arg;
    pthread_mutex_lock(&keeper->mutex);
    keeper->woken = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
}

struct ring *keeper_ring(struct keeper *keeper)
{
    return keeper->ring;
}

/* --- beginning -------------------------------------------------------------------------------- */

struct keeper_errand {
    struct errand errand; /* first */
    struct keeper *keeper;
    struct fill *fill; /* NULL: the ring is to begin anew */
    enum fill_status status;
};

static int keeper_row_place(void *arg, struct range_place place, const char *text, size_t len)
{
    (void)text;
    (void)len;
    *(struct range_place *)arg = place_above(place);
    return 1;
}

/* Empties the ring and puts it above all that is stored: the present goes into it from here on, and
 * is filled in below at leisure. */
static int keeper_begin_ring(struct keeper *keeper, struct error *err)
{
    struct store_newest newest;
    struct range_place floor = PLACE_LOWEST;
    int64_t ceiling_ms = keeper_ceiling_ms();
    bool more;
    ring_clear(keeper->ring, ceiling_ms);
    if (store_newest(keeper->reader, &newest, err) != STORE_OK ||
        store_page(keeper->reader, INT64_MIN, newest.max_seq, place_of_ms(ceiling_ms),
                   keeper_row_place, &floor, &more, err) != STORE_OK)
        return -1;
    ring_open(keeper->ring, floor, newest.any ? newest.top : PLACE_LOWEST);
    return 0;
}

/* On the writer's thread, between two commits; the keeper's own waits, so its reader may be used.
 */
static void keeper_on_writer(struct errand *base)
{
    struct keeper_errand *errand = (struct keeper_errand *)base;
    struct error err = {""};
    if (errand->fill != NULL)
        errand->status = fill_publish(errand->fill, clock_mono_ms());
    else if (keeper_begin_ring(errand->keeper, &err) != 0)
        log_debug("the cache can't begin now: %s", err.text);
    else
        errand->status = FILL_DONE;
}

static enum fill_status keeper_publish(struct keeper *keeper, struct fill *fill)
{
    struct keeper_errand errand = {{.run = keeper_on_writer}, keeper, fill, FILL_VOID};
    writer_run(keeper->writer, &errand.errand);
    return errand.status;
}

static bool keeper_begin(struct keeper *keeper)
{
    keeper->full = false;
    return keeper_publish(keeper, NULL) == FILL_DONE;
}

/* --- filling ---------------------------------------------------------------------------------- */

struct keeper_page {
    struct keeper *keeper;
    struct fill *fill;
    bool up;
    size_t bytes;
    size_t most_bytes;
    struct range_place last;
    bool failed; /* out of memory */
    bool vain;   /* the fill is void, or nobody wants it any more */
    bool vast;   /* it goes up, and there is too much */
};

static bool keeper_is_stopping(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return stopping;
}

static bool keeper_page_is_full(const struct keeper_page *page)
{
    return fill_count(page->fill) >= KEEPER_FILL_EVENTS || page->bytes >= page->most_bytes;
}

static int keeper_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct keeper_page *page = arg;
    if (fill_add(page->fill, page->keeper->pieces, place, text, len) != 0) {
        page->failed = true;
        return 1;
    }
    page->bytes += len;
    page->last = place;
    if (fill_count(page->fill) % KEEPER_LOOK_EVENTS == 0)
        page->vain = fill_void(page->fill) || keeper_is_stopping(page->keeper);
    return page->vain || keeper_page_is_full(page);
}

/* Reads the events of a fill. 0, or -1 with err. */
static int keeper_read(struct keeper *keeper, struct keeper_page *page, struct error *err)
{
    struct store_newest newest;
    struct fill *fill = page->fill;
    struct range_place low = fill_low(fill);
    bool more = false;
    if (store_newest(keeper->reader, &newest, err) != STORE_OK)
        return -1;
    fill_snapshot(fill, newest.max_seq, newest.any ? newest.top : PLACE_LOWEST);
    if (store_page(keeper->reader, low.ts, newest.max_seq, fill_high(fill), keeper_row, page, &more,
                   err) != STORE_OK)
        return -1;
    /* One that goes up must reach the old ceiling. */
    page->vast = page->up && more && !page->vain;
    if (!page->failed && fill_end(fill, keeper->pieces, more && !page->up ? page->last : low) == 0)
        return 0;
    error_set(err, "out of memory");
    return -1;
}

/* Fills in once. FILL_VOID: something went wrong, or it is *vast. */
static enum fill_status keeper_fill(struct keeper *keeper, struct fill *fill, bool *vast)
{
    struct error err = {""};
    struct keeper_page page = {.keeper = keeper,
                               .fill = fill,
                               .up = !place_equal(fill_low(fill), PLACE_LOWEST),
                               .most_bytes = KEEPER_FILL_BYTES};
    if (page.most_bytes > keeper->options.max_bytes + KEEPER_FILL_LEAST_BYTES)
        page.most_bytes = keeper->options.max_bytes + KEEPER_FILL_LEAST_BYTES;
    bool fine = keeper_read(keeper, &page, &err) == 0;
    if (!fine)
        log_debug("the cache can't be filled now: %s", err.text);
    *vast = fine && page.vast;
    if (fine && !page.vain && !page.vast)
        return keeper_publish(keeper, fill);
    fill_free(fill);
    return FILL_VOID;
}

/* The ceiling belongs a while ahead of the clock, and the floor below it. Does something about that
 * if it is due. *fine: whether it worked. */
static bool keeper_place(struct keeper *keeper, const struct ring_survey *survey, bool *fine)
{
    int64_t ahead_ms = survey->ceiling.ts - clock_wall_ms();
    if (place_equal(survey->floor, survey->ceiling) ||
        ahead_ms < KEEPER_AHEAD_MS - KEEPER_JUMP_MS ||
        ahead_ms > KEEPER_AHEAD_MS + KEEPER_JUMP_MS) {
        *fine = keeper_begin(keeper);
        return true;
    }
    if (ahead_ms >= KEEPER_LEAST_AHEAD_MS)
        return false;
    /* Few events are dated that late. Where many are, begin above them. */
    bool vast = false;
    struct fill *fill = fill_up(keeper->ring, keeper_ceiling_ms());
    *fine = fill != NULL &&
            (keeper_fill(keeper, fill, &vast) != FILL_VOID || (vast && keeper_begin(keeper)));
    return true;
}

/* Whether the ring could hold older events, too: it has room, more than when it was last found to
 * have none. */
static bool keeper_has_room(struct keeper *keeper, const struct ring_survey *survey)
{
    const struct ring_options *options = &keeper->options;
    if (place_equal(survey->floor, PLACE_LOWEST))
        return false;
    if (survey->events <= options->max_events / 4 * 3 &&
        survey->bytes <= options->max_bytes / 4 * 3 &&
        (survey->events < keeper->full_events / 4 * 3 ||
         survey->bytes < keeper->full_bytes / 4 * 3))
        keeper->full = false;
    return !keeper->full;
}

static bool keeper_deepen(struct keeper *keeper, const struct ring_survey *survey, bool *fine)
{
    struct fill *fill = keeper_has_room(keeper, survey) ? fill_down(keeper->ring) : NULL;
    if (fill == NULL) {
        if (!keeper->filled)
            log_debug("the cache holds %zu events in %zu bytes", survey->events, survey->bytes);
        keeper->filled = true;
        return false;
    }
    keeper->filled = false;
    bool vast;
    enum fill_status status = keeper_fill(keeper, fill, &vast);
    *fine = status != FILL_VOID;
    if (status == FILL_FULL) {
        struct ring_survey now;
        ring_bounds(keeper->ring, &now);
        keeper->full = true;
        keeper->full_events = now.events;
        keeper->full_bytes = now.bytes;
    }
    return true;
}

typedef bool keeper_fn(struct keeper *keeper, const struct ring_survey *survey, bool *fine);

/* Does what is due about the edges of the ring. Whether anything was. */
static bool keeper_tend(struct keeper *keeper, keeper_fn *fn)
{
    struct ring_survey survey;
    bool fine = true;
    if (clock_mono_ms() < keeper->fill_ms)
        return false;
    ring_bounds(keeper->ring, &survey);
    bool did = fn(keeper, &survey, &fine);
    if (!fine)
        keeper->fill_ms = clock_mono_ms() + KEEPER_AGAIN_MS;
    return did;
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* Seals one slot if one is due, else *wait_ms says how long none will be. */
static bool keeper_seal(struct keeper *keeper, int64_t *wait_ms)
{
    int64_t next_ms;
    struct sealing *sealing = sealing_take(keeper->ring, clock_mono_ms(), &next_ms);
    if (sealing == NULL) {
        if (next_ms >= 0 && next_ms < *wait_ms)
            *wait_ms = next_ms;
        return false;
    }
    bool fine = sealing_work(keeper->ring, sealing, &keeper->sealer) == 0;
    keeper->sealed += keeper->sealer.draft.plain.capacity;
    (void)sealing_give(keeper->ring, sealing, clock_mono_ms());
    if (!fine)
        *wait_ms = KEEPER_AGAIN_MS;
    return fine;
}

/* What was plain has left holes behind. */
static void keeper_trim(struct keeper *keeper)
{
    if (keeper->sealed < KEEPER_TRIM_BYTES)
        return;
    keeper->sealed = 0;
#ifdef HAVE_MALLOC_TRIM
    (void)malloc_trim(0);
#endif
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Sleeps until woken, or so long. Returns whether to go on. */
static bool keeper_sleep(struct keeper *keeper, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&keeper->mutex);
    int code = 0;
    while (ms > 0 && !keeper->woken && !keeper->stopping && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &until);
    keeper->woken = false;
    bool go_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return go_on;
}

static void *keeper_main(void *arg)
{
    struct keeper *keeper = arg;
    int64_t wait_ms = 0;
#ifdef SYS_gettid /* Linux, where each thread has a priority of its own */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), KEEPER_NICE);
#endif
    while (keeper_sleep(keeper, wait_ms)) {
        wait_ms = KEEPER_LOOK_MS;
        /* Where it belongs comes first: what is told meanwhile would be lost to it. */
        if (keeper_tend(keeper, keeper_place) || keeper_seal(keeper, &wait_ms) ||
            keeper_tend(keeper, keeper_deepen))
            wait_ms = 0;
        else
            keeper_trim(keeper);
        int64_t again_ms = keeper->fill_ms - clock_mono_ms();
        if (again_ms > 0 && again_ms < wait_ms)
            wait_ms = again_ms;
    }
    return NULL;
}

struct keeper *keeper_new(const struct store *store, const struct engine_options *options)
{
    struct store_state state;
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return NULL;
    store_look(store, &state);
    keeper->options = (struct ring_options){
        .max_events = options->cache_events,
        .max_bytes = options->cache_bytes,
        .ceiling_ms = keeper_ceiling_ms(),
        .last_seq = state.last_seq,
        .stored = (uint64_t)state.total,
        .erasures = state.erasures,
        .settle_ms = KEEPER_SETTLE_MS,
        .wake = keeper_poke,
        .wake_arg = keeper,
    };
    keeper->ring = ring_new(&keeper->options);
    if (keeper->ring == NULL) {
        free(keeper);
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&keeper->mutex, NULL);
    return keeper;
}

int keeper_start(struct keeper *keeper, struct store *store, struct writer *writer,
                 struct error *err)
{
    int status = store_reader_open(store, &keeper->reader, err);
    if (status != STORE_OK)
        return status;
    keeper->writer = writer;
    keeper->pieces = gzip_pieces_new(KEEPER_GZIP_LEVEL);
    int code = ENOMEM;
    if (keeper->pieces != NULL && sealer_init(&keeper->sealer, KEEPER_GZIP_LEVEL) == 0)
        code = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    keeper->started = code == 0;
    if (keeper->started)
        return STORE_OK;
    error_set(err, "can't start the cache's thread: %s", strerror(code));
    return STORE_BUSY;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper == NULL || !keeper->started)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    keeper->started = false;
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    ring_free(keeper->ring);
    store_reader_close(keeper->reader);
    gzip_pieces_free(keeper->pieces);
    sealer_clear(&keeper->sealer);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}
