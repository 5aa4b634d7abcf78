#include "control/import_job.h"

#include "engine/importer.h"

/* Sends a message, which may be NULL for want of memory. The other end waits for each of them, so
 * the job ends with one that can't be sent. */
static int import_job_tell(struct job *job, json_t *message, struct error *err)
{
    int status = message == NULL ? -1 : link_send(job->link, message, NULL, 0);
    json_decref(message);
    if (status == 0)
        return STORE_OK;
    error_set(err, "out of memory, or the command is gone");
    return STORE_BUSY;
}

static json_t *import_job_faults(const struct lines_report *report)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < report->fault_count; i++)
        if (json_array_append_new(faults, json_pack("[Is]", (json_int_t)report->faults[i].line,
                                                    report->faults[i].why)) != 0) {
            json_decref(faults);
            return NULL;
        }
    return faults;
}

static int import_job_take(struct job *job, struct importer *importer, const json_t *message,
                           const struct bytes *text, struct error *err)
{
    struct lines_chunk chunk = {
        .text = text->data,
        .len = text->len,
        .first = json_integer_value(json_object_get(message, "first")),
        .step = json_integer_value(json_object_get(message, "step")),
    };
    struct lines_report report;
    int status = importer_take(importer, &chunk, &report, err);
    if (status != STORE_OK)
        return status;
    return import_job_tell(job,
                           json_pack("{sIsIso}", "taken", (json_int_t)report.lines, "malformed",
                                     (json_int_t)report.malformed, "faults",
                                     import_job_faults(&report)),
                           err);
}

static int import_job_end_file(struct job *job, struct importer *importer, struct error *err)
{
    struct importer_counts counts;
    struct error lost;
    int status = importer_end_file(importer, &counts, &lost);
    return import_job_tell(
        job,
        json_pack("{s{sIsIsIsIsIsI}ss*}", "counts", "lines", (json_int_t)counts.lines, "stored",
                  (json_int_t)counts.stored, "duplicate", (json_int_t)counts.duplicate, "malformed",
                  (json_int_t)counts.malformed, "skipped", (json_int_t)counts.skipped, "refused",
                  (json_int_t)counts.refused, "lost", status == STORE_OK ? NULL : lost.text),
        err);
}

int import_job_run(struct job *job, struct error *err)
{
    struct importer *importer = NULL;
    struct bytes text;
    json_t *message;
    struct error gone;
    int status = STORE_REFUSED;
    bytes_init(&text);
    if (job->link == NULL)
        error_set(err, "import takes its lines over the control socket");
    else
        status = importer_open(&importer, job->engine, &job->limits, &job->progress, err);
    if (status == STORE_OK)
        status = import_job_tell(
            job, json_pack("{sbsI}", "ready", 1, "max_event", (json_int_t)job->limits.event_bytes),
            err);
    while (status == STORE_OK && link_receive(job->link, &message, &text, &gone) == 0) {
        if (json_object_get(message, "end") != NULL)
            status = import_job_end_file(job, importer, err);
        else if (text.len > 0)
            status = import_job_take(job, importer, message, &text, err);
        json_decref(message);
    }
    importer_close(importer);
    bytes_clear(&text);
    return status;
}
