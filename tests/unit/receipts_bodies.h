/*
 * receipts_bodies.h: bodies for the tests of receipts, a letter an element.
 *
 * a to m carry one timestamp, n to y each a later one of their own; z has none (it was rejected).
 */
#ifndef BEACOND_TESTS_RECEIPTS_BODIES_H
#define BEACOND_TESTS_RECEIPTS_BODIES_H

#include <string.h>

#include "contract/marks.h"
#include "unit.h"

static inline int64_t body_time(char element)
{
    return element <= 'm' ? 1000 : element == 'z' ? INT64_MIN : 1000 + element;
}

static inline void body_marks(struct marks *marks, const char *body)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = {7};
    marks_init(marks);
    for (const char *at = body; *at != '\0'; at++)
        if (marks_add(marks, key, at, 1, body_time(*at), false) != 0)
            ck_abort_msg("out of memory");
    marks_finish(marks);
}

#endif
