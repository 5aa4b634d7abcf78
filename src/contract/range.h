/*
 * range.h: what a read asks for, from its query parameters or its cursor. Pure.
 *
 * since, until, after: timestamps (timestamp.h; a space where the offset's plus should be is taken
 * for one, since that is what an unescaped + in a URL becomes). limit, page: whole decimal numbers.
 * cursor: text made by range_cursor_write. Unknown parameters are ignored; of a parameter given
 * twice the first counts. With a cursor the window, the total and the page number come from it, and
 * since, until, after and page beside it are not looked at; limit is.
 *
 * A cursor carries a keyed hash over its content. A forged one, or one of another database, is
 * refused with the same words.
 */
#ifndef BEACOND_CONTRACT_RANGE_H
#define BEACOND_CONTRACT_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"

/* A place in the order (ts descending, seq descending). */
struct range_place {
    int64_t ts;
    int64_t seq;
};

struct range {
    int64_t since; /* first millisecond, inclusive; INT64_MIN for open */
    int64_t until; /* last millisecond, inclusive; INT64_MAX for open. since > until: empty */
    int64_t limit; /* 0 … max: most events in this answer */
    int64_t page; /* 1-based number, to be told back; without a cursor (page - 1) * limit events are
                   * skipped */
    bool resumed; /* by a cursor; the rest is set only then */
    int64_t total;            /* of the window when the chain began */
    int64_t max_seq;          /* nothing stored later belongs to the chain */
    struct range_place after; /* the last event sent: go on strictly behind it */
};

/* Reads an URL's query string (what stands behind '?', may be NULL). max_events: the cap and the
 * default of limit, a greater one is cut to it. 0, or -1 with err "since: …", naming the parameter.
 */
int range_parse(struct range *range, const char *query, int64_t max_events,
                const unsigned char key[SIPHASH_KEY_BYTES], struct error *err) MUST_CHECK;

/* The same from single values, NULL where absent (a WebSocket query; texts as after unescaping). */
struct range_texts {
    const char *since, *until, *after, *limit, *page, *cursor;
};
int range_read(struct range *range, const struct range_texts *texts, int64_t max_events,
               const unsigned char key[SIPHASH_KEY_BYTES], struct error *err) MUST_CHECK;

#define RANGE_CURSOR_SIZE 128 /* room for a cursor's text and its NUL */

/* The cursor that goes on behind place. range tells window and page, total and max_seq the chain.
 */
void range_cursor_write(char out[RANGE_CURSOR_SIZE], const struct range *range, int64_t total,
                        int64_t max_seq, struct range_place place,
                        const unsigned char key[SIPHASH_KEY_BYTES]);

/* The value of a parameter of a query string, percent-decoded, '+' as space, into out (cut is an
 * error). 1 when found, 0 when absent, -1 (and out is the empty text) when longer than size - 1 or
 * holding %00 or a bad escape. */
int range_parameter(const char *query, const char *name, char *out, size_t size) MUST_CHECK;

#define RANGE_VALUE_SIZE 256 /* room for a value and its NUL; a cursor is the longest legal one */

/* The same for a reader of parameters: *text is out, or NULL where it is absent. 0, or -1 with err
 * naming it. */
int range_text(const char *query, const char *name, char *out, size_t size, const char **text,
               struct error *err) MUST_CHECK;

/* A whole decimal number from least on; one that is too large for 64 bits is taken as the largest.
 * 0, or -1 with err naming it. */
int range_number(const char *name, const char *text, int64_t least, int64_t *out,
                 struct error *err) MUST_CHECK;

#endif
