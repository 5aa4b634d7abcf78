#include "engine/expose.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "cache/ring.h"
#include "engine/internal.h"
#include "engine/measures.h"
#include "engine/writer_parts.h"

static double expose_seconds(const struct gauge *ms)
{
    return (double)gauge_read(ms) / 1000;
}

static void expose_ingest(const struct measures *measures, struct exposition *exposition)
{
    exposition_counter(exposition, "beacond_events_saved_total", "Events stored anew.",
                       counter_read(&measures->saved));
    exposition_counter(exposition, "beacond_events_duplicate_total",
                       "Events that had been stored before, sent again, and skipped.",
                       counter_read(&measures->duplicates));
    exposition_family(exposition, "beacond_events_rejected_total", EXPOSITION_COUNTER,
                      "Events that could not be stored and were put among the rejects, by reason.");
    for (int reason = 0; reason < MEASURES_REASONS; reason++) {
        const struct exposition_label labels[] = {
            {"reason", measures_reason_text((enum measures_reason)reason)}, {NULL, NULL}};
        exposition_count(exposition, labels, counter_read(&measures->rejects[reason]));
    }
    exposition_counter(exposition, "beacond_events_erased_total",
                       "Events erased by retention or a command.", counter_read(&measures->erased));
    exposition_gauge(exposition, "beacond_events_stored", "Events in the database.",
                     (double)gauge_read(&measures->stored));
}

static void expose_one_histogram(struct exposition *exposition, const char *name, const char *help,
                                 const struct histogram_form *form,
                                 const struct histogram *histogram)
{
    struct histogram_figures figures = {0};
    histogram_collect(histogram, &figures);
    exposition_family(exposition, name, EXPOSITION_HISTOGRAM, help);
    exposition_histogram(exposition, NULL, form, &figures);
}

static void expose_commits(const struct measures *measures, struct exposition *exposition)
{
    expose_one_histogram(exposition, "beacond_commit_duration_seconds",
                         "How long commits of batches took, with their flush to the disk.",
                         &measures_seconds, &measures->commit_us);
    expose_one_histogram(exposition, "beacond_commit_events",
                         "Events of one commit, those skipped included.", &measures_events,
                         &measures->commit_events);
    expose_one_histogram(exposition, "beacond_commit_batches", "Batches of one commit.",
                         &measures_batches, &measures->commit_batches);
    exposition_counter(exposition, "beacond_commit_failures_total",
                       "Tries to commit that failed, for a full disk for example.",
                       counter_read(&measures->failures));
    exposition_gauge(exposition, "beacond_commit_failing_since_timestamp_seconds",
                     "When commits began to fail; 0 while they work.",
                     expose_seconds(&measures->failing_since_ms));
    exposition_gauge(exposition, "beacond_last_commit_timestamp_seconds",
                     "When batches were last committed; 0: not since the start.",
                     expose_seconds(&measures->last_commit_ms));
}

static void expose_queue(struct writer *writer, struct exposition *exposition)
{
    pthread_mutex_lock(&writer->mutex);
    size_t bytes = writer->bytes, limit = writer->queue_bytes;
    pthread_mutex_unlock(&writer->mutex);
    exposition_gauge(exposition, "beacond_queue_bytes",
                     "Memory of the batches that wait to be committed, or are being committed.",
                     (double)bytes);
    exposition_gauge(exposition, "beacond_queue_limit_bytes", "The option queue-size.",
                     (double)limit);
}

/* How far back in time the cache reaches. */
static double expose_floor_age(const struct ring_survey *survey)
{
    if (survey->floor.ts == INT64_MIN)
        return INFINITY;
    int64_t age_ms = clock_wall_ms() - survey->floor.ts;
    return age_ms < 0 ? 0 : (double)age_ms / 1000; /* an empty one begins ahead of now */
}

static void expose_cache(struct engine *engine, struct exposition *exposition)
{
    struct ring_survey survey = {0};
    if (engine->answers.ring == NULL)
        return;
    ring_bounds(engine->answers.ring, &survey);
    exposition_gauge(exposition, "beacond_cache_events", "Events in the cache.",
                     (double)survey.events);
    exposition_gauge(exposition, "beacond_cache_bytes", "Memory of the cache.",
                     (double)survey.bytes);
    exposition_gauge(exposition, "beacond_cache_limit_bytes", "The option cache-bytes.",
                     (double)engine->options.cache_bytes);
    exposition_gauge(
        exposition, "beacond_cache_floor_age_seconds",
        "Events dated longer ago are in the database alone; +Inf: the cache holds all.",
        expose_floor_age(&survey));
    exposition_gauge(exposition, "beacond_cache_leased_bytes",
                     "Memory of answers in one piece that clients are still taking.",
                     (double)leases_out(engine->answers.leases));
}

static void expose_receipts(const struct engine *engine, const struct measures *measures,
                            struct exposition *exposition)
{
    int64_t oldest_ms = gauge_read(&measures->receipts_oldest_ms);
    int64_t age_ms = oldest_ms == 0 ? 0 : clock_wall_ms() - oldest_ms;
    exposition_gauge(exposition, "beacond_receipts",
                     "Receipts, by which batches that are sent again are recognised.",
                     (double)gauge_read(&measures->receipts));
    exposition_gauge(exposition, "beacond_receipts_bytes", "Memory of the receipts.",
                     (double)gauge_read(&measures->receipts_bytes));
    exposition_gauge(exposition, "beacond_receipts_limit_bytes", "The option receipts-size.",
                     (double)engine->options.receipts_bytes);
    exposition_gauge(exposition, "beacond_receipts_oldest_age_seconds",
                     "Age of the oldest receipt; 0: there is none.", (double)age_ms / 1000);
}

/* Bytes of the file of that name; 0 when it is not there. */
static double expose_file(const char *name, const char *suffix)
{
    char path[4096];
    struct stat file;
    if (snprintf(path, sizeof path, "%s%s", name, suffix) >= (int)sizeof path ||
        stat(path, &file) != 0)
        return 0;
    return (double)file.st_size;
}

/* One that is no file has neither a log beside it nor checkpoints that are ours. */
static void expose_database(const struct engine *engine, const struct measures *measures,
                            struct exposition *exposition)
{
    const char *database = engine->options.store.database;
    struct statvfs disk;
    bool file = store_is_file(database);
    exposition_gauge(exposition, "beacond_database_bytes", "Size of the database.",
                     file ? expose_file(database, "")
                          : (double)gauge_read(&measures->database_bytes));
    if (!file)
        return;
    exposition_gauge(exposition, "beacond_wal_bytes", "Size of the write-ahead log beside it.",
                     expose_file(database, "-wal"));
    if (statvfs(database, &disk) == 0)
        exposition_gauge(exposition, "beacond_disk_free_bytes",
                         "Room on the database's disk that the daemon may use.",
                         (double)disk.f_bavail * (double)disk.f_frsize);
    exposition_counter(exposition, "beacond_checkpoints_total",
                       "Times all of the write-ahead log was put back into the database.",
                       (uint64_t)gauge_read(&measures->checkpoints));
    exposition_counter(exposition, "beacond_checkpoint_failures_total",
                       "Times the disk did not take what was put back.",
                       (uint64_t)gauge_read(&measures->checkpoints_failed));
    exposition_gauge(
        exposition, "beacond_checkpoint_stopped",
        "1: the disk has lost what it had taken, which is put back anew until it is taken.",
        (double)gauge_read(&measures->checkpoint_spoilt));
    exposition_gauge(exposition, "beacond_last_checkpoint_timestamp_seconds",
                     "When all of the write-ahead log was last put back; 0: not since the start.",
                     expose_seconds(&measures->checkpoint_ms));
}

static void expose_retention(const struct engine *engine, const struct measures *measures,
                             struct exposition *exposition)
{
    if (engine->retention == NULL)
        return;
    exposition_counter(exposition, "beacond_retention_runs_total",
                       "Times retention has looked for events to erase.",
                       counter_read(&measures->retention_runs));
    exposition_counter(exposition, "beacond_retention_failures_total",
                       "Of these, times it could not erase what it should.",
                       counter_read(&measures->retention_failures));
    exposition_gauge(exposition, "beacond_retention_last_success_timestamp_seconds",
                     "When retention last did all that it should; 0: not since the start.",
                     expose_seconds(&measures->retention_ms));
    exposition_gauge(exposition, "beacond_retention_disk_short",
                     "1: the disk has less room than min-free-disk, and what is left stays.",
                     (double)gauge_read(&measures->retention_short));
}

void engine_expose(struct engine *engine, struct exposition *exposition)
{
    const struct measures *measures = &engine->writer->measures;
    expose_ingest(measures, exposition);
    expose_commits(measures, exposition);
    expose_queue(engine->writer, exposition);
    expose_cache(engine, exposition);
    expose_receipts(engine, measures, exposition);
    expose_database(engine, measures, exposition);
    expose_retention(engine, measures, exposition);
}

int64_t engine_failing_since_ms(const struct engine *engine)
{
    return gauge_read(&engine->writer->measures.failing_since_ms);
}
