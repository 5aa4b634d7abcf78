#include "control/job.h"

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

static const struct {
    const char *name;
    int (*run)(struct job *job, struct error *err);
} job_table[] = {
    {"recount", job_recount},   {"prune", erasing_prune}, {"forget", erasing_forget},
    {"import", import_job_run}, {"backup", job_backup},
};

int job_run(struct job *job, struct error *err)
{
    const char *name = json_string_value(json_object_get(job->request, "job"));
    for (size_t i = 0; name != NULL && i < sizeof job_table / sizeof *job_table; i++)
        if (strcmp(job_table[i].name, name) == 0)
            return job_table[i].run(job, err);
    error_set(err, "this beacond knows no job of that name; is it another version?");
    return STORE_REFUSED;
}
