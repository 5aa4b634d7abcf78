#include "engine/pruning.h"

#include "engine/slices.h"

static int64_t pruning_used(const struct store_size *size)
{
    return (size->pages - size->free_pages) * size->page_bytes;
}

/* Whether the next slice is wanted: 1, 0 or a store_status. */
static int pruning_wants(struct writer *writer, const struct pruning *pruning, struct error *err)
{
    struct store_size size;
    if (pruning->used_bytes == 0)
        return 1;
    int status = slices_size(writer, &size, err);
    return status != STORE_OK ? status : pruning_used(&size) > pruning->used_bytes;
}

/* Erases one portion more. *more: there may be another. */
typedef int pruning_fn(struct writer *writer, const struct pruning *pruning, int64_t *erased,
                       bool *more, struct error *err);

static int pruning_erase_day(struct writer *writer, const struct pruning *pruning, int64_t *erased,
                             bool *more, struct error *err)
{
    struct store_dropped dropped;
    int status = slices_drop_day(writer, pruning->before_ms, pruning->used_bytes, &dropped, err);
    *erased = dropped.events;
    *more = dropped.more;
    return status;
}

static int pruning_erase_slice(struct writer *writer, const struct pruning *pruning,
                               int64_t *erased, bool *more, struct error *err)
{
    size_t count = 0;
    int status = slices_erase_oldest(writer, pruning->before_ms, &count, err);
    *erased = (int64_t)count;
    *more = count > 0;
    return status;
}

static int pruning_erase_all(struct writer *writer, const struct pruning *pruning,
                             pruning_fn *erase, int64_t before, const struct progress *progress,
                             struct erasure *out, struct error *err)
{
    int64_t erased;
    bool more = true;
    int status = STORE_OK;
    while (status == STORE_OK && more) {
        if (progress_step(progress, "erasing", out->events - before, pruning->expected) != 0) {
            out->stopped = true;
            return STORE_OK;
        }
        int wants = pruning_wants(writer, pruning, err);
        if (wants <= 0)
            return wants;
        status = erase(writer, pruning, &erased, &more, err);
        if (status == STORE_OK)
            out->events += erased;
    }
    return status;
}

/* Days go in a stroke, where the store keeps them apart, and what is left of the time row by row.
 */
static int pruning_erase(struct writer *writer, const struct pruning *pruning,
                         const struct progress *progress, struct erasure *out, struct error *err)
{
    int64_t before = out->events;
    int status = pruning_erase_all(writer, pruning, pruning_erase_day, before, progress, out, err);
    if (status != STORE_OK || out->stopped || pruning->days_only)
        return status;
    return pruning_erase_all(writer, pruning, pruning_erase_slice, before, progress, out, err);
}

static int pruning_shrink(struct writer *writer, const struct pruning *pruning,
                          const struct progress *progress, struct erasure *out, struct error *err)
{
    struct store_size size;
    int64_t first = -1;
    for (;;) {
        int status = slices_size(writer, &size, err);
        if (status != STORE_OK)
            return status;
        int64_t slack = size.pages / 1000 * pruning->slack_permille, left = 0;
        if (first < 0)
            first = size.free_pages;
        if (size.free_pages <= slack)
            return STORE_OK;
        if (progress_step(progress, "shrinking", first - size.free_pages, first - slack) != 0) {
            out->stopped = true;
            return STORE_OK;
        }
        status = slices_shrink(writer, &left, err);
        if (status != STORE_OK || left >= size.free_pages)
            return status;
    }
}

int pruning_run(struct writer *writer, const struct pruning *pruning,
                const struct progress *progress, struct erasure *out, struct error *err)
{
    struct store_size before, after;
    int status = slices_size(writer, &before, err);
    if (status == STORE_OK)
        status = pruning_erase(writer, pruning, progress, out, err);
    if (status == STORE_OK && !out->stopped)
        status = pruning_shrink(writer, pruning, progress, out, err);
    int sized = slices_size(writer, &after, status == STORE_OK ? err : NULL);
    if (sized != STORE_OK)
        return status == STORE_OK ? sized : status;
    if (after.pages < before.pages) {
        out->freed_bytes += (before.pages - after.pages) * before.page_bytes;
        slices_tidy(writer);
    }
    return status;
}
