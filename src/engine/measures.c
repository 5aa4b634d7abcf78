#include "engine/measures.h"

#include "base/clock.h"

const struct histogram_form measures_seconds = {
    {250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
     5000000, 10000000},
    15,
    1e6,
};
const struct histogram_form measures_events = {
    {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}, 13, 1};
const struct histogram_form measures_batches = {{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000}, 10, 1};

const char *measures_reason_text(enum measures_reason reason)
{
    switch (reason) {
    case MEASURES_REFUSED:
        return "refused by the database";
    case MEASURES_NOT_KEPT:
        return "not kept";
    default:
        return batch_reason_text((enum batch_reason)reason);
    }
}

/* Those of a batch that was sent again had been put aside before. */
static void measures_rejects(struct measures *measures, const struct store_item *item)
{
    const struct batch *batch = item->batch;
    for (size_t i = 0; i < batch->reject_kept; i++)
        if (batch->rejects[i].position > item->known)
            counter_add(&measures->rejects[batch->rejects[i].reason], 1);
    if (item->known == 0)
        counter_add(&measures->rejects[MEASURES_NOT_KEPT],
                    batch->reject_count - batch->reject_kept);
}

void measures_commit(struct measures *measures, const struct store_item *items, size_t count,
                     int64_t took_us)
{
    size_t saved = 0, duplicates = 0, refused = 0, events = 0;
    for (size_t i = 0; i < count; i++) {
        const struct store_item *item = &items[i];
        saved += item->saved - item->duplicate;
        duplicates += item->duplicate;
        refused += item->refused;
        events += item->batch->event_count;
        if (item->batch->reject_count > 0)
            measures_rejects(measures, item);
    }
    counter_add(&measures->saved, saved);
    counter_add(&measures->duplicates, duplicates);
    counter_add(&measures->rejects[MEASURES_REFUSED], refused);
    histogram_add(&measures->commit_us, &measures_seconds, took_us);
    histogram_add(&measures->commit_events, &measures_events, (int64_t)events);
    histogram_add(&measures->commit_batches, &measures_batches, (int64_t)count);
    gauge_set(&measures->last_commit_ms, clock_wall_ms());
}
