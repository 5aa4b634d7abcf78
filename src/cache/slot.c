#include "cache/slot.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_FIRST_ROOM 4

struct slot *slot_new(void)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot != NULL)
        list_init(&slot->node);
    return slot;
}

struct slot *slot_new_sealed(struct segment *segment)
{
    struct slot *slot = slot_new();
    if (slot == NULL)
        return NULL;
    slot->sealed = segment;
    slot->live = segment->count;
    slot->low = segment->lowest;
    slot->high = segment->highest;
    slot->highest_seq = segment->highest_seq;
    return slot;
}

void slot_free(struct slot *slot)
{
    if (slot == NULL)
        return;
    segment_drop(slot->sealed);
    for (size_t i = 0; i < slot->loose_count; i++)
        loose_drop(slot->loose[i]);
    free(slot->loose);
    free(slot);
}

size_t slot_memory(const struct slot *slot)
{
    size_t memory = sizeof *slot + SEGMENT_BLOCK_BYTES + slot->loose_bytes;
    if (slot->sealed != NULL)
        memory += slot->sealed->memory;
    if (slot->loose_room > 0)
        memory += slot->loose_room * sizeof *slot->loose + SEGMENT_BLOCK_BYTES;
    return memory;
}

/* Puts an event or a mark where it belongs; low, high and live are the caller's. */
static int slot_put(struct slot *slot, struct loose *loose)
{
    if (slot->loose_count == slot->loose_room) {
        size_t room = slot->loose_room == 0 ? SLOT_FIRST_ROOM : slot->loose_room * 2;
        struct loose **grown = realloc(slot->loose, room * sizeof *grown);
        if (grown == NULL)
            return -1;
        slot->loose = grown;
        slot->loose_room = room;
    }
    size_t at = slot->loose_count;
    /* Mostly it is the newest of all. */
    if (at > 0 && place_before(loose->place, slot->loose[at - 1]->place))
        at = loose_from(slot->loose, at, loose->place);
    memmove(slot->loose + at + 1, slot->loose + at, (slot->loose_count - at) * sizeof *slot->loose);
    slot->loose[at] = loose;
    slot->loose_count++;
    slot->loose_bytes += loose_memory(loose);
    return 0;
}

int slot_add(struct slot *slot, struct loose *loose)
{
    if (slot_put(slot, loose) != 0)
        return -1;
    bool first = slot->live == 0 && slot->sealed == NULL;
    slot->live++;
    slot->low = first ? loose->place : place_earlier(slot->low, loose->place);
    slot->high = first ? loose->place : place_later(slot->high, loose->place);
    if (first || loose->place.seq > slot->highest_seq)
        slot->highest_seq = loose->place.seq;
    return 0;
}

struct slot *slot_split(struct slot *slot)
{
    size_t keep = slot->loose_count / 2;
    struct slot *upper = slot_new();
    if (upper == NULL)
        return NULL;
    upper->loose = malloc(slot->loose_room * sizeof *upper->loose);
    if (upper->loose == NULL) {
        slot_free(upper);
        return NULL;
    }
    upper->loose_room = slot->loose_room;
    upper->loose_count = upper->live = slot->loose_count - keep;
    memcpy(upper->loose, slot->loose + keep, upper->loose_count * sizeof *upper->loose);
    slot->loose_count = slot->live = keep;
    for (size_t i = 0; i < upper->loose_count; i++)
        upper->loose_bytes += loose_memory(upper->loose[i]);
    slot->loose_bytes -= upper->loose_bytes;
    upper->low = upper->loose[0]->place;
    upper->high = slot->high;
    upper->highest_seq = slot->highest_seq;
    slot->high = slot->loose[keep - 1]->place;
    slot->changes++;
    return upper;
}

static void slot_erase_loose(struct slot *slot, struct range_place low, struct range_place high)
{
    size_t from = loose_from(slot->loose, slot->loose_count, low), to = from, kept = from;
    for (; to < slot->loose_count && place_before(slot->loose[to]->place, high); to++) {
        struct loose *loose = slot->loose[to];
        if (loose->gone) {
            slot->loose[kept++] = loose;
            continue;
        }
        slot->loose_bytes -= loose_memory(loose);
        slot->live--;
        loose_drop(loose);
    }
    if (to > from)
        memmove(slot->loose + kept, slot->loose + to,
                (slot->loose_count - to) * sizeof *slot->loose);
    slot->loose_count -= to - kept;
}

/* Marks an event of the segment as gone, unless it is. */
static int slot_erase_sealed(struct slot *slot, size_t n)
{
    struct range_place place = segment_place(slot->sealed, n);
    size_t at = loose_from(slot->loose, slot->loose_count, place);
    if (at < slot->loose_count && place_equal(slot->loose[at]->place, place))
        return 0;
    struct loose *gone = loose_new_gone(place);
    if (gone == NULL)
        return -1;
    if (slot_put(slot, gone) != 0) {
        loose_drop(gone);
        return -1;
    }
    slot->live--;
    return 0;
}

int slot_erase(struct slot *slot, struct range_place low, struct range_place high)
{
    size_t live = slot->live;
    int status = 0;
    slot_erase_loose(slot, low, high);
    if (slot->sealed != NULL) {
        size_t end = segment_from(slot->sealed, low);
        for (size_t n = segment_from(slot->sealed, high); n < end && status == 0; n++)
            status = slot_erase_sealed(slot, n);
    }
    if (slot->live != live)
        slot->changes++;
    return status;
}
