#include "cache/ring.h"

#include <stdlib.h>

#include "cache/ring_parts.h"

/* Events that are told under one lock. */
#define RING_SLICE_EVENTS 256

struct ring *ring_new(const struct ring_options *options)
{
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return NULL;
    ring->work = malloc(RING_SLICE_EVENTS * sizeof *ring->work);
    if (ring->work == NULL) {
        free(ring);
        return NULL;
    }
    ring->options = *options;
    if (ring->options.segment_events == 0)
        ring->options.segment_events = SEGMENT_EVENTS;
    pthread_mutex_init(&ring->mutex, NULL);
    ring->floor = ring->ceiling = place_of_ms(options->ceiling_ms);
    ring->told_seq = ring->last_seq = options->last_seq;
    ring->stored = options->stored;
    ring->erasures = options->erasures;
    ring->top = PLACE_HIGHEST;
    ring->shed = PLACE_LOWEST;
    list_init(&ring->aging);
    list_init(&ring->due);
    list_init(&ring->fills);
    atomic_init(&ring->filling, 0);
    return ring;
}

void ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->count; i++)
        slot_free(ring_slot(ring, i));
    free(ring->entries);
    free(ring->work);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}

void ring_lock(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
}

bool ring_trylock(struct ring *ring)
{
    return pthread_mutex_trylock(&ring->mutex) == 0;
}

void ring_unlock(struct ring *ring)
{
    bool wake = ring->wake;
    ring->wake = false;
    pthread_mutex_unlock(&ring->mutex);
    if (wake && ring->options.wake != NULL)
        ring->options.wake(ring->options.wake_arg);
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Whether an event is wanted, as far as that can be seen unlocked. A fill that is not seen here has
 * begun just now: its snapshot, taken after that, holds the event, which is committed. */
static bool ring_wants(struct ring *ring, struct range_place place)
{
    if (atomic_load(&ring->filling) > 0)
        return true;
    return !place_before(place, ring->floor) && place_before(place, ring->ceiling);
}

static int ring_order(const void *a, const void *b)
{
    const struct loose *one = *(struct loose *const *)a, *other = *(struct loose *const *)b;
    return place_before(one->place, other->place) ? -1 : 1;
}

/* Makes loose events of what is wanted, in ascending order. 0, or -1 when out of memory. */
static int ring_copy(struct ring *ring, const struct batch_event *events, size_t count,
                     size_t *copied)
{
    bool ordered = true;
    *copied = 0;
    for (size_t i = 0; i < count; i++) {
        struct range_place place = {events[i].ts, events[i].seq};
        if (place.seq == 0 || !ring_wants(ring, place))
            continue;
        struct loose *loose = loose_new(place, events[i].text, events[i].text_len);
        if (loose == NULL)
            return -1;
        ordered = ordered && (*copied == 0 || place_before(ring->work[*copied - 1]->place, place));
        ring->work[(*copied)++] = loose;
    }
    if (!ordered)
        qsort(ring->work, *copied, sizeof *ring->work, ring_order);
    return 0;
}

/* The places alone, which count even where the events are not wanted. */
static void ring_tell_places(struct ring *ring, const struct batch_event *events, size_t count)
{
    struct range_place highest = PLACE_LOWEST;
    for (size_t i = 0; i < count; i++) {
        if (events[i].seq == 0)
            continue;
        highest = place_later(highest, (struct range_place){events[i].ts, events[i].seq});
        if (events[i].seq > ring->told_seq)
            ring->told_seq = events[i].seq;
    }
    ring->top = place_later(ring->top, highest);
    fill_tell_top(ring, highest);
}

static void ring_tell_slice(struct ring *ring, const struct batch_event *events, size_t count,
                            int64_t now_ms)
{
    struct list garbage;
    size_t copied, i = 0;
    list_init(&garbage);
    bool failed = ring_copy(ring, events, count, &copied) != 0;
    ring_lock(ring);
    ring_tell_places(ring, events, count);
    for (; i < copied && !failed; i++) {
        struct range_place place = ring->work[i]->place;
        if (!place_before(place, ring->floor) && place_before(place, ring->ceiling))
            failed = ring_insert(ring, ring->work[i], now_ms) != 0;
        else
            fill_tell(ring, ring->work[i]);
    }
    if (failed)
        ring_empty(ring, &garbage);
    ring_trim(ring, &garbage);
    if (ring_pressed(ring))
        ring->wake = true;
    ring_unlock(ring);
    for (; i < copied; i++)
        loose_drop(ring->work[i]);
    ring_free_slots(&garbage);
}

void ring_tell(struct ring *ring, const struct batch_event *events, size_t count, int64_t now_ms)
{
    while (count > 0) {
        size_t slice = count < RING_SLICE_EVENTS ? count : RING_SLICE_EVENTS;
        ring_tell_slice(ring, events, slice, now_ms);
        events += slice;
        count -= slice;
    }
}

void ring_told(struct ring *ring, int64_t last_seq, uint64_t stored)
{
    ring_lock(ring);
    if (last_seq > ring->told_seq)
        ring->told_seq = last_seq;
    ring->last_seq = ring->told_seq;
    ring->stored = stored;
    ring_unlock(ring);
}

/* --- erasing ---------------------------------------------------------------------------------- */

/* Erases in slot n, which goes to garbage when nothing is left of it. 0, or -1 when out of memory.
 */
static int ring_erase_in(struct ring *ring, size_t n, struct range_place low,
                         struct range_place high, struct list *garbage)
{
    struct slot *slot = ring_slot(ring, n);
    struct blend_window window = {low, high, INT64_MAX};
    int status = 0;
    if (!ring_within(ring, n, &window)) {
        ring->bytes -= slot_memory(slot);
        ring->loose_bytes -= slot->loose_bytes;
        ring->events -= slot->live;
        status = slot_erase(slot, low, high);
        ring->events += slot->live;
        ring->loose_bytes += slot->loose_bytes;
        ring->bytes += slot_memory(slot);
        ring_note(ring, n);
        if (slot->live > 0) {
            if (slot->loose_count > 0)
                ring_queue(ring, n, INT64_MIN); /* what is erased should be gone soon */
            return status;
        }
    }
    list_append(garbage, &ring_leave(ring, n)->node);
    return status;
}

/* 0, or -1 when out of memory. */
static int ring_erase_range(struct ring *ring, struct range_place low, struct range_place high,
                            struct list *garbage)
{
    size_t n = ring_find(ring, low);
    if (n == ring->count)
        n = 0;
    while (n < ring->count && place_before(ring_entry(ring, n)->low, high)) {
        size_t count = ring->count;
        if (ring_erase_in(ring, n, low, high, garbage) != 0)
            return -1;
        if (ring->count == count)
            n++;
    }
    return 0;
}

void ring_erase(struct ring *ring, struct range_place low, struct range_place high)
{
    struct list garbage;
    list_init(&garbage);
    ring_lock(ring);
    fill_erased(ring, low, high);
    if (ring_erase_range(ring, low, high, &garbage) != 0)
        ring_empty(ring, &garbage);
    ring_unlock(ring);
    ring_free_slots(&garbage);
}

void ring_erase_places(struct ring *ring, const struct range_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ring_erase(ring, places[i], place_above(places[i]));
}

void ring_clear(struct ring *ring, int64_t ceiling_ms)
{
    struct list garbage;
    list_init(&garbage);
    ring_lock(ring);
    ring->ceiling = place_of_ms(ceiling_ms);
    ring_empty(ring, &garbage);
    ring_unlock(ring);
    ring_free_slots(&garbage);
}

void ring_renumber(struct ring *ring, int64_t last_seq)
{
    ring_lock(ring);
    ring->told_seq = ring->last_seq = last_seq;
    ring_unlock(ring);
}

void ring_open(struct ring *ring, struct range_place floor, struct range_place top)
{
    ring_lock(ring);
    ring->generation++; /* fills end at the old floor */
    ring->floor = floor;
    ring->top = top;
    ring_unlock(ring);
}

void ring_set_erasures(struct ring *ring, int64_t erasures)
{
    ring_lock(ring);
    ring->erasures = erasures;
    ring_unlock(ring);
}

/* --- looking ---------------------------------------------------------------------------------- */

int64_t ring_last_seq(struct ring *ring)
{
    ring_lock(ring);
    int64_t last_seq = ring->last_seq;
    ring_unlock(ring);
    return last_seq;
}

/* Called locked. */
static struct ring_survey ring_measure(const struct ring *ring)
{
    return (struct ring_survey){
        .floor = ring->floor,
        .ceiling = ring->ceiling,
        .last_seq = ring->last_seq,
        .events = ring->events,
        .bytes = ring->bytes,
    };
}

void ring_bounds(struct ring *ring, struct ring_survey *out)
{
    ring_lock(ring);
    *out = ring_measure(ring);
    ring_unlock(ring);
}

void ring_survey(struct ring *ring, struct ring_survey *out)
{
    ring_lock(ring);
    *out = ring_measure(ring);
    for (size_t i = 0; i < ring->count; i++) {
        out->loose_events += ring_slot(ring, i)->loose_count;
        out->segments += ring_slot(ring, i)->sealed != NULL;
    }
    ring_unlock(ring);
}
