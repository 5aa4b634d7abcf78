/*
 * engine_model.h: what an engine must answer, from a plain sorted list of all stored events.
 */
#ifndef BEACOND_TESTS_ENGINE_MODEL_H
#define BEACOND_TESTS_ENGINE_MODEL_H

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "cache/place.h"
#include "contract/batch.h"
#include "contract/range.h"
#include "unit.h"

#define MODEL_MOST 40000

struct model_event {
    struct range_place place;
    size_t len;
    char text[]; /* as stored */
};

struct model {
    struct model_event *list[MODEL_MOST]; /* newest first */
    size_t count;
    size_t bytes;     /* of all texts */
    int64_t last_seq; /* the highest there ever was */
};

/* How many stand at place or above. */
static inline size_t model_from(const struct model *model, struct range_place place)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (place_before(model->list[middle]->place, place))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Takes in what a commit has stored. Returns how many events that were. */
static inline size_t model_commit(struct model *model, const struct batch *batch)
{
    size_t stored = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        if (event->seq == 0)
            continue;
        ck_assert_int_gt(event->seq, model->last_seq);
        model->last_seq = event->seq;
        struct model_event *new = malloc(sizeof *new + event->text_len);
        ck_assert_ptr_nonnull(new);
        *new = (struct model_event){{event->ts, event->seq}, event->text_len};
        memcpy(new->text, event->text, event->text_len);
        ck_assert_uint_lt(model->count, MODEL_MOST);
        size_t at = model_from(model, new->place);
        memmove(model->list + at + 1, model->list + at, (model->count - at) * sizeof *model->list);
        model->list[at] = new;
        model->count++;
        model->bytes += new->len;
        stored++;
    }
    return stored;
}

static inline bool model_between(const struct model_event *event, int64_t since, int64_t until)
{
    return event->place.ts >= since && event->place.ts <= until;
}

/* Erases by time, or by seq. Returns how many there were. */
static inline size_t model_erase(struct model *model, bool by_seq, int64_t low, int64_t high)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct model_event *event = model->list[i];
        int64_t number = by_seq ? event->place.seq : event->place.ts;
        if (number < low || number > high) {
            model->list[kept++] = event;
            continue;
        }
        model->bytes -= event->len;
        free(event);
    }
    size_t erased = model->count - kept;
    model->count = kept;
    return erased;
}

/* Erases the events that hold this text. Returns how many there were. */
static inline size_t model_erase_text(struct model *model, const char *text)
{
    size_t kept = 0, before = model->count;
    for (size_t i = 0; i < before; i++) {
        struct model_event *event = model->list[i];
        if (memmem(event->text, event->len, text, strlen(text)) == NULL) {
            model->list[kept++] = event;
            continue;
        }
        model->bytes -= event->len;
        free(event);
    }
    model->count = kept;
    return before - kept;
}

/* The highest seq that is stored; 0 for none. */
static inline int64_t model_top(const struct model *model)
{
    int64_t top = 0;
    for (size_t i = 0; i < model->count; i++)
        if (model->list[i]->place.seq > top)
            top = model->list[i]->place.seq;
    return top;
}

/* How many events there are in [low, high). */
static inline size_t model_within(const struct model *model, struct range_place low,
                                  struct range_place high)
{
    size_t within = 0;
    for (size_t i = 0; i < model->count; i++)
        within +=
            !place_before(model->list[i]->place, low) && place_before(model->list[i]->place, high);
    return within;
}

/* The total that an answer tells whose snapshot is max_seq. */
static inline int64_t model_total(const struct model *model, const struct range *range,
                                  int64_t max_seq)
{
    int64_t total = 0;
    if (range->resumed)
        return range->total;
    for (size_t i = 0; i < model->count; i++)
        total += model->list[i]->place.seq <= max_seq &&
                 model_between(model->list[i], range->since, range->until);
    return total;
}

static inline int64_t model_skip(const struct range *range)
{
    if (range->resumed || range->limit == 0)
        return 0;
    return range->page - 1 > INT64_MAX / range->limit ? INT64_MAX
                                                      : (range->page - 1) * range->limit;
}

/* Whether list[i] is one of the chain that range belongs to, from range on. */
static inline bool model_wanted(const struct model *model, size_t i, const struct range *range,
                                int64_t max_seq)
{
    const struct model_event *event = model->list[i];
    return event->place.seq <= max_seq && model_between(event, range->since, range->until) &&
           (!range->resumed || place_before(event->place, range->after));
}

/* Whether events are left behind the limit: then *last is the place of the last one sent, and
 * cursor goes on there; else cursor is the empty text. */
static inline bool model_goes_on(const struct model *model, const struct range *range,
                                 int64_t max_seq, const unsigned char *secret,
                                 struct range_place *last, char cursor[RANGE_CURSOR_SIZE])
{
    int64_t skip = model_skip(range), sent = 0;
    cursor[0] = '\0';
    for (size_t i = 0; i < model->count && range->limit > 0; i++) {
        if (!model_wanted(model, i, range, max_seq) || skip-- > 0)
            continue;
        if (sent++ == range->limit) {
            range_cursor_write(cursor, range, model_total(model, range, max_seq), max_seq, *last,
                               secret);
            return true;
        }
        *last = model->list[i]->place;
    }
    return false;
}

/* The document, appended to out; with that cursor unless it is the empty text. */
static inline void model_answer(const struct model *model, const struct range *range,
                                int64_t max_seq, const char *cursor, struct bytes *out)
{
    int64_t skip = model_skip(range), sent = 0;
    ck_assert_int_eq(bytes_append_text(out, "{\"events\":["), 0);
    for (size_t i = 0; i < model->count && sent < range->limit; i++) {
        if (!model_wanted(model, i, range, max_seq) || skip-- > 0)
            continue;
        ck_assert(sent++ == 0 || bytes_append(out, ",", 1) == 0);
        ck_assert_int_eq(bytes_append(out, model->list[i]->text, model->list[i]->len), 0);
    }
    ck_assert_int_eq(
        bytes_append_format(out, "],\"total\":%" PRId64 ",\"page\":%" PRId64 ",\"limit\":%" PRId64,
                            model_total(model, range, max_seq), range->page, range->limit),
        0);
    if (cursor[0] != '\0')
        ck_assert_int_eq(bytes_append_format(out, ",\"nextCursor\":\"%s\"", cursor), 0);
    ck_assert_int_eq(bytes_append(out, "}", 1), 0);
}

#endif
