/* The less usual strings: escapes, UTF-8, member names to compare, values to unescape. */
#include "contract/scan.h"
#include "contract/scan_value.h"

/* The value of a hexadecimal digit, or -1. */
static int scan_hex(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The UTF-16 unit of the four digits at at, or -1. */
static int scan_unit(const char *at)
{
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = scan_hex((unsigned char)at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* at: a backslash. Any four digits are legal behind \u, halves of a surrogate pair too: browsers
 * send them. */
static const char *scan_escape(struct scan *s, const char *at)
{
    if (s->end - at < 2)
        return scan_fail(s, s->end, SCAN_CUT);
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        if (s->end - at < 6)
            return scan_fail(s, s->end, SCAN_CUT);
        if (scan_unit(at + 2) >= 0)
            return at + 6;
        break;
    default:
        break;
    }
    return scan_fail(s, at, "no such escape in a string");
}

/* The length of the character at at, a byte above 0x7f, or 0 when it is none. The second byte's
 * range is what keeps out overlong forms, surrogates and all beyond U+10FFFF (RFC 3629, 4). */
static size_t scan_utf8(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    unsigned char low = 0x80, high = 0xbf;
    size_t len;
    if (lead >= 0xc2 && lead <= 0xdf) {
        len = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        len = 3;
        low = lead == 0xe0 ? 0xa0 : 0x80;
        high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        len = 4;
        low = lead == 0xf0 ? 0x90 : 0x80;
        high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if ((size_t)(end - at) < len)
        return 0;
    unsigned char second = (unsigned char)at[1];
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* A run of bytes above 0x7f. One that is no UTF-8 is noted and stepped over alone: it is never a
 * quote, so the string ends where it would have ended. */
static const char *scan_high_bytes(struct scan *s, const char *at)
{
    while (at < s->end && (unsigned char)*at >= 0x80) {
        size_t len = scan_utf8(at, s->end);
        if (len == 0) {
            s->bad_utf8 = at;
            len = 1;
        }
        at += len;
    }
    return at;
}

struct scan_string scan_string_rest(struct scan *s, const char *at)
{
    struct scan_string string = {NULL, false};
    while (at != NULL) {
        at = scan_plain_run(at, s->end);
        if (at == s->end) {
            scan_fail(s, at, SCAN_CUT);
            break;
        }
        unsigned char c = (unsigned char)*at;
        if (c == '"') {
            string.end = at;
            break;
        }
        if (c == '\\') {
            string.escaped = true;
            at = scan_escape(s, at);
        } else if (c >= 0x80) {
            at = scan_high_bytes(s, at);
        } else {
            scan_fail(s, at, "a control character in a string");
            break;
        }
    }
    return string;
}

/* Writes a code point (or half of a surrogate pair) as UTF-8; returns the place behind it. */
static char *scan_put(char *out, unsigned long point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *out++ = (char)(0xe0 | point >> 12);
        } else {
            *out++ = (char)(0xf0 | point >> 18);
            *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (point & 0x3f));
    return out;
}

/* at: the digits behind \u. *next: the place behind the character, the second half of a pair too.
 */
static unsigned long scan_point(const char *at, const char *end, const char **next)
{
    unsigned long unit = (unsigned long)scan_unit(at);
    *next = at + 4;
    if (unit < 0xd800 || unit > 0xdbff || end - *next < 6 || at[4] != '\\' || at[5] != 'u')
        return unit;
    unsigned long second = (unsigned long)scan_unit(at + 6);
    if (second < 0xdc00 || second > 0xdfff)
        return unit;
    *next = at + 10;
    return 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
}

size_t scan_unescape(const char *text, size_t len, char *out)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *end = text + len;
    char *to = out;
    while (text < end) {
        const char *stop = memchr(text, '\\', (size_t)(end - text));
        size_t run = (size_t)((stop != NULL ? stop : end) - text);
        memcpy(to, text, run);
        to += run;
        if (stop == NULL)
            break;
        if (stop[1] == 'u') {
            to = scan_put(to, scan_point(stop + 2, end, &text));
        } else {
            const char *letter = strchr(letters, stop[1]);
            *to++ = letter != NULL ? meanings[letter - letters] : stop[1];
            text = stop + 2;
        }
    }
    return (size_t)(to - out);
}

bool scan_name_is(const char *name, size_t len, bool escaped, const char *wanted, size_t wanted_len)
{
    char plain[SCAN_WANTED_MOST * 6];
    if (escaped) {
        /* Six bytes for one is the longest an ASCII character can be written. */
        if (len > wanted_len * 6 || len > sizeof plain)
            return false;
        len = scan_unescape(name, len, plain);
        name = plain;
    }
    return len == wanted_len && memcmp(name, wanted, len) == 0;
}
