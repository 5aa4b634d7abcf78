#include "engine/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif

#include "base/clock.h"
#include "base/condition.h"
#include "cache/sealing.h"
#include "engine/filler.h"
#include "store/store.h"

#define KEEPER_GZIP_LEVEL 1
#define KEEPER_NICE 15
/* An open segment is sealed when nobody has read it for so long. */
#define KEEPER_SETTLE_MS 2000
/* After a failure. */
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

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    bool woken;
    bool stopping;

    /* The thread's own. */
    struct store_reader *reader;
    struct sealer sealer;
    struct filler filler;
    size_t sealed; /* plain bytes since memory was given back */
};

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
    struct timespec until = condition_deadline(ms);
    pthread_mutex_lock(&keeper->mutex);
    bool time = true;
    while (ms > 0 && !keeper->woken && !keeper->stopping && time)
        time = condition_wait(&keeper->wake, &keeper->mutex, &until);
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
        if (filler_place(&keeper->filler) || keeper_seal(keeper, &wait_ms) ||
            filler_deepen(&keeper->filler))
            wait_ms = 0;
        else
            keeper_trim(keeper);
        int64_t again_ms = keeper->filler.again_ms - clock_mono_ms();
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
        .ceiling_ms = filler_ceiling_ms(),
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
    condition_init(&keeper->wake);
    pthread_mutex_init(&keeper->mutex, NULL);
    return keeper;
}

int keeper_start(struct keeper *keeper, struct store *store, struct writer *writer,
                 struct error *err)
{
    int status = store_reader_open(store, &keeper->reader, err);
    if (status != STORE_OK)
        return status;
    int code = ENOMEM;
    if (sealer_init(&keeper->sealer, KEEPER_GZIP_LEVEL) == 0) {
        keeper->filler = (struct filler){
            .ring = keeper->ring,
            .options = &keeper->options,
            .writer = writer,
            .reader = keeper->reader,
            .pieces = keeper->sealer.pieces,
        };
        code = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    }
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
    atomic_store(&keeper->filler.stopping, true);
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
    sealer_clear(&keeper->sealer);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}
