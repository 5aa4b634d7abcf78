#include "store/window.h"

#include <stdlib.h>

/* Finds the ends of the window: where one is open, the oldest or newest event, or the other end
 * when that lies beyond. */
static void window_find(struct store_steps *out, const struct store_steps_ask *ask)
{
    bool events = out->facts.events > 0;
    bool from = ask->since != INT64_MIN, to = ask->until != INT64_MAX;
    int64_t since = from ? ask->since : events ? out->facts.oldest_ms : INT64_MAX;
    int64_t until = to ? ask->until : events ? out->facts.newest_ms : INT64_MIN;
    out->any = from || to || events;
    if (!from && since > until)
        since = until;
    if (!to && until < since)
        until = since;
    out->since = step_clamp(since);
    out->until = step_clamp(until);
}

/* Room for all that may be found. 0, or -1 when out of memory. */
static int window_make_room(struct store_steps *out, bool named)
{
    int64_t touched = step_count(out->step, out->since, out->until);
    /* Days that nobody asked for by name may be few in a window of centuries. */
    out->too_many = named && touched > STORE_STEPS_MOST;
    if (out->too_many || touched == 0)
        return 0;
    /* For as many as there may be: rows put in by hand need not stand where steps begin. */
    out->steps = malloc(STORE_STEPS_MOST * sizeof *out->steps);
    return out->steps != NULL ? 0 : -1;
}

void window_add(struct store_steps *out, int64_t at, int64_t events)
{
    if (events <= 0)
        return;
    out->too_many = out->count == STORE_STEPS_MOST;
    if (out->too_many)
        return;
    out->steps[out->count++] = (struct tally_step){at, events};
    out->total += events;
}

/* The part of a step that lies in the window. */
static int window_add_edge(struct store_steps *out, const struct window_source *source,
                           int64_t first, int64_t last, struct error *err)
{
    int64_t events = 0;
    if (first > last)
        return STORE_OK;
    int status = source->count(source->arg, first, last, &events, err);
    if (status == STORE_OK)
        window_add(out, step_floor(out->step, first), events);
    return status;
}

/* All of them, newest first. */
static int window_gather(struct store_steps *out, const struct window_source *source,
                         struct error *err)
{
    int64_t from = step_ceil(out->step, out->since), to = step_floor(out->step, out->until + 1);
    if (from > to) /* the window lies within one step */
        return window_add_edge(out, source, out->since, out->until, err);
    int status = window_add_edge(out, source, to, out->until, err);
    if (status == STORE_OK && from < to)
        status = source->steps(source->arg, out, from, to, err);
    if (status == STORE_OK && !out->too_many)
        status = window_add_edge(out, source, out->since, from - 1, err);
    return status;
}

static void window_turn_round(struct store_steps *out)
{
    for (size_t i = 0; i < out->count / 2; i++) {
        struct tally_step *a = &out->steps[i], *b = &out->steps[out->count - 1 - i];
        struct tally_step kept = *a;
        *a = *b;
        *b = kept;
    }
}

int window_fill(struct store_steps *out, const struct store_steps_ask *ask,
                const struct window_source *source, struct error *err)
{
    window_find(out, ask);
    out->step = ask->named ? ask->step : step_finest(out->since, out->until, STORE_STEPS_FINE);
    if (!out->any)
        return STORE_OK;
    if (window_make_room(out, ask->named) != 0) {
        error_set(err, "out of memory");
        return STORE_BUSY;
    }
    if (out->steps == NULL) /* none, or too many */
        return STORE_OK;
    int status = window_gather(out, source, err);
    window_turn_round(out);
    return status;
}
