/*
 * pruning.h: what erasing the oldest events is to reach. Behind engine_prune and retention.
 */
#ifndef BEACOND_ENGINE_PRUNING_H
#define BEACOND_ENGINE_PRUNING_H

#include "engine/erasure.h"
#include "engine/writer.h"

/* The oldest events are erased as long as they are dated before before_ms and the database uses
 * more than used_bytes; then the file is made smaller until no more than slack_pages in a thousand
 * are free. */
struct pruning {
    int64_t before_ms;
    int64_t used_bytes; /* free pages do not count; 0: only the age does */
    bool days_only;     /* as store_drop_days does: where only whole ones give room back */
    int slack_permille;
    int64_t expected; /* events, for progress; 0 when it is not known */
};

/* A store_status; out is added to. Any thread but the writer's. */
int pruning_run(struct writer *writer, const struct pruning *pruning,
                const struct progress *progress, struct erasure *out, struct error *err) MUST_CHECK;

#endif
