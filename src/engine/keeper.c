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
#define KEEPER_LEAST_AHEAD_MS (5 * 60000)
/* The clock has jumped when the ceiling is further from its place than this. */
#define KEEPER_JUMP_MS (60 * 60000)
/* Events that are filled in at once. */
#define KEEPER_FILL_EVENTS 16384
#define KEEPER_FILL_BYTES (64 << 20)
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
    bool full;       /* what lies deeper did not stay when it was filled in */
    size_t sealed;   /* plain bytes since memory was given back */
    bool filled;     /* told once that it is */
    int64_t fill_ms; /* not before, by the monotonic clock */
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

/* --- filling ---------------------------------------------------------------------------------- */

struct keeper_errand {
    struct errand errand; /* first */
    struct keeper *keeper;
    struct fill *fill; /* NULL: the ring is to begin anew */
    enum fill_status status;
};

static void keeper_on_writer(struct errand *base)
{
    struct keeper_errand *errand = (struct keeper_errand *)base;
    if (errand->fill != NULL)
        errand->status = fill_publish(errand->fill, clock_mono_ms());
    else
        ring_clear(errand->keeper->ring, keeper_ceiling_ms());
}

static enum fill_status keeper_publish(struct keeper *keeper, struct fill *fill)
{
    struct keeper_errand errand = {{.run = keeper_on_writer}, keeper, fill, FILL_DONE};
    writer_run(keeper->writer, &errand.errand);
    return errand.status;
}

struct keeper_page {
    struct keeper *keeper;
    struct fill *fill;
    size_t bytes;
    struct range_place last;
    bool failed;
};

static int keeper_row(void *arg, struct range_place place, const char *text, size_t len)
{
    struct keeper_page *page = arg;
    if (fill_add(page->fill, page->keeper->pieces, place, text, len) != 0) {
        page->failed = true;
        return 1;
    }
    page->bytes += len;
    page->last = place;
    /* One that goes up must reach the old ceiling. */
    return !place_equal(fill_low(page->fill), PLACE_LOWEST)
               ? 0
               : fill_count(page->fill) >= KEEPER_FILL_EVENTS || page->bytes >= KEEPER_FILL_BYTES;
}

/* Reads the events of a fill. 0, or -1 with err. */
static int keeper_read(struct keeper *keeper, struct fill *fill, struct error *err)
{
    struct store_newest newest;
    struct range_place low = fill_low(fill);
    struct keeper_page page = {keeper, fill, 0, low, false};
    bool more = false;
    if (store_newest(keeper->reader, &newest, err) != STORE_OK)
        return -1;
    fill_snapshot(fill, newest.max_seq, newest.any ? newest.top : PLACE_LOWEST);
    if (store_page(keeper->reader, low.ts, newest.max_seq, fill_high(fill), keeper_row, &page,
                   &more, err) != STORE_OK)
        return -1;
    if (!page.failed && fill_end(fill, keeper->pieces, more ? page.last : low) == 0)
        return 0;
    error_set(err, "out of memory");
    return -1;
}

/* Fills in once. False: something went wrong, try again in a while. */
static bool keeper_fill(struct keeper *keeper, struct fill *fill)
{
    struct error err = {""};
    bool up = !place_equal(fill_low(fill), PLACE_LOWEST);
    if (keeper_read(keeper, fill, &err) != 0) {
        log_debug("the cache can't be filled now: %s", err.text);
        fill_free(fill);
        return false;
    }
    enum fill_status status = keeper_publish(keeper, fill);
    if (!up)
        keeper->full = status == FILL_FULL;
    return status != FILL_VOID;
}

/* The ceiling belongs a while ahead of the clock. Returns what is to be filled in for that. */
static struct fill *keeper_raise(struct keeper *keeper, int64_t ceiling_ms)
{
    int64_t ahead_ms = ceiling_ms - clock_wall_ms();
    if (ahead_ms >= KEEPER_LEAST_AHEAD_MS && ahead_ms <= KEEPER_AHEAD_MS + KEEPER_JUMP_MS)
        return NULL;
    if (ahead_ms < KEEPER_AHEAD_MS - KEEPER_JUMP_MS || ahead_ms > KEEPER_AHEAD_MS) {
        (void)keeper_publish(keeper, NULL);
        return NULL;
    }
    return fill_up(keeper->ring, keeper_ceiling_ms());
}

/* Whether the ring could hold older events, too. */
static bool keeper_has_room(struct keeper *keeper, const struct ring_survey *survey)
{
    const struct ring_options *options = &keeper->options;
    if (place_equal(survey->floor, PLACE_LOWEST))
        return false;
    if (survey->events <= options->max_events / 4 * 3 &&
        survey->bytes <= options->max_bytes / 4 * 3)
        keeper->full = false;
    return !keeper->full;
}

/* Does something about floor or ceiling if that is due. */
static bool keeper_tend(struct keeper *keeper)
{
    struct ring_survey survey;
    if (clock_mono_ms() < keeper->fill_ms)
        return false;
    ring_bounds(keeper->ring, &survey);
    struct fill *fill = keeper_raise(keeper, survey.ceiling.ts);
    if (fill == NULL && keeper_has_room(keeper, &survey))
        fill = fill_down(keeper->ring);
    if (fill == NULL) {
        if (!keeper->filled)
            log_debug("the cache holds %zu events in %zu bytes", survey.events, survey.bytes);
        keeper->filled = true;
        return false;
    }
    keeper->filled = false;
    if (!keeper_fill(keeper, fill))
        keeper->fill_ms = clock_mono_ms() + KEEPER_AGAIN_MS;
    return true;
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
        if (keeper_seal(keeper, &wait_ms) || keeper_tend(keeper))
            wait_ms = 0;
        else
            keeper_trim(keeper);
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
