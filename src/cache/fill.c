#include "cache/fill.h"

#include <stdlib.h>

#include "cache/ring_parts.h"

/* What may be told about the range while it is filled: this share of the ring's bytes. */
#define FILL_TOLD_SHARE 8

struct fill {
    struct ring *ring;
    bool up;
    uint64_t generation;          /* the ring's when it began */
    struct range_place low, high; /* low is guarded by the ring's mutex */
    int64_t max_seq;              /* of the snapshot */
    struct range_place top;       /* of the snapshot */
    struct draft draft;           /* what is not sealed yet */
    struct slot **slots;          /* newest first until it ends, then oldest first */
    size_t slot_count, slot_room;
    size_t count;
    bool ended;

    /* Guarded by the ring's mutex. */
    struct list node;
    bool lost; /* what was told could not be kept, or something of it was erased */
    struct range_place told_top;
    struct loose **told; /* in the order in which it was told */
    size_t told_count, told_room, told_bytes;
};

/* --- what is told meanwhile ------------------------------------------------------------------- */

/* Takes over the reference. */
static void fill_keep(struct fill *fill, struct loose *loose)
{
    size_t memory = loose_memory(loose);
    if (fill->told_count == fill->told_room) {
        size_t room = fill->told_room == 0 ? 16 : fill->told_room * 2;
        struct loose **told = realloc(fill->told, room * sizeof *told);
        if (told == NULL) {
            fill->lost = true;
            loose_drop(loose);
            return;
        }
        fill->told = told;
        fill->told_room = room;
    }
    fill->told[fill->told_count++] = loose;
    fill->told_bytes += memory;
    if (fill->told_bytes > fill->ring->options.max_bytes / FILL_TOLD_SHARE)
        fill->lost = true;
}

void fill_tell(struct ring *ring, struct loose *loose)
{
    for (struct list *node = ring->fills.next; node != &ring->fills; node = node->next) {
        struct fill *fill = LIST_OF(node, struct fill, node);
        if (fill->lost || place_before(loose->place, fill->low) ||
            !place_before(loose->place, fill->high))
            continue;
        loose_hold(loose);
        fill_keep(fill, loose);
    }
    loose_drop(loose);
}

void fill_erased(struct ring *ring, struct range_place low, struct range_place high)
{
    for (struct list *node = ring->fills.next; node != &ring->fills; node = node->next) {
        struct fill *fill = LIST_OF(node, struct fill, node);
        if (place_before(low, fill->high) && place_before(fill->low, high))
            fill->lost = true;
    }
}

void fill_tell_top(struct ring *ring, struct range_place place)
{
    for (struct list *node = ring->fills.next; node != &ring->fills; node = node->next) {
        struct fill *fill = LIST_OF(node, struct fill, node);
        fill->told_top = place_later(fill->told_top, place);
    }
}

/* --- beginning and ending --------------------------------------------------------------------- */

static struct fill *fill_begin(struct ring *ring, bool up, int64_t ceiling_ms)
{
    struct fill *fill = calloc(1, sizeof *fill);
    if (fill == NULL)
        return NULL;
    fill->ring = ring;
    fill->up = up;
    fill->told_top = PLACE_LOWEST;
    ring_lock(ring);
    fill->generation = ring->generation;
    fill->low = up ? ring->ceiling : PLACE_LOWEST;
    fill->high = up ? place_of_ms(ceiling_ms) : ring->floor;
    bool any = place_before(fill->low, fill->high);
    if (any) {
        list_append(&ring->fills, &fill->node);
        (void)atomic_fetch_add(&ring->filling, 1);
    }
    ring_unlock(ring);
    if (any)
        return fill;
    free(fill);
    return NULL;
}

struct fill *fill_down(struct ring *ring)
{
    return fill_begin(ring, false, 0);
}

struct fill *fill_up(struct ring *ring, int64_t ceiling_ms)
{
    return fill_begin(ring, true, ceiling_ms);
}

/* Called locked, once. */
static void fill_unlist(struct fill *fill)
{
    list_remove(&fill->node);
    (void)atomic_fetch_sub(&fill->ring->filling, 1);
}

/* Frees one that is not in the list any more. */
static void fill_destroy(struct fill *fill)
{
    for (size_t i = 0; i < fill->slot_count; i++)
        slot_free(fill->slots[i]);
    for (size_t i = 0; i < fill->told_count; i++)
        loose_drop(fill->told[i]);
    draft_clear(&fill->draft);
    free(fill->slots);
    free(fill->told);
    free(fill);
}

void fill_free(struct fill *fill)
{
    if (fill == NULL)
        return;
    ring_lock(fill->ring);
    fill_unlist(fill);
    ring_unlock(fill->ring);
    fill_destroy(fill);
}

struct range_place fill_high(const struct fill *fill)
{
    return fill->high;
}

struct range_place fill_low(const struct fill *fill)
{
    return fill->up ? fill->low : PLACE_LOWEST;
}

/* Called locked. */
static bool fill_is_void(const struct fill *fill)
{
    const struct ring *ring = fill->ring;
    return fill->lost || fill->generation != ring->generation ||
           (fill->up ? !place_equal(fill->low, ring->ceiling)
                     : !place_equal(fill->high, ring->floor));
}

bool fill_void(struct fill *fill)
{
    ring_lock(fill->ring);
    bool is_void = fill_is_void(fill);
    ring_unlock(fill->ring);
    return is_void;
}

/* --- adding ----------------------------------------------------------------------------------- */

void fill_snapshot(struct fill *fill, int64_t max_seq, struct range_place top)
{
    fill->max_seq = max_seq;
    fill->top = top;
}

static int fill_seal(struct fill *fill, struct gzip_pieces *pieces)
{
    if (fill->slot_count == fill->slot_room) {
        size_t room = fill->slot_room == 0 ? 8 : fill->slot_room * 2;
        struct slot **slots = realloc(fill->slots, room * sizeof *slots);
        if (slots == NULL)
            return -1;
        fill->slots = slots;
        fill->slot_room = room;
    }
    struct segment *segment = draft_seal(&fill->draft, pieces);
    if (segment == NULL)
        return -1;
    struct slot *slot = slot_new_sealed(segment);
    if (slot == NULL) {
        segment_drop(segment);
        return -1;
    }
    fill->slots[fill->slot_count++] = slot;
    return 0;
}

int fill_add(struct fill *fill, struct gzip_pieces *pieces, struct range_place place,
             const char *text, size_t len)
{
    if (draft_add(&fill->draft, place, text, len) != 0)
        return -1;
    fill->count++;
    if (fill->draft.count < fill->ring->options.segment_events &&
        fill->draft.plain.len < SEGMENT_BYTES)
        return 0;
    return fill_seal(fill, pieces);
}

int fill_end(struct fill *fill, struct gzip_pieces *pieces, struct range_place low)
{
    if (fill->draft.count > 0 && fill_seal(fill, pieces) != 0)
        return -1;
    for (size_t i = 0; i < fill->slot_count / 2; i++) {
        struct slot *slot = fill->slots[i];
        fill->slots[i] = fill->slots[fill->slot_count - 1 - i];
        fill->slots[fill->slot_count - 1 - i] = slot;
    }
    ring_lock(fill->ring);
    if (!fill->up) /* narrower: what is told below is not wanted */
        fill->low = low;
    ring_unlock(fill->ring);
    fill->ended = true;
    return 0;
}

size_t fill_count(const struct fill *fill)
{
    return fill->count;
}

/* --- publishing ------------------------------------------------------------------------------- */

/* Adds what was told and is not in the snapshot. 0, or -1 when out of memory. Called locked. */
static int fill_add_told(struct fill *fill, int64_t now_ms)
{
    for (size_t i = 0; i < fill->told_count; i++) {
        struct loose *loose = fill->told[i];
        if (loose->place.seq <= fill->max_seq || place_before(loose->place, fill->low))
            continue;
        loose_hold(loose);
        if (ring_insert(fill->ring, loose, now_ms) != 0)
            return -1;
    }
    return 0;
}

/* Called locked. */
static void fill_move_edge(struct fill *fill)
{
    struct ring *ring = fill->ring;
    ring_enter(ring, fill->up ? ring->count : 0, fill->slots, fill->slot_count);
    fill->slot_count = 0;
    if (fill->up)
        ring->ceiling = fill->high;
    else
        ring->floor = fill->low;
    ring->top = place_later(fill->top, fill->told_top);
}

enum fill_status fill_publish(struct fill *fill, int64_t now_ms)
{
    struct ring *ring = fill->ring;
    enum fill_status status = FILL_VOID;
    struct list garbage;
    list_init(&garbage);
    ring_lock(ring);
    /* What the ring has not been told of by now has been stored by someone else: soon it is told to
     * begin anew. */
    bool foreign = fill->max_seq > ring->told_seq;
    if (fill->ended && !foreign && !fill_is_void(fill) &&
        ring_reserve(ring, fill->slot_count) == 0) {
        struct range_place floor = fill->up ? ring->floor : fill->low;
        fill_move_edge(fill);
        if (fill_add_told(fill, now_ms) != 0)
            ring_empty(ring, &garbage);
        ring_trim(ring, &garbage);
        status = place_before(floor, ring->floor) ? FILL_FULL : FILL_DONE;
    }
    fill_unlist(fill);
    ring_unlock(ring);
    ring_free_slots(&garbage);
    fill_destroy(fill);
    return status;
}
