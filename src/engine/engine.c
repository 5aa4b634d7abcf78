#include "engine/engine.h"

#include <stdlib.h>

#include "base/random.h"
#include "engine/internal.h"

int engine_open(struct engine **out, const struct engine_options *options, struct error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    random_fill(&engine->epoch, sizeof engine->epoch);
    int status = store_open(&engine->store, &options->store, err);
    if (status == STORE_OK)
        status = readers_start(&engine->readers, engine->store, options->readers, err);
    if (status == STORE_OK) {
        engine->follow = follow_new(engine->readers);
        if (engine->follow == NULL) {
            error_set(err, "out of memory");
            status = STORE_BUSY;
        }
    }
    if (status == STORE_OK)
        status = writer_start(&engine->writer, engine->store, engine->follow, options->queue_bytes,
                              options->receipts_bytes, err);
    if (status == STORE_OK)
        *out = engine;
    else
        engine_close(engine);
    return status;
}

void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    /* In this order: the last commits are published, and that takes a turn of the readers. */
    writer_stop(engine->writer);
    readers_stop(engine->readers);
    follow_close(engine->follow);
    store_close(engine->store);
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
