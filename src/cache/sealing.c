#include "cache/sealing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cache/ring_parts.h"

int sealer_init(struct sealer *sealer, int level)
{
    *sealer = (struct sealer){.pieces = gzip_pieces_new(level)};
    return sealer->pieces != NULL ? 0 : -1;
}

void sealer_clear(struct sealer *sealer)
{
    gzip_pieces_free(sealer->pieces);
    draft_clear(&sealer->draft);
    bytes_clear(&sealer->plain);
    sealer->pieces = NULL;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* The next slot of the lists, NULL with *wait_ms when it is not time yet. Called locked. */
static struct slot *sealing_next(struct ring *ring, int64_t now_ms, int64_t *wait_ms)
{
    if (!list_empty(&ring->due))
        return LIST_OF(ring->due.next, struct slot, node);
    for (struct list *node = ring->aging.next; node != &ring->aging; node = node->next) {
        struct slot *slot = LIST_OF(node, struct slot, node);
        if (slot == ring_slot(ring, ring->count - 1) && ring_growing(ring, ring->count - 1))
            continue;
        int64_t age_ms = now_ms - slot->loose_since_ms;
        if (age_ms >= ring->options.settle_ms || ring_pressed(ring))
            return slot;
        *wait_ms = ring->options.settle_ms - age_ms;
        return NULL;
    }
    return NULL;
}

/* Takes the slot's contents. 0, or -1 when out of memory. Called locked. */
static int sealing_hold(struct sealing *sealing, struct slot *slot)
{
    sealing->loose = malloc(slot->loose_count * sizeof *sealing->loose);
    if (sealing->loose == NULL)
        return -1;
    memcpy(sealing->loose, slot->loose, slot->loose_count * sizeof *sealing->loose);
    sealing->loose_count = slot->loose_count;
    for (size_t i = 0; i < slot->loose_count; i++)
        loose_hold(slot->loose[i]);
    sealing->segment = slot->sealed;
    if (slot->sealed != NULL)
        segment_hold(slot->sealed);
    sealing->slot = slot;
    sealing->changes = slot->changes;
    return 0;
}

struct sealing *sealing_take(struct ring *ring, int64_t now_ms, int64_t *wait_ms)
{
    struct slot *slot;
    *wait_ms = -1;
    struct sealing *sealing = calloc(1, sizeof *sealing);
    if (sealing == NULL)
        return NULL;
    ring_lock(ring);
    while ((slot = sealing_next(ring, now_ms, wait_ms)) != NULL && slot->loose_count == 0) {
        list_remove(&slot->node); /* what was loose has been erased */
        slot->due = false;
    }
    if (slot == NULL || sealing_hold(sealing, slot) != 0) {
        free(sealing);
        sealing = NULL;
    } else {
        list_remove(&slot->node);
        slot->due = false;
        slot->sealing = sealing;
    }
    ring_unlock(ring);
    return sealing;
}

/* --- working ---------------------------------------------------------------------------------- */

static int sealing_add_slot(struct sealing *sealing, struct slot *slot)
{
    struct slot **slots =
        slot == NULL ? NULL : realloc(sealing->slots, (sealing->slot_count + 1) * sizeof *slots);
    if (slots == NULL) {
        slot_free(slot);
        return -1;
    }
    sealing->slots = slots;
    slots[sealing->slot_count++] = slot;
    return 0;
}

/* Makes a slot of the events, newest first. */
static int sealing_seal(struct sealing *sealing, struct sealer *sealer,
                        const struct blend_event *events, size_t count)
{
    sealer->draft.count = 0;
    sealer->draft.plain.len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = blend_text(sealing->segment, sealer->plain.data, &events[i]);
        if (draft_add(&sealer->draft, blend_place(sealing->segment, &events[i]), text,
                      blend_len(sealing->segment, &events[i])) != 0)
            return -1;
    }
    struct segment *segment = draft_seal(&sealer->draft, sealer->pieces);
    if (segment == NULL)
        return -1;
    struct slot *slot = slot_new_sealed(segment);
    if (slot == NULL)
        segment_drop(segment);
    return sealing_add_slot(sealing, slot);
}

/* How many of the oldest of events[0..count) make the next segment: an equal share of what is left,
 * none much smaller or larger than a segment should be, and fewer where they are long. */
static size_t sealing_share(const struct ring *ring, const struct sealing *sealing,
                            const struct blend_event *events, size_t count)
{
    size_t each = ring->options.segment_events;
    size_t parts = (count + each / 2) / each, take = 0, bytes = 0;
    size_t most = parts < 2 ? count : (count + parts - 1) / parts;
    while (take < most && (take == 0 || bytes < SEGMENT_BYTES))
        bytes += blend_len(sealing->segment, &events[count - ++take]);
    return take;
}

static int sealing_cut(const struct ring *ring, struct sealing *sealing, struct sealer *sealer,
                       const struct blend_event *events, size_t count)
{
    /* A slot without events is a result as well: everything was erased. */
    if (count == 0)
        return sealing_add_slot(sealing, slot_new());
    while (count > 0) {
        size_t take = sealing_share(ring, sealing, events, count);
        count -= take;
        if (sealing_seal(sealing, sealer, events + count, take) != 0)
            return -1;
    }
    return 0;
}

int sealing_work(const struct ring *ring, struct sealing *sealing, struct sealer *sealer)
{
    static const struct blend_window all = {
        {INT64_MIN, INT64_MIN}, {INT64_MAX, INT64_MAX}, INT64_MAX};
    const struct segment *segment = sealing->segment;
    size_t most = sealing->loose_count + (segment == NULL ? 0 : segment->count);
    struct blend_event *events = malloc(most * sizeof *events);
    int status = -1;
    sealer->plain.len = 0;
    if (events == NULL ||
        (segment != NULL && segment_inflate(segment, segment->plain_len, &sealer->plain) != 0))
        goto out;
    size_t count = blend(segment, sealing->loose, sealing->loose_count, &all, events);
    status = sealing_cut(ring, sealing, sealer, events, count);
out:
    if (status != 0) {
        for (size_t i = 0; i < sealing->slot_count; i++)
            slot_free(sealing->slots[i]);
        sealing->slot_count = 0;
    }
    free(events);
    return status;
}

/* --- giving ----------------------------------------------------------------------------------- */

/* The result's slot that a place belongs to. */
static struct slot *sealing_home(const struct sealing *sealing, struct range_place place)
{
    size_t n = sealing->slot_count - 1;
    while (n > 0 && place_before(place, sealing->slots[n]->low))
        n--;
    return sealing->slots[n];
}

/* Puts what has come since above the result. 0, or -1 when out of memory. Called locked. */
static int sealing_carry(struct sealing *sealing, const struct slot *slot)
{
    size_t known = 0;
    for (size_t i = 0; i < slot->loose_count; i++) {
        struct loose *loose = slot->loose[i];
        if (known < sealing->loose_count && sealing->loose[known] == loose) {
            known++;
            continue;
        }
        loose_hold(loose);
        if (slot_add(sealing_home(sealing, loose->place), loose) != 0) {
            loose_drop(loose);
            return -1;
        }
    }
    return 0;
}

/* Exchanges the slot, number n, for the result. Called locked. */
static void sealing_install(struct ring *ring, struct sealing *sealing, size_t n, int64_t now_ms)
{
    size_t entered = sealing->slot_count;
    (void)ring_leave(ring, n);
    if (sealing->slots[0]->live == 0) {
        slot_free(sealing->slots[0]);
        entered = 0;
    }
    ring_enter(ring, n, sealing->slots, entered);
    sealing->slot_count = 0;
    for (size_t i = n; i < n + entered; i++)
        if (ring_slot(ring, i)->loose_count > 0)
            ring_queue(ring, i, now_ms);
}

static void sealing_free(struct sealing *sealing)
{
    for (size_t i = 0; i < sealing->loose_count; i++)
        loose_drop(sealing->loose[i]);
    for (size_t i = 0; i < sealing->slot_count; i++)
        slot_free(sealing->slots[i]);
    segment_drop(sealing->segment);
    free(sealing->slots);
    free(sealing->loose);
    free(sealing);
}

bool sealing_give(struct ring *ring, struct sealing *sealing, int64_t now_ms)
{
    struct slot *old = NULL;
    ring_lock(ring);
    struct slot *slot = sealing->slot;
    if (slot != NULL) {
        size_t n = ring_find(ring, slot->low);
        assert(ring_slot(ring, n) == slot);
        slot->sealing = NULL;
        if (sealing->slot_count > 0 && slot->changes == sealing->changes &&
            ring_reserve(ring, sealing->slot_count) == 0 && sealing_carry(sealing, slot) == 0) {
            sealing_install(ring, sealing, n, now_ms);
            old = slot;
        } else if (slot->loose_count > 0) {
            ring_queue(ring, n, now_ms);
        }
    }
    ring_unlock(ring);
    slot_free(old);
    sealing_free(sealing);
    return old != NULL;
}
