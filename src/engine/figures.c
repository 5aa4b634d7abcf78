#include "engine/figures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache/cut.h"
#include "engine/figures_json.h"
#include "engine/internal.h"

/* Text that one turn goes through: a few milliseconds' work. */
#define FIGURES_TURN_BYTES (512 << 10)

struct figures {
    struct inquiry inquiry; /* first */
    struct figures_ask ask;
    struct figures_host host;
    bool looked; /* steps are there */
    struct store_steps steps;

    /* Where counting values has come to. */
    struct range_place place; /* go on strictly behind it */
    int64_t bytes;            /* of text */
    struct figures_values values;
};

static int figures_read_step(struct figures_ask *ask, const char *text, struct error *err)
{
    ask->steps.named = true;
    for (int step = 0; step < STEP_COUNT; step++) {
        ask->steps.step = (enum step)step;
        if (strcmp(text, step_names[step]) == 0)
            return 0;
    }
    error_set(err, "step: expected second, minute, hour or day");
    return -1;
}

static int figures_read_values(struct figures_ask *ask, const char *text, struct error *err)
{
    if (range_number("values", text, 1, &ask->values, err) == 0 &&
        ask->values <= FIGURES_VALUES_MOST)
        return 0;
    error_set(err, "values: expected a whole number from 1 to %d", FIGURES_VALUES_MOST);
    return -1;
}

int figures_read(struct figures_ask *ask, const char *query, struct error *err)
{
    char since[RANGE_VALUE_SIZE], until[RANGE_VALUE_SIZE], step[RANGE_VALUE_SIZE],
        values[RANGE_VALUE_SIZE];
    const char *step_text, *values_text;
    struct range_texts texts = {0};
    struct range range;

    *ask = (struct figures_ask){0};
    if (range_text(query, "since", since, sizeof since, &texts.since, err) != 0 ||
        range_text(query, "until", until, sizeof until, &texts.until, err) != 0 ||
        range_text(query, "step", step, sizeof step, &step_text, err) != 0 ||
        range_text(query, "values", values, sizeof values, &values_text, err) != 0 ||
        range_read(&range, &texts, 0, NULL, err) != 0)
        return -1;
    ask->steps.since = range.since;
    ask->steps.until = range.until;
    if (step_text != NULL && figures_read_step(ask, step_text, err) != 0)
        return -1;
    return values_text != NULL ? figures_read_values(ask, values_text, err) : 0;
}

/* --- on the reader threads -------------------------------------------------------------------- */

static enum inquiry_state figures_no_memory(struct error *err)
{
    error_set(err, "out of memory");
    return INQUIRY_FAILED;
}

static enum inquiry_state figures_look(struct figures *figures, struct store_reader *reader,
                                       struct error *err)
{
    struct store_steps *steps = &figures->steps;
    if (store_count_steps(reader, &figures->ask.steps, steps, err) != STORE_OK)
        return INQUIRY_FAILED;
    if (steps->too_many) {
        error_set(err, "step: the window has more than %d of them; ask for %s", STORE_STEPS_MOST,
                  steps->step == STEP_DAY ? "less time" : "longer ones, or for less time");
        return INQUIRY_REFUSED;
    }
    figures->looked = true;
    if (figures->ask.values == 0)
        return INQUIRY_MORE;
    figures->values.most = (size_t)figures->ask.values;
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        if (census_init(&figures->values.members[i]) != 0)
            return figures_no_memory(err);
    return INQUIRY_MORE;
}

static int figures_count(void *arg, struct range_place place, const char *text, size_t len)
{
    struct figures *figures = arg;
    figures->place = place;
    figures->values.since_ms = place.ts;
    figures->values.counted++;
    figures->bytes += (int64_t)len;
    return census_add_event(figures->values.members, text, len);
}

/* Counts the values of the next events that the cache has. What was stored after the steps were
 * counted is left out. */
static enum inquiry_state figures_walk(struct figures *figures, struct readers_desk *desk,
                                       struct error *err)
{
    const struct cut_ask ask = {
        .since = figures->steps.since,
        .until = figures->steps.until,
        .start = figures->place,
        .max_seq = figures->steps.facts.last_seq,
        .limit = (uint64_t)(FIGURES_EVENTS - figures->values.counted),
        .bytes = FIGURES_TURN_BYTES,
        .part = true,
    };
    struct ring *ring = figures->inquiry.engine->answers.ring;
    struct cut cut = {0};
    int status = 0;
    if (ring == NULL || !figures->steps.any)
        return INQUIRY_DONE;
    if (ring_cut(ring, &ask, &cut) != 0)
        return figures_no_memory(err);
    for (size_t i = 0; i < cut.part_count && status == 0; i++)
        status = cut_each(&cut, &cut.parts[i], &desk->scratch, figures_count, figures);
    bool more = cut.more && cut.count > 0;
    cut_clear(&cut);
    if (status != 0)
        return figures_no_memory(err);
    return more && figures->values.counted < FIGURES_EVENTS && figures->bytes < FIGURES_BYTES
               ? INQUIRY_MORE
               : INQUIRY_DONE;
}

static enum inquiry_state figures_tell(struct figures *figures, struct bytes *document,
                                       struct error *err)
{
    struct engine *engine = figures->inquiry.engine;
    struct ring_survey cache;
    struct figures_told told = {
        .state = figures->host.draining   ? "draining"
                 : engine_healthy(engine) ? "ready"
                                          : "failing",
        .version = figures->host.version,
        .up_s = figures->host.up_s,
        .steps = &figures->steps,
        .values = figures->ask.values > 0 ? &figures->values : NULL,
    };
    if (engine->answers.ring != NULL) {
        ring_bounds(engine->answers.ring, &cache);
        told.cache = &cache;
    }
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_sort(&figures->values.members[i]);
    return figures_json(document, &told) == 0 ? INQUIRY_DONE : figures_no_memory(err);
}

static enum inquiry_state figures_run(struct inquiry *inquiry, struct readers_desk *desk,
                                      struct bytes *document, struct error *err)
{
    struct figures *figures = (struct figures *)inquiry;
    enum inquiry_state state = INQUIRY_DONE;
    if (!figures->looked)
        state = figures_look(figures, desk->reader, err);
    else
        state = figures_walk(figures, desk, err);
    if (state == INQUIRY_DONE || (state == INQUIRY_MORE && figures->ask.values == 0))
        state = figures_tell(figures, document, err);
    return state;
}

static void figures_free(struct inquiry *inquiry)
{
    struct figures *figures = (struct figures *)inquiry;
    store_steps_clear(&figures->steps);
    for (int i = 0; i < CENSUS_MEMBERS; i++)
        census_clear(&figures->values.members[i]);
    free(figures);
}

struct inquiry *figures_new(struct engine *engine, const struct figures_ask *ask,
                            const struct figures_host *host, struct mailbox *reply_to,
                            inquiry_fn *fn, void *arg)
{
    static const struct inquiry_kind kind = {figures_run, figures_free};
    struct figures *figures = calloc(1, sizeof *figures);
    if (figures == NULL)
        return NULL;
    figures->ask = *ask;
    figures->host = *host;
    figures->place = PLACE_HIGHEST;
    inquiry_ask(&figures->inquiry, &kind, engine, reply_to, fn, arg);
    return &figures->inquiry;
}
