/*
 * marks.h: what a body is recognised by when it is sent again. Pure.
 *
 * A client that got no answer sends the same events again, byte for byte, as the prefix of its next
 * body. So a body has a mark behind each of its elements: a keyed hash over all elements up to
 * there. Two bodies share their first k elements when their k-th marks are equal. The key is secret
 * (engine_secret): nobody can make up a body that is taken for another's.
 *
 * A mark is the element's own keyed hash, combined by exclusive or with a keyed hash of the mark
 * before. Who has the key can so get the element's hash back out of a body's marks: what is erased
 * must not leave a receipt behind.
 *
 * One kind of body can't be told from its own repetition by its content: a burst, whose elements
 * all carry one timestamp and hold one twice. burst_from and burst_to say for which prefixes that
 * is so.
 */
#ifndef BEACOND_CONTRACT_MARKS_H
#define BEACOND_CONTRACT_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"

struct marks {
    uint64_t *running; /* running[i]: over the first i + 1 elements */
    size_t count;
    size_t burst_from; /* a prefix of k elements is a burst when burst_from <= k <= burst_to; */
    size_t burst_to;   /* burst_from is 0 when none is */

    /* While they are made. */
    size_t capacity;
    bool folded;    /* the last mark is one that others may be folded into */
    bool single;    /* all elements so far carry ts */
    int64_t ts;     /* the first element's */
    uint64_t *seen; /* the elements' own hashes, in a table of seen_size places, 0 for a free one */
    size_t seen_size;
};

void marks_init(struct marks *marks);
void marks_clear(struct marks *marks);  /* frees */
void marks_reset(struct marks *marks);  /* forgets all elements, keeps memory */
void marks_finish(struct marks *marks); /* no more elements: gives back what making them needed */

/* Adds an element. ts: its timestamp, INT64_MIN for none. fold: it shares the mark of the element
 * before if that was to be folded, too, to save memory; a prefix that ends between the two is not
 * recognised, and marks_element does not tell them. 0, or -1 when out of memory. */
int marks_add(struct marks *marks, const unsigned char key[SIPHASH_KEY_BYTES], const char *text,
              size_t len, int64_t ts, bool fold) MUST_CHECK;

/* An element's own hash, from its text, and from the marks: of element n, 0 and up. */
uint64_t marks_hash(const unsigned char key[SIPHASH_KEY_BYTES], const char *text, size_t len);
uint64_t marks_element(const unsigned char key[SIPHASH_KEY_BYTES], const uint64_t *running,
                       size_t n);

/* Whether the first k elements can't be told from an equal burst. */
bool marks_burst(const struct marks *marks, size_t k);

#endif
