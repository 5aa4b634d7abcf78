#include "control/erasing.h"

#include "base/clock.h"
#include "engine/erasure.h"

static int erasing_answer(struct job *job, int status, const struct erasure *done,
                          struct error *err)
{
    if (status != STORE_OK)
        return status;
    job->result = json_pack("{sI,sI,sI,sI,sb,sI}", "events", (json_int_t)done->events, "rejects",
                            (json_int_t)done->rejects, "receipts", (json_int_t)done->receipts,
                            "freed", (json_int_t)done->freed_bytes, "stopped", (int)done->stopped,
                            "at", (json_int_t)clock_wall_ms());
    if (job->result != NULL)
        return STORE_OK;
    error_set(err, "out of memory");
    return STORE_BUSY;
}

int erasing_prune(struct job *job, struct error *err)
{
    struct erasure done;
    const json_t *before = json_object_get(job->request, "before");
    int status;
    if (before == NULL)
        status = engine_retain(job->engine, &job->progress, &done, err);
    else
        status = engine_prune(job->engine, json_integer_value(before), &job->progress, &done, err);
    return erasing_answer(job, status, &done, err);
}

int erasing_forget(struct job *job, struct error *err)
{
    struct erasure done;
    const json_t *id = json_object_get(job->request, "id");
    const struct forget_who who = {
        .session = json_is_true(json_object_get(job->request, "session")),
        .id = json_is_string(id) ? json_string_value(id) : "",
        .len = json_string_length(id),
    };
    int status = engine_forget(job->engine, &who, &job->progress, &done, err);
    return erasing_answer(job, status, &done, err);
}
