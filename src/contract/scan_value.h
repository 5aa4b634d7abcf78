/*
 * scan_value.h: the inside of scan.h: strings, white space, and one whole value of any depth.
 *
 * Only scan.c, scan_value.c, scan_string.c, members.c and their tests include it. Everything here
 * takes a place in the text and returns the place behind what it read, or NULL when that is no JSON
 * (or memory ran out); struct scan then tells what and where. What runs once per token is inline
 * and leaves early for the usual case: strings of plain ASCII, no white space between tokens.
 */
#ifndef BEACOND_CONTRACT_SCAN_VALUE_H
#define BEACOND_CONTRACT_SCAN_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* SCAN_PORTABLE builds the fallback where the fast path would do, for the tests. */
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#define SCAN_SSE2 1
#include <emmintrin.h>
#else
#define SCAN_SSE2 0
#endif

#if defined(__GNUC__)
#define SCAN_COLD __attribute__((noinline, cold))
#define SCAN_APART __attribute__((noinline))
#define SCAN_INLINE static inline __attribute__((always_inline))
#define SCAN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define SCAN_COLD
#define SCAN_APART
#define SCAN_INLINE static inline
#define SCAN_LIKELY(condition) (condition)
#endif

#define SCAN_SMALL_WORDS 16 /* 1,024 levels before the heap is asked */

/*
 * One walk over one text. The bitmap holds, for every container that scan_value is inside of, what
 * encloses it: 1 an object, 0 an array. Between calls of scan_value it is free for the next.
 */
struct scan {
    const char *text;
    const char *end;
    uint64_t *levels;     /* small, or on the heap */
    size_t level_words;   /* its size */
    size_t deepest;       /* most levels scan_value has been inside of; set it to 0 to start anew */
    const char *bad_utf8; /* a byte that is no UTF-8, NULL when none since it was set to NULL */
    const char *fault_at; /* where it is no JSON */
    const char *fault;    /* "expected a value"; NULL when memory ran out */
    uint64_t small[SCAN_SMALL_WORDS];
};

/* end is the closing quote, NULL when the text is no JSON. */
struct scan_string {
    const char *end;
    bool escaped; /* a backslash is in it */
};

void scan_init(struct scan *s, const char *text, size_t len);
void scan_clear(struct scan *s);

#define SCAN_CUT "the text ends too early"

/* Notes what is wrong at this place (SCAN_CUT where the text ends) and returns NULL. */
SCAN_COLD const char *scan_fail(struct scan *s, const char *at, const char *fault);

/* The rest of a string that has something besides plain ASCII in it, from any place within. */
SCAN_APART struct scan_string scan_string_rest(struct scan *s, const char *at);
SCAN_APART const char *scan_space_rest(const char *at, const char *end);

/* at: the first byte of a value, or white space in front of it. */
const char *scan_value(struct scan *s, const char *at);

/* Is the member name (the text between its quotes) this one, after unescaping? wanted is ASCII. */
bool scan_name_is(const char *name, size_t len, bool escaped, const char *wanted,
                  size_t wanted_len);

/* Printable ASCII and DEL, but for the quote and the backslash: what needs no second look. */
SCAN_INLINE bool scan_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

SCAN_INLINE const char *scan_plain_bytes(const char *at, const char *end)
{
    while (at < end && scan_is_plain((unsigned char)*at))
        at++;
    return at;
}

/*
 * Eight bytes at once in a register of 64 bits. The carries of the subtractions can flag a byte too
 * many but never flag a word without cause, so the byte loop has the last word and byte order does
 * not matter.
 */
SCAN_INLINE const char *scan_plain_words(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t quote = word ^ ones * '"';
        uint64_t backslash = word ^ ones * '\\';
        uint64_t odd = (quote - ones) | (backslash - ones) | (word - ones * 0x20) | word;
        if ((odd & ones * 0x80) != 0)
            break;
        at += 8;
    }
    return scan_plain_bytes(at, end);
}

/* The first byte in [at, end) that is not plain, or end. */
SCAN_INLINE const char *scan_plain_run(const char *at, const char *end)
{
#if SCAN_SSE2
    while (SCAN_LIKELY(end - at >= 16)) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
        /* Bytes are signed here: 0x80 and above are below 0x20 as well. */
        __m128i odd = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
        int mask = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), odd));
        if (mask != 0)
            return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
    return scan_plain_bytes(at, end);
#else
    return scan_plain_words(at, end);
#endif
}

/* at: behind the opening quote. */
SCAN_INLINE struct scan_string scan_string(struct scan *s, const char *at)
{
    const char *stop = scan_plain_run(at, s->end);
    if (SCAN_LIKELY(stop < s->end && *stop == '"'))
        return (struct scan_string){stop, false};
    return scan_string_rest(s, stop);
}

SCAN_INLINE const char *scan_space(const char *at, const char *end)
{
    if (SCAN_LIKELY(at < end && (unsigned char)*at > ' '))
        return at;
    return scan_space_rest(at, end);
}

/* Is c what stands at this place? */
SCAN_INLINE bool scan_sees(const struct scan *s, const char *at, char c)
{
    return SCAN_LIKELY(at < s->end && *at == c);
}

/* White space, a colon: what stands behind a member name. Returns the place behind the colon. */
SCAN_INLINE const char *scan_colon(struct scan *s, const char *at)
{
    at = scan_space(at, s->end);
    if (!scan_sees(s, at, ':'))
        return scan_fail(s, at, "expected a colon");
    return at + 1;
}

#endif
