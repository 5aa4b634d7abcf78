#include "engine/engine.h"

#include <stdlib.h>

#include "base/random.h"
#include "engine/internal.h"
#include "engine/keeper.h"
#include "engine/retention.h"

static int engine_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return STORE_BUSY;
}

/* What is there before the threads: the store, and what they share. */
static int engine_lay_out(struct engine *engine, const struct engine_options *options,
                          struct error *err)
{
    int status = store_open(&engine->store, &options->store, err);
    if (status != STORE_OK)
        return status;
    if (options->cache_events > 0 && options->cache_bytes > 0) {
        engine->keeper = keeper_new(engine->store, options);
        if (engine->keeper == NULL)
            return engine_no_memory(err);
        engine->answers.ring = keeper_ring(engine->keeper);
    }
    engine->answers.secret = store_secret(engine->store);
    random_fill(&engine->answers.epoch, sizeof engine->answers.epoch);
    if (store_shared(engine->store)) {
        struct store_state state;
        store_look(engine->store, &state);
        engine->answers.abreast = abreast_new(&state);
        if (engine->answers.abreast == NULL)
            return engine_no_memory(err);
    }
    engine->answers.leases = leases_new(options->cache_bytes);
    if (engine->answers.leases == NULL)
        return engine_no_memory(err);
    return STORE_OK;
}

int engine_open(struct engine **out, const struct engine_options *options, struct error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return engine_no_memory(err);
    pthread_mutex_init(&engine->forgetting, NULL);
    pthread_mutex_init(&engine->settings, NULL);
    engine->options = *options;
    int status = engine_lay_out(engine, options, err);
    if (status == STORE_OK)
        status = readers_start(&engine->readers, engine->store, options->readers, err);
    if (status == STORE_OK) {
        engine->follow = follow_new(engine->readers);
        if (engine->follow == NULL)
            status = engine_no_memory(err);
    }
    if (status == STORE_OK)
        status = writer_start(&engine->writer, engine->store, engine->answers.ring, engine->follow,
                              engine->answers.abreast, options, err);
    if (status == STORE_OK && engine->keeper != NULL)
        status = keeper_start(engine->keeper, engine->store, engine->writer, err);
    if (status == STORE_OK && !options->by_hand)
        status = retention_start(&engine->retention, engine->writer, options, err);
    if (status == STORE_OK)
        *out = engine;
    else
        engine_close(engine);
    return status;
}

struct engine_options engine_settings(struct engine *engine)
{
    pthread_mutex_lock(&engine->settings);
    struct engine_options options = engine->options;
    pthread_mutex_unlock(&engine->settings);
    return options;
}

void engine_reload(struct engine *engine, const struct engine_options *options)
{
    pthread_mutex_lock(&engine->settings);
    struct engine_options *own = &engine->options;
    own->queue_bytes = options->queue_bytes;
    own->store.max_rejects = options->store.max_rejects;
    own->store.max_rejects_bytes = options->store.max_rejects_bytes;
    own->retain_ms = options->retain_ms;
    own->retain_bytes = options->retain_bytes;
    own->min_free_bytes = options->min_free_bytes;
    struct engine_options now = *own;
    pthread_mutex_unlock(&engine->settings);
    writer_limit(engine->writer, now.queue_bytes);
    store_limit_rejects(engine->store, now.store.max_rejects, now.store.max_rejects_bytes);
    retention_set(engine->retention, &now);
}

void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    /* In this order: retention and the keeper wait for the writer, and the last commits are
     * published, which takes a turn of the readers. */
    retention_stop(engine->retention);
    keeper_stop(engine->keeper);
    writer_stop(engine->writer);
    readers_stop(engine->readers);
    follow_close(engine->follow);
    keeper_free(engine->keeper);
    leases_drop(engine->answers.leases);
    abreast_free(engine->answers.abreast);
    store_close(engine->store);
    pthread_mutex_destroy(&engine->forgetting);
    pthread_mutex_destroy(&engine->settings);
    free(engine);
}

const unsigned char *engine_secret(const struct engine *engine)
{
    return store_secret(engine->store);
}

bool engine_healthy(const struct engine *engine)
{
    return writer_healthy(engine->writer);
}

bool engine_beat(struct engine *engine)
{
    return writer_beat(engine->writer);
}

uint64_t engine_taken(struct engine *engine)
{
    return writer_taken(engine->writer);
}

bool engine_has_room(struct engine *engine)
{
    return writer_has_room(engine->writer);
}

void engine_submit(struct engine *engine, struct submission *submission)
{
    writer_submit(engine->writer, submission);
}

bool engine_withdraw(struct engine *engine, struct submission *submission)
{
    return writer_withdraw(engine->writer, submission);
}

void engine_gone(struct engine *engine, struct submission *submission)
{
    writer_gone(engine->writer, submission);
}

void engine_lost(struct engine *engine, uint64_t receipt)
{
    writer_lost(engine->writer, receipt);
}
