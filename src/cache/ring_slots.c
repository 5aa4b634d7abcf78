/* The slots of the ring: their order, where an event goes, what is dropped. */

#include <stdlib.h>
#include <string.h>

#include "cache/ring_parts.h"
#include "cache/sealing.h"

#define RING_FIRST_ROOM 64
#define RING_BEYOND_SEGMENTS 4 /* see max_events */

void ring_note(struct ring *ring, size_t n)
{
    struct ring_entry *entry = &ring->entries[ring->first + n];
    const struct slot *slot = entry->slot;
    entry->low = slot->low;
    entry->high = slot->high;
    entry->highest_seq = slot->highest_seq;
    entry->live = slot->live;
}

bool ring_within(const struct ring *ring, size_t n, const struct blend_window *window)
{
    const struct ring_entry *entry = ring_entry(ring, n);
    return entry->highest_seq <= window->max_seq && !place_before(entry->low, window->low) &&
           place_before(entry->high, window->high);
}

size_t ring_count_in(const struct ring *ring, size_t n, const struct blend_window *window)
{
    if (ring_within(ring, n, window))
        return ring_entry(ring, n)->live;
    const struct slot *slot = ring_slot(ring, n);
    return blend_count(slot->sealed, slot->loose, slot->loose_count, window);
}

static size_t ring_add_up(const struct ring *ring, size_t from, size_t to)
{
    size_t sum = 0;
    for (size_t n = from; n < to; n++)
        sum += ring_entry(ring, n)->live;
    return sum;
}

size_t ring_sum(const struct ring *ring, size_t from, size_t to)
{
    if (to - from <= ring->count / 2)
        return ring_add_up(ring, from, to);
    return ring->events - ring_add_up(ring, 0, from) - ring_add_up(ring, to, ring->count);
}

size_t ring_find(const struct ring *ring, struct range_place place)
{
    size_t from = 0, to = ring->count;
    /* Mostly it is the newest. */
    if (to > 0 && !place_before(place, ring_entry(ring, to - 1)->low))
        return to - 1;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (place_before(place, ring_entry(ring, middle)->low))
            to = middle;
        else
            from = middle + 1;
    }
    return from == 0 ? ring->count : from - 1;
}

int ring_reserve(struct ring *ring, size_t more)
{
    if (ring->room - ring->count >= more)
        return 0;
    size_t room = ring->room == 0 ? RING_FIRST_ROOM : ring->room;
    while (room - ring->count < more)
        room *= 2;
    struct ring_entry *entries = malloc(room * sizeof *entries);
    if (entries == NULL)
        return -1;
    if (ring->count > 0)
        memcpy(entries, ring->entries + ring->first, ring->count * sizeof *entries);
    free(ring->entries);
    ring->entries = entries;
    ring->bytes += (room - ring->room) * sizeof *entries;
    ring->room = room;
    ring->first = 0;
    return 0;
}

/* Makes a gap of count in front of slot n, moving what is on the shorter side where that has room.
 */
static void ring_gap(struct ring *ring, size_t n, size_t count)
{
    size_t behind = ring->room - ring->first - ring->count;
    struct ring_entry *entries = ring->entries;
    if (n < ring->count - n && ring->first < count && behind > count) {
        /* Events are dropped and filled in at this end: leave room for the next ones too. */
        memmove(entries + ring->first + behind, entries + ring->first,
                ring->count * sizeof *entries);
        ring->first += behind;
        behind = 0;
    }
    if (ring->first >= count && (n < ring->count - n || behind < count)) {
        memmove(entries + ring->first - count, entries + ring->first, n * sizeof *entries);
        ring->first -= count;
        return;
    }
    if (behind < count) {
        memmove(entries, entries + ring->first, ring->count * sizeof *entries);
        ring->first = 0;
    }
    memmove(entries + ring->first + n + count, entries + ring->first + n,
            (ring->count - n) * sizeof *entries);
}

void ring_enter(struct ring *ring, size_t n, struct slot *const *slots, size_t count)
{
    if (count == 0) /* there need not even be an array */
        return;
    ring_gap(ring, n, count);
    for (size_t i = 0; i < count; i++) {
        ring->entries[ring->first + n + i].slot = slots[i];
        ring_note(ring, n + i);
        ring->events += slots[i]->live;
        ring->bytes += slot_memory(slots[i]);
        ring->loose_bytes += slots[i]->loose_bytes;
    }
    ring->count += count;
}

struct slot *ring_leave(struct ring *ring, size_t n)
{
    struct slot *slot = ring_slot(ring, n);
    ring->events -= slot->live;
    ring->bytes -= slot_memory(slot);
    ring->loose_bytes -= slot->loose_bytes;
    struct ring_entry *at = &ring->entries[ring->first + n];
    if (n == 0)
        ring->first++;
    else
        memmove(at, at + 1, (ring->count - n - 1) * sizeof *at);
    ring->count--;
    list_remove(&slot->node);
    if (slot->sealing != NULL)
        slot->sealing->slot = NULL;
    slot->sealing = NULL;
    return slot;
}

/* --- what is to be sealed --------------------------------------------------------------------- */

bool ring_full(const struct ring *ring, const struct slot *slot)
{
    return slot->live >= ring->options.segment_events || slot->loose_bytes >= SEGMENT_BYTES;
}

bool ring_growing(const struct ring *ring, size_t n)
{
    const struct slot *slot = ring_slot(ring, n);
    return n == ring->count - 1 && slot->sealed == NULL && !ring_full(ring, slot);
}

bool ring_pressed(const struct ring *ring)
{
    return ring->loose_bytes > ring->options.max_bytes / RING_LOOSE_SHARE;
}

void ring_hurry(struct ring *ring, struct slot *slot)
{
    if (slot->due || slot->sealing != NULL)
        return;
    list_remove(&slot->node);
    list_append(&ring->due, &slot->node);
    slot->due = true;
    ring->wake = true;
}

void ring_queue(struct ring *ring, size_t n, int64_t now_ms)
{
    struct slot *slot = ring_slot(ring, n);
    if (slot->sealing != NULL || slot->due)
        return;
    if (list_empty(&slot->node)) {
        list_append(&ring->aging, &slot->node);
        slot->loose_since_ms = now_ms;
    }
    if (slot->sealed != NULL && (now_ms == INT64_MIN || slot->loose_count >= RING_OVERLAY_EVENTS ||
                                 slot->loose_bytes >= RING_OVERLAY_BYTES))
        ring_hurry(ring, slot);
}

/* --- where an event goes ---------------------------------------------------------------------- */

/* Whether what lies outside of slot n's bounds should rather go elsewhere. The newest slot takes
 * what is newer until it is full; another one as much as it can bear, for a late event does not
 * deserve a segment of its own. */
static bool ring_stuffed(const struct ring *ring, size_t n)
{
    const struct slot *slot = ring_slot(ring, n);
    if (n == ring->count - 1)
        return slot->sealed != NULL || ring_full(ring, slot);
    return slot->loose_count >= ring->options.segment_events || slot->loose_bytes >= SEGMENT_BYTES;
}

/* Finds the slot for a place, which is not a slot's yet, or where a new one is needed: *fresh, in
 * front of the one returned. */
static size_t ring_route(const struct ring *ring, struct range_place place, bool *fresh)
{
    size_t n = ring_find(ring, place);
    *fresh = false;
    if (n == ring->count) { /* below all, or there is none */
        *fresh = ring->count == 0 || ring_stuffed(ring, 0);
        return 0;
    }
    if (!place_before(ring_entry(ring, n)->high, place) || !ring_stuffed(ring, n))
        return n;
    if (n + 1 < ring->count && !ring_stuffed(ring, n + 1) && ring_slot(ring, n + 1)->sealed == NULL)
        return n + 1;
    *fresh = true;
    return n + 1;
}

/* Splits slot n when it is open and twice as large as a segment should be: an event in the middle
 * costs the moving of half of it. 0, or -1 when out of memory. */
static int ring_divide(struct ring *ring, size_t n, int64_t now_ms)
{
    struct slot *slot = ring_slot(ring, n);
    if (slot->sealed != NULL || slot->loose_count < 2 ||
        (slot->loose_count < 2 * ring->options.segment_events &&
         slot->loose_bytes < 2 * SEGMENT_BYTES))
        return 0;
    if (ring_reserve(ring, 1) != 0)
        return -1;
    ring->events -= slot->live;
    ring->bytes -= slot_memory(slot);
    ring->loose_bytes -= slot->loose_bytes;
    struct slot *upper = slot_split(slot);
    ring->events += slot->live;
    ring->bytes += slot_memory(slot);
    ring->loose_bytes += slot->loose_bytes;
    ring_note(ring, n);
    if (upper == NULL)
        return -1;
    ring_enter(ring, n + 1, &upper, 1);
    ring_queue(ring, n + 1, now_ms);
    return 0;
}

static int ring_insert_fresh(struct ring *ring, size_t n)
{
    struct slot *slot = ring_reserve(ring, 1) == 0 ? slot_new() : NULL;
    if (slot == NULL)
        return -1;
    ring_enter(ring, n, &slot, 1);
    return 0;
}

int ring_insert(struct ring *ring, struct loose *loose, int64_t now_ms)
{
    bool fresh;
    size_t n = ring_route(ring, loose->place, &fresh);
    struct slot *slot = NULL;
    if (!fresh || ring_insert_fresh(ring, n) == 0)
        slot = ring_slot(ring, n);
    size_t memory = slot == NULL ? 0 : slot_memory(slot);
    if (slot == NULL || slot_add(slot, loose) != 0) {
        loose_drop(loose);
        return -1;
    }
    ring_note(ring, n);
    ring->events++;
    ring->bytes += slot_memory(slot) - memory;
    ring->loose_bytes += loose_memory(loose);
    ring_queue(ring, n, now_ms);
    if (slot->sealed != NULL && slot->loose_count > RING_OVERLAY_MOST)
        ring->shed = place_later(ring->shed, slot->high);
    return ring_divide(ring, n, now_ms);
}

/* --- what is dropped -------------------------------------------------------------------------- */

void ring_trim(struct ring *ring, struct list *garbage)
{
    size_t most_events =
        ring->options.max_events + RING_BEYOND_SEGMENTS * ring->options.segment_events;
    while (ring->count > 0) {
        struct slot *oldest = ring_slot(ring, 0);
        /* A slot goes as a whole: with fewer than max_events left if late events have made it so
         * large that keeping it would break the bound. */
        if (ring->events - oldest->live < ring->options.max_events && ring->events <= most_events &&
            ring->bytes <= ring->options.max_bytes && place_before(ring->shed, oldest->low))
            break;
        ring->floor = place_above(oldest->high);
        list_append(garbage, &ring_leave(ring, 0)->node);
    }
    ring->shed = PLACE_LOWEST;
}

void ring_empty(struct ring *ring, struct list *garbage)
{
    while (ring->count > 0)
        list_append(garbage, &ring_leave(ring, ring->count - 1)->node);
    ring->floor = ring->ceiling;
    ring->top = PLACE_HIGHEST;
    ring->generation++;
    ring->wake = true; /* it is to be opened again */
}

void ring_free_slots(struct list *garbage)
{
    while (!list_empty(garbage)) {
        struct slot *slot = LIST_OF(garbage->next, struct slot, node);
        list_remove(&slot->node);
        slot_free(slot);
    }
}
