#include "engine/rope.h"

#include <stdlib.h>

#define ROPE_FIRST_ROOM 4

void rope_init(struct rope *rope)
{
    *rope = (struct rope){0};
}

void rope_clear(struct rope *rope)
{
    for (size_t i = 0; i < rope->count; i++) {
        segment_drop(rope->pieces[i].segment);
        bytes_clear(&rope->pieces[i].text);
    }
    free(rope->pieces);
    if (rope->leases != NULL)
        leases_give(rope->leases, rope->leased);
    rope_init(rope);
}

static struct rope_piece *rope_add(struct rope *rope)
{
    if (rope->pieces == NULL || rope->count == rope->room) {
        size_t room = rope->room == 0 ? ROPE_FIRST_ROOM : rope->room * 2;
        struct rope_piece *pieces = realloc(rope->pieces, room * sizeof *pieces);
        if (pieces == NULL)
            return NULL;
        rope->pieces = pieces;
        rope->room = room;
    }
    struct rope_piece *piece = &rope->pieces[rope->count++];
    *piece = (struct rope_piece){0};
    bytes_init(&piece->text);
    return piece;
}

struct bytes *rope_text(struct rope *rope)
{
    struct rope_piece *last = rope->count > 0 ? &rope->pieces[rope->count - 1] : NULL;
    if (last == NULL || last->segment != NULL)
        last = rope_add(rope);
    return last == NULL ? NULL : &last->text;
}

int rope_segment(struct rope *rope, struct segment *segment, size_t len)
{
    struct rope_piece *piece = rope_add(rope);
    if (piece == NULL)
        return -1;
    segment_hold(segment);
    piece->segment = segment;
    piece->len = len;
    return 0;
}

size_t rope_len(const struct rope *rope)
{
    size_t len = 0;
    for (size_t i = 0; i < rope->count; i++)
        len += rope->pieces[i].segment != NULL ? rope->pieces[i].len : rope->pieces[i].text.len;
    return len;
}

void rope_move(struct rope *rope, struct rope *from)
{
    *rope = *from;
    rope_init(from);
}
