/* Both databases, day by day. */

#include <stdlib.h>
#include <string.h>

#include "engine/moving_parts.h"
#include "store/step.h"

/* Numbers that are compared at a time. */
#define DAYS_STRETCH 200000
/* How often a day is copied anew, where the source erases events of it meanwhile. */
#define DAYS_TRIES 3

struct days_side {
    int64_t events;
    uint64_t sum;
};

struct days_day {
    int64_t at_ms;
    struct days_side source, target;
};

struct days {
    struct days_day *days; /* ascending */
    size_t count, room;
    size_t last; /* where one was found before */
};

/* The day that begins at at_ms, made where there is none. NULL when out of memory. */
static struct days_day *days_at(struct days *days, int64_t at_ms)
{
    if (days->last < days->count && days->days[days->last].at_ms == at_ms)
        return &days->days[days->last];
    size_t low = 0, high = days->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (days->days[middle].at_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    days->last = low;
    if (low < days->count && days->days[low].at_ms == at_ms)
        return &days->days[low];
    if (days->count == days->room) {
        size_t room = days->room == 0 ? 64 : days->room * 2;
        struct days_day *more = realloc(days->days, room * sizeof *more);
        if (more == NULL)
            return NULL;
        days->days = more;
        days->room = room;
    }
    memmove(days->days + low + 1, days->days + low, (days->count - low) * sizeof *days->days);
    days->count++;
    days->days[low] = (struct days_day){.at_ms = at_ms};
    return &days->days[low];
}

static bool days_equal(const struct days_day *day)
{
    return day->source.events == day->target.events && day->source.sum == day->target.sum;
}

/* --- a stretch -------------------------------------------------------------------------------- */

static int days_row(struct moving *moving, void *arg, const struct store_row *row)
{
    struct days_day *day = days_at(arg, step_floor(STEP_DAY, row->place.ts));
    if (day == NULL)
        return -1;
    day->source.events++;
    day->source.sum += store_take_hash(moving->taker, row);
    return 0;
}

static int days_pause(struct moving *moving, void *arg, bool last, struct error *err)
{
    (void)arg;
    (void)last;
    /* Drawn by who goes from stretch to stretch. */
    return moving_step(moving, NULL, 0, 0, err);
}

static int days_sum(void *arg, const struct store_take_sum *sum)
{
    struct days_day *day = days_at(arg, sum->at_ms);
    if (day == NULL)
        return -1;
    day->target.events += sum->events;
    day->target.sum += sum->sum;
    return 0;
}

/* The target works while the source is read here. */
static int days_compare(struct moving *moving, const struct store_take_stretch *stretch,
                        struct days *days, struct error *err)
{
    const struct moving_walk walk = {days_row, days_pause, days};
    int status = store_take_ask_sums(moving->taker, stretch, err);
    if (status == STORE_OK)
        status = moving_each(moving, stretch, &walk, err);
    if (status == STORE_OK)
        status = store_take_hear_sums(moving->taker, days_sum, days, err);
    return status;
}

static int days_compare_all(struct moving *moving, int64_t after_seq, int64_t upto_seq,
                            struct days *days, struct error *err)
{
    int status = STORE_OK;
    for (int64_t seq = after_seq; seq < upto_seq && status == STORE_OK;) {
        int64_t upto = upto_seq - seq > DAYS_STRETCH ? seq + DAYS_STRETCH : upto_seq;
        struct store_take_stretch stretch = {seq, upto, INT64_MIN, INT64_MAX};
        status = days_compare(moving, &stretch, days, err);
        seq = upto;
        if (status == STORE_OK)
            status =
                moving_step(moving, "comparing events", seq - after_seq, upto_seq - after_seq, err);
    }
    return status;
}

/* --- a day that is not equal ------------------------------------------------------------------ */

static int days_put(struct moving *moving, void *arg, const struct store_row *row)
{
    int64_t *events = arg;
    ++*events;
    return store_take_event(moving->taker, row);
}

static int days_put_pause(struct moving *moving, void *arg, bool last, struct error *err)
{
    const int64_t *events = arg;
    (void)last;
    int status = store_take_flush(moving->taker, err);
    return status == STORE_OK ? moving_step(moving, "copying events anew", *events, 0, err)
                              : status;
}

static int days_copy(struct moving *moving, const struct store_take_stretch *stretch,
                     struct error *err)
{
    struct store_take_mark mark;
    int64_t events = 0;
    const struct moving_walk walk = {days_put, days_put_pause, &events};
    store_take_look(moving->taker, &mark);
    int status = store_take_begin(moving->taker, err);
    if (status == STORE_OK)
        status = store_take_erase_day(moving->taker, stretch->since_ms, err);
    if (status == STORE_OK)
        status = moving_each(moving, stretch, &walk, err);
    if (status == STORE_OK)
        status = store_take_end(moving->taker, &mark, err);
    if (status != STORE_OK)
        store_take_drop(moving->taker);
    moving->report->again++;
    moving->report->again_of += events;
    return status;
}

/* Copies it until it is equal; the source may go on erasing events of it. */
static int days_mend(struct moving *moving, int64_t at_ms, int64_t upto_seq, struct error *err)
{
    struct store_take_stretch stretch = {0, upto_seq, at_ms, at_ms + step_ms[STEP_DAY] - 1};
    struct days one = {NULL, 0, 0, 0};
    int status = STORE_OK;
    bool equal = false;
    for (int i = 0; i < DAYS_TRIES && !equal && status == STORE_OK; i++) {
        one.count = 0;
        status = days_copy(moving, &stretch, err);
        if (status == STORE_OK)
            status = days_compare(moving, &stretch, &one, err);
        equal = one.count == 0 || days_equal(&one.days[0]);
    }
    if (status == STORE_OK && !equal) {
        moving->report->differing++;
        moving->ask->differs(moving->ask->arg, at_ms, one.days[0].source.events,
                             one.days[0].target.events);
    }
    free(one.days);
    return status;
}

static int days_mend_all(struct moving *moving, const struct days *days, int64_t upto_seq,
                         struct error *err)
{
    int status = STORE_OK;
    for (size_t i = 0; i < days->count && status == STORE_OK; i++) {
        moving->report->compared += days->days[i].source.events;
        if (!days_equal(&days->days[i]))
            status = days_mend(moving, days->days[i].at_ms, upto_seq, err);
    }
    moving->report->days = (int64_t)days->count;
    return status;
}

/* --- all -------------------------------------------------------------------------------------- */

static int days_write_mark(struct moving *moving, const struct store_take_mark *mark,
                           struct error *err)
{
    int status = store_take_begin(moving->taker, err);
    if (status == STORE_OK)
        status = store_take_end(moving->taker, mark, err);
    if (status != STORE_OK)
        store_take_drop(moving->taker);
    return status;
}

int moving_compare(struct moving *moving, struct store_take_mark *mark, struct error *err)
{
    struct days days = {NULL, 0, 0, 0};
    struct store_survey now;
    int status = STORE_OK;
    if (moving->ask->whole || mark->erasures != moving->survey.erasures) {
        /* First of all: what is found wrong from here on must not be trusted by the next run. */
        mark->compared = 0;
        status = days_write_mark(moving, mark, err);
    }
    if (status == STORE_OK)
        status = days_compare_all(moving, mark->compared, mark->seq, &days, err);
    if (status == STORE_OK)
        status = days_mend_all(moving, &days, mark->seq, err);
    free(days.days);
    if (status == STORE_OK)
        status = store_survey(moving->reader, 1, 0, 0, &now, err);
    if (status != STORE_OK)
        return status;
    moving->report->erased = now.erasures != moving->survey.erasures;
    mark->compared = moving->report->differing == 0 ? mark->seq : 0;
    mark->erasures = moving->survey.erasures;
    return days_write_mark(moving, mark, err);
}
