#include "control/job_backup.h"

#include "base/log.h"
#include "engine/backup.h"

int job_backup(struct job *job, struct error *err)
{
    const char *file = json_string_value(json_object_get(job->request, "file"));
    struct backup backup = {
        .database = job->database,
        .file = file,
        .replace = json_is_true(json_object_get(job->request, "force")),
    };
    if (file == NULL) {
        error_set(err, "the request names no file");
        return STORE_REFUSED;
    }
    int status = engine_backup(job->engine, &backup, &job->progress, err);
    /* A command says so itself. */
    if (job->link != NULL && status == STORE_OK)
        log_info("backup %s: %lld events, %lld bytes", file, (long long)backup.events,
                 (long long)backup.bytes);
    else if (job->link != NULL)
        log_warn("backup %s: %s", file, err->text);
    if (status == STORE_OK)
        job->result = json_pack("{sIsI}", "events", (json_int_t)backup.events, "bytes",
                                (json_int_t)backup.bytes);
    return status;
}
