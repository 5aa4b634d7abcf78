/* One whole value, whatever is nested in it, in a loop. */
#include "contract/scan_value.h"

#include <stdlib.h>

void scan_init(struct scan *s, const char *text, size_t len)
{
    s->text = len > 0 ? text : ""; /* nothing may be at NULL, to which nothing can be added */
    s->end = s->text + len;
    s->levels = s->small;
    s->level_words = SCAN_SMALL_WORDS;
    s->deepest = 0;
    s->bad_utf8 = NULL;
    s->fault_at = NULL;
    s->fault = NULL;
}

void scan_clear(struct scan *s)
{
    if (s->levels != s->small)
        free(s->levels);
    s->levels = s->small;
}

const char *scan_fail(struct scan *s, const char *at, const char *fault)
{
    s->fault_at = at;
    s->fault = at < s->end ? fault : SCAN_CUT;
    return NULL;
}

const char *scan_space_rest(const char *at, const char *end)
{
    while (at < end) {
        switch (*at) {
        case ' ':
            /* Indented text comes in runs. */
            while (end - at >= 8 && memcmp(at, "        ", 8) == 0)
                at += 8;
            while (at < end && *at == ' ')
                at++;
            break;
        case '\t':
        case '\n':
        case '\r':
            at++;
            break;
        default:
            return at;
        }
    }
    return at;
}

SCAN_COLD static int scan_grow(struct scan *s)
{
    size_t words = s->level_words * 2;
    uint64_t *levels = malloc(words * sizeof *levels);
    if (levels == NULL)
        return -1;
    memcpy(levels, s->levels, s->level_words * sizeof *levels);
    scan_clear(s);
    s->levels = levels;
    s->level_words = words;
    return 0;
}

SCAN_INLINE bool scan_is_digit(const char *at, const char *end)
{
    return at < end && (unsigned)(unsigned char)*at - '0' < 10;
}

SCAN_INLINE const char *scan_digits(struct scan *s, const char *at)
{
    if (!scan_is_digit(at, s->end))
        return scan_fail(s, at, "expected a digit");
    do
        at++;
    while (scan_is_digit(at, s->end));
    return at;
}

/* The fraction and the exponent, which most numbers do without. */
SCAN_APART static const char *scan_number_rest(struct scan *s, const char *at)
{
    if (*at == '.') {
        at = scan_digits(s, at + 1);
        if (at == NULL || at == s->end)
            return at;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        if (at < s->end && (*at == '+' || *at == '-'))
            at++;
        at = scan_digits(s, at);
    }
    return at;
}

/* at: a digit or a minus. */
SCAN_INLINE const char *scan_number(struct scan *s, const char *at)
{
    if (*at == '-')
        at++;
    if (at < s->end && *at == '0') /* nothing but a fraction or an exponent may follow */
        at++;
    else
        at = scan_digits(s, at);
    if (at == NULL || at == s->end || (*at != '.' && *at != 'e' && *at != 'E'))
        return at;
    return scan_number_rest(s, at);
}

SCAN_INLINE const char *scan_word(struct scan *s, const char *at, const char *word, size_t len)
{
    if ((size_t)(s->end - at) < len || memcmp(at, word, len) != 0)
        return scan_fail(s, at, "expected a value");
    return at + len;
}

/* at: the first byte of a value that is no container. */
SCAN_INLINE const char *scan_scalar(struct scan *s, const char *at)
{
    switch (*at) {
    case '"': {
        struct scan_string string = scan_string(s, at + 1);
        return SCAN_LIKELY(string.end != NULL) ? string.end + 1 : NULL;
    }
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(s, at);
    case 't':
        return scan_word(s, at, "true", 4);
    case 'f':
        return scan_word(s, at, "false", 5);
    case 'n':
        return scan_word(s, at, "null", 4);
    default:
        return scan_fail(s, at, "expected a value");
    }
}

/* White space, a member name, a colon. */
SCAN_INLINE const char *scan_name(struct scan *s, const char *at)
{
    at = scan_space(at, s->end);
    if (!scan_sees(s, at, '"'))
        return scan_fail(s, at, "expected a member name");
    struct scan_string name = scan_string(s, at + 1);
    return SCAN_LIKELY(name.end != NULL) ? scan_colon(s, name.end + 1) : NULL;
}

const char *scan_value(struct scan *s, const char *at)
{
    const char *const end = s->end;
    size_t depth = 0;
    char closer = '\0'; /* of the container that the walk is in */
    for (;;) {
        at = scan_space(at, end);
        if (at == end)
            return scan_fail(s, at, "expected a value");
        if (*at == '{' || *at == '[') {
            if (depth == s->level_words * 64 && scan_grow(s) != 0)
                return NULL;
            uint64_t bit = UINT64_C(1) << (depth % 64);
            if (closer == '}')
                s->levels[depth / 64] |= bit;
            else
                s->levels[depth / 64] &= ~bit;
            if (++depth > s->deepest)
                s->deepest = depth;
            closer = *at == '{' ? '}' : ']';
            at = scan_space(at + 1, end);
            if (!(at < end && *at == closer)) {
                if (closer == '}' && (at = scan_name(s, at)) == NULL)
                    return NULL;
                continue;
            }
        } else {
            at = scan_scalar(s, at);
            if (at == NULL || depth == 0)
                return at;
            at = scan_space(at, end);
        }
        /* Behind a value, within a container: out of all that end here. */
        while (at < end && *at == closer) {
            at++;
            if (--depth == 0)
                return at;
            closer = s->levels[depth / 64] >> (depth % 64) & 1 ? '}' : ']';
            at = scan_space(at, end);
        }
        if (!scan_sees(s, at, ','))
            return scan_fail(s, at, "expected a comma or the end of what is open");
        at++;
        if (closer == '}' && (at = scan_name(s, at)) == NULL)
            return NULL;
    }
}
