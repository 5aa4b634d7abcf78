/*
 * rope_text.h: the bytes of a rope, copied.
 */
#ifndef BEACOND_TESTS_ROPE_TEXT_H
#define BEACOND_TESTS_ROPE_TEXT_H

#include "engine/rope.h"
#include "unit.h"

static inline void rope_read(const struct rope *rope, struct bytes *out)
{
    size_t len = out->len;
    for (size_t i = 0; i < rope->count; i++) {
        const struct rope_piece *piece = &rope->pieces[i];
        if (piece->segment != NULL)
            ck_assert_int_eq(bytes_append(out, piece->segment->deflated, piece->len), 0);
        else
            ck_assert_int_eq(bytes_append(out, piece->text.data, piece->text.len), 0);
    }
    ck_assert_uint_eq(out->len - len, rope_len(rope));
}

#endif
