#include "engine/erasure.h"

#include "base/clock.h"
#include "engine/internal.h"
#include "engine/pruning.h"
#include "engine/retention.h"

int engine_prune(struct engine *engine, int64_t before_ms, const struct progress *progress,
                 struct erasure *out, struct error *err)
{
    struct store_reader *reader = NULL;
    struct store_survey survey = {0};
    *out = (struct erasure){0};
    int status = store_reader_open(engine->store, &reader, err);
    if (status == STORE_OK && before_ms > INT64_MIN)
        status = store_survey(reader, INT64_MIN, before_ms - 1, 0, &survey, err);
    store_reader_close(reader);
    const struct pruning pruning = {.before_ms = before_ms, .expected = survey.total};
    return status == STORE_OK ? pruning_run(engine->writer, &pruning, progress, out, err) : status;
}

int engine_retain(struct engine *engine, const struct progress *progress, struct erasure *out,
                  struct error *err)
{
    *out = (struct erasure){0};
    const struct engine_options options = engine_settings(engine);
    if (!retention_wanted(&options)) {
        error_set(err, "nothing says what is to go: give --before or --older-than, or set a retain "
                       "option (the daemon's count where one has the file open)");
        return STORE_REFUSED;
    }
    return retention_run(engine->writer, &options, clock_wall_ms(), progress, out, NULL, err);
}
