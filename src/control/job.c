#include "control/job.h"

#include <stdlib.h>
#include <string.h>

#include "control/erasing.h"
#include "control/import_job.h"
#include "control/job_backup.h"
#include "engine/chores.h"

static int job_recount(struct job *job, struct error *err)
{
    int64_t total = 0;
    int status = engine_recount(job->engine, &total, err);
    if (status == STORE_OK)
        job->result = json_pack("{sI}", "events", (json_int_t)total);
    return status;
}

/* The numbers of a request, to be freed; *count 0 when it names none. NULL with err. */
static int64_t *job_numbers(const json_t *request, size_t *count, struct error *err)
{
    const json_t *given = json_object_get(request, "numbers");
    int64_t *numbers = calloc(json_array_size(given) + 1, sizeof *numbers);
    int64_t before = 0;
    *count = json_array_size(given);
    for (size_t i = 0; i < *count && numbers != NULL; i++) {
        numbers[i] = json_integer_value(json_array_get(given, i));
        if (numbers[i] > before) {
            before = numbers[i];
            continue;
        }
        free(numbers);
        error_set(err, "the numbers of a job must ascend");
        return NULL;
    }
    if (numbers == NULL)
        error_set(err, "out of memory");
    return numbers;
}

static int job_rejects(struct job *job, bool retry, struct error *err)
{
    struct chores_rejects out = {0};
    size_t count = 0;
    int64_t *numbers = job_numbers(job->request, &count, err);
    if (numbers == NULL)
        return STORE_REFUSED;
    int status = retry
                     ? engine_retry_rejects(job->engine, numbers, count, &job->limits,
                                            &job->progress, &out, err)
                     : engine_drop_rejects(job->engine, numbers, count, &job->progress, &out, err);
    free(numbers);
    if (status == STORE_OK)
        job->result = json_pack("{sIsIsIsIsIsb}", "stored", (json_int_t)out.stored, "duplicate",
                                (json_int_t)out.duplicate, "kept", (json_int_t)out.kept, "dropped",
                                (json_int_t)out.dropped, "missing", (json_int_t)out.missing,
                                "stopped", out.stopped);
    return status;
}

static int job_retry_rejects(struct job *job, struct error *err)
{
    return job_rejects(job, true, err);
}

static int job_drop_rejects(struct job *job, struct error *err)
{
    return job_rejects(job, false, err);
}

/* What /readyz tells, for who can't ask there. */
static int job_ready(struct job *job, struct error *err)
{
    const char *why = job->unready;
    (void)err;
    if (why == NULL && !engine_healthy(job->engine))
        why = "commits fail, see the log";
    job->result = json_pack("{sbss*}", "ready", why == NULL, "why", why);
    return STORE_OK;
}

static const struct {
    const char *name;
    int (*run)(struct job *job, struct error *err);
    bool tells_itself; /* on the way; it has no result */
} job_table[] = {
    {"recount", job_recount, false},
    {"retry-rejects", job_retry_rejects, false},
    {"drop-rejects", job_drop_rejects, false},
    {"prune", erasing_prune, false},
    {"forget", erasing_forget, false},
    {"import", import_job_run, true},
    {"backup", job_backup, false},
    {"ready", job_ready, false},
};

/* A result that there was no memory for must not look like one of nothing. */
static int job_told(struct job *job, int status, bool tells_itself, struct error *err)
{
    if (status == STORE_OK && tells_itself)
        job->result = json_object();
    if (status != STORE_OK || job->result != NULL)
        return status;
    error_set(err, "it was done, but memory is short: what was done can't be told");
    return STORE_BUSY;
}

int job_run(struct job *job, struct error *err)
{
    const char *name = json_string_value(json_object_get(job->request, "job"));
    for (size_t i = 0; name != NULL && i < sizeof job_table / sizeof *job_table; i++)
        if (strcmp(job_table[i].name, name) == 0)
            return job_told(job, job_table[i].run(job, err), job_table[i].tells_itself, err);
    error_set(err, "this beacond knows no job of that name; is it another version?");
    return STORE_REFUSED;
}
