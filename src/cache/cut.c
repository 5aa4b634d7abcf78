#include "cache/cut.h"

#include <stdlib.h>
#include <string.h>

#include "cache/ring_parts.h"

#define CUT_FIRST_PARTS 16

void cut_clear(struct cut *cut)
{
    for (size_t i = 0; i < cut->part_count; i++)
        segment_drop(cut->parts[i].segment);
    for (size_t i = 0; i < cut->loose_count; i++)
        loose_drop(cut->loose[i]);
    free(cut->parts);
    free(cut->loose);
    *cut = (struct cut){0};
}

/* --- cutting: all of this is called locked ---------------------------------------------------- */

static struct cut_part *cut_add_part(struct cut *cut)
{
    if (cut->part_count == cut->part_room) {
        size_t room = cut->part_room * 2;
        struct cut_part *parts = realloc(cut->parts, room * sizeof *parts);
        if (parts == NULL)
            return NULL;
        cut->parts = parts;
        cut->part_room = room;
    }
    struct cut_part *part = &cut->parts[cut->part_count++];
    *part = (struct cut_part){.loose_from = cut->loose_count};
    return part;
}

/* Holds what is loose in the slot and in the window. 0, or -1 when out of memory. */
static int cut_hold_loose(struct cut *cut, struct cut_part *part, const struct slot *slot,
                          const struct blend_window *window)
{
    size_t from = loose_from(slot->loose, slot->loose_count, window->low);
    size_t count = loose_from(slot->loose, slot->loose_count, window->high) - from;
    if (cut->loose_room - cut->loose_count < count) {
        size_t room = cut->loose_room * 2 + count;
        struct loose **loose = realloc(cut->loose, room * sizeof *loose);
        if (loose == NULL)
            return -1;
        cut->loose = loose;
        cut->loose_room = room;
    }
    for (size_t i = from; i < from + count; i++) {
        loose_hold(slot->loose[i]);
        cut->loose[cut->loose_count++] = slot->loose[i];
    }
    part->loose_count = count;
    return 0;
}

/* Has a slot sealed that readers have to put together themselves. */
static void cut_want(struct ring *ring, size_t n)
{
    struct slot *slot = ring_slot(ring, n);
    if (slot->loose_count > 0 && !slot->due && (slot->sealed != NULL || ring_full(ring, slot)))
        ring_hurry(ring, slot);
}

/* Whether no more is to be taken. */
static bool cut_is_full(const struct cut *cut, const struct cut_ask *ask)
{
    return cut->count == ask->limit || (ask->bytes > 0 && cut->bytes >= ask->bytes);
}

/* Takes of slot n, which has found events in the window, what skip and limit leave. 0, or -1 when
 * out of memory. */
static int cut_take(struct cut *cut, struct ring *ring, size_t n, const struct blend_window *window,
                    size_t found, const struct cut_ask *ask)
{
    uint64_t skip = ask->skip - cut->skipped, take = ask->limit - cut->count;
    if (skip >= found) {
        cut->skipped += found;
        return 0;
    }
    cut->skipped += skip;
    if (cut_is_full(cut, ask))
        take = 0;
    cut->more = cut->more || take < found - skip;
    if (take > found - skip)
        take = found - skip;
    if (take == 0)
        return 0;
    const struct slot *slot = ring_slot(ring, n);
    struct cut_part *part = cut_add_part(cut);
    if (part == NULL)
        return -1;
    part->skip = (size_t)skip;
    part->count = (size_t)take;
    part->segment = slot->sealed;
    if (slot->sealed != NULL)
        segment_hold(slot->sealed);
    cut->count += take;
    size_t bytes = slot->loose_bytes + (slot->sealed == NULL ? 0 : slot->sealed->plain_len);
    part->whole = slot->sealed != NULL && slot->loose_count == 0 && take == slot->sealed->count;
    cut->bytes += bytes;
    cut->loose_bytes += part->whole ? 0 : bytes;
    if (slot->loose_count == 0)
        return 0;
    cut_want(ring, n);
    return cut_hold_loose(cut, part, slot, window);
}

/* Counts what of slots 0 to n - 1 is in the window, nothing of which is taken, without looking at
 * each of thousands. */
static uint64_t cut_count_rest(const struct ring *ring, size_t n, const struct blend_window *window)
{
    size_t edge = ring_find(ring, window->low);
    if (edge == ring->count) /* all of them are above */
        return ring_sum(ring, 0, n);
    if (edge >= n)
        return 0;
    return ring_count_in(ring, edge, window) + ring_sum(ring, edge + 1, n);
}

/* Whether it is no use to look at all. */
static bool cut_is_in_vain(const struct cut *cut, const struct ring *ring,
                           const struct cut_ask *ask)
{
    return ask->whole_loose > 0 && (cut->above || (cut->below && ask->limit > ring->events));
}

static int cut_walk(struct cut *cut, struct ring *ring, const struct cut_ask *ask)
{
    struct blend_window window = {cut->low, cut->high, cut->max_seq};
    if (!place_before(window.low, window.high) || ring->count == 0 ||
        cut_is_in_vain(cut, ring, ask))
        return 0;
    size_t n = ring_find(ring, window.high);
    size_t top = n = n == ring->count ? 0 : n + 1; /* only the topmost straddles the upper edge */
    /* The shorter way needs all slots to be seen, that is no event to be newer than max_seq. */
    bool short_way = cut->max_seq == ring->told_seq;
    while (n-- > 0 && !place_before(ring_entry(ring, n)->high, window.low)) {
        bool full = cut_is_full(cut, ask);
        if (full && ask->part) {
            cut->more = true;
            break;
        }
        if (short_way && full && n + 1 < top) {
            uint64_t rest = cut_count_rest(ring, n + 1, &window);
            cut->more = cut->more || rest > 0;
            cut->total += rest;
            if (ask->limit == 0) /* nothing is taken: all of them are in front */
                cut->skipped = cut->total < ask->skip ? cut->total : ask->skip;
            break;
        }
        size_t found = ring_count_in(ring, n, &window);
        cut->total += found;
        if (found > 0 && cut_take(cut, ring, n, &window, found, ask) != 0)
            return -1;
        if (ask->whole_loose > 0 && cut->loose_bytes > ask->whole_loose)
            break;
    }
    return 0;
}

/* Sets what the cut covers, and what else there may be. */
static void cut_bound(struct cut *cut, const struct ring *ring, const struct cut_ask *ask)
{
    struct range_place low = place_of_ms(ask->since);
    struct range_place high = place_earlier(place_behind_ms(ask->until), ask->start);
    cut->max_seq = ask->max_seq < ring->last_seq ? ask->max_seq : ring->last_seq;
    cut->erasures = ring->erasures;
    cut->stored = ring->stored;
    cut->all = ask->since == INT64_MIN && place_before(ring->top, high);
    cut->low = place_later(low, ring->floor);
    cut->high = place_earlier(high, ring->ceiling);
    cut->low = place_earlier(cut->low, cut->high);
    if (!place_before(low, high))
        return;
    cut->above = place_before(ring->ceiling, high) && !place_before(ring->top, ring->ceiling) &&
                 !place_before(ring->top, low);
    cut->below = place_before(low, ring->floor);
}

int ring_cut(struct ring *ring, const struct cut_ask *ask, struct cut *cut)
{
    *cut = (struct cut){0};
    uint64_t wanted = ask->limit / SEGMENT_EVENTS;
    size_t room = 0;
    /* Room for all, before the lock is held for long. */
    if (wanted >= CUT_FIRST_PARTS) {
        ring_lock(ring);
        room = wanted < ring->count ? (size_t)wanted : ring->count;
        ring_unlock(ring);
    }
    cut->part_room = room + CUT_FIRST_PARTS;
    cut->parts = malloc(cut->part_room * sizeof *cut->parts);
    if (cut->parts == NULL)
        return -1;
    if (!ask->at_once) {
        ring_lock(ring);
    } else if (!ring_trylock(ring)) {
        free(cut->parts);
        *cut = (struct cut){0};
        return -1;
    }
    cut_bound(cut, ring, ask);
    int status = cut_walk(cut, ring, ask);
    ring_unlock(ring);
    if (status != 0)
        cut_clear(cut);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The events of a part, whole or not: *out has them all, the returned pointer leads to the
 * first that is taken. NULL when out of memory. Free *out. */
static const struct blend_event *cut_events(const struct cut *cut, const struct cut_part *part,
                                            struct blend_event **out)
{
    struct blend_window window = {cut->low, cut->high, cut->max_seq};
    size_t most = part->loose_count + (part->segment == NULL ? 0 : part->segment->count);
    *out = malloc(most * sizeof **out);
    if (*out == NULL)
        return NULL;
    struct loose *const *run = part->loose_count > 0 ? cut->loose + part->loose_from : NULL;
    (void)blend(part->segment, run, part->loose_count, &window, *out);
    return *out + part->skip;
}

int cut_each(const struct cut *cut, const struct cut_part *part, struct bytes *scratch,
             cut_event_fn *fn, void *arg)
{
    const struct segment *segment = part->segment;
    struct blend_event *all;
    const struct blend_event *events = cut_events(cut, part, &all);
    if (events == NULL)
        return -1;
    size_t depth = blend_depth(segment, events, part->count);
    scratch->len = 0;
    int status = depth > 0 ? segment_inflate(segment, depth, scratch) : 0;
    for (size_t i = 0; i < part->count && status == 0; i++)
        status = fn(arg, blend_place(segment, &events[i]),
                    blend_text(segment, scratch->data, &events[i]), blend_len(segment, &events[i]));
    free(all);
    return status;
}

static int cut_append(void *arg, struct range_place place, const char *text, size_t len)
{
    (void)place;
    /* A comma follows it, wherever it stands. */
    return bytes_append(arg, text, len + 1);
}

int cut_text(const struct cut *cut, const struct cut_part *part, struct bytes *scratch,
             struct bytes *out)
{
    if (part->whole)
        return segment_inflate(part->segment, part->segment->plain_len, out);
    return cut_each(cut, part, scratch, cut_append, out);
}

int cut_last(const struct cut *cut, const struct cut_part *part, struct range_place *place)
{
    struct blend_event *all;
    if (part->whole) {
        *place = part->segment->lowest;
        return 0;
    }
    const struct blend_event *events = cut_events(cut, part, &all);
    if (events == NULL)
        return -1;
    *place = blend_place(part->segment, &events[part->count - 1]);
    free(all);
    return 0;
}
