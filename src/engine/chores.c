#include "engine/chores.h"

#include "engine/internal.h"
#include "engine/writer_parts.h"

struct chores_recount {
    struct errand errand;
    struct writer *writer;
    bool done;
    int64_t total;
};

static void chores_run_recount(struct errand *errand)
{
    struct chores_recount *recount = (struct chores_recount *)errand;
    struct store_state state;
    store_doubt(recount->writer->store);
    (void)writer_notice(recount->writer);
    recount->done = !store_changed(recount->writer->store);
    store_look(recount->writer->store, &state);
    recount->total = state.total;
}

int engine_recount(struct engine *engine, int64_t *total, struct error *err)
{
    struct chores_recount recount = {.errand = {.run = chores_run_recount},
                                     .writer = engine->writer};
    writer_run(engine->writer, &recount.errand);
    *total = recount.total;
    if (recount.done)
        return STORE_OK;
    error_set(err, "the tally can't be written now; see the daemon's log");
    return STORE_BUSY;
}
