#include "contract/utf8.h"

#include <stdint.h>
#include <string.h>

#define UTF8_HIGH_BITS UINT64_C(0x8080808080808080)

/* The end of the run of ASCII that starts at at. */
static const unsigned char *utf8_ascii_run(const unsigned char *at, const unsigned char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if ((word & UTF8_HIGH_BITS) != 0)
            break;
        at += 8;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

/* A character begins. The range of its second byte is what keeps out overlong forms, surrogates
 * and all beyond U+10FFFF (RFC 3629, 4). */
static bool utf8_lead(struct utf8 *utf8, unsigned char lead)
{
    if (lead < 0xc2 || lead > 0xf4)
        return false;
    utf8->low = 0x80;
    utf8->high = 0xbf;
    if (lead <= 0xdf) {
        utf8->missing = 1;
    } else if (lead <= 0xef) {
        utf8->missing = 2;
        if (lead == 0xe0)
            utf8->low = 0xa0;
        else if (lead == 0xed)
            utf8->high = 0x9f;
    } else {
        utf8->missing = 3;
        if (lead == 0xf0)
            utf8->low = 0x90;
        else if (lead == 0xf4)
            utf8->high = 0x8f;
    }
    return true;
}

bool utf8_add(struct utf8 *utf8, const void *data, size_t len)
{
    if (len == 0) /* data may be NULL */
        return true;
    const unsigned char *at = data, *end = at + len;
    while (at < end) {
        if (utf8->missing > 0) {
            if (*at < utf8->low || *at > utf8->high)
                return false;
            utf8->low = 0x80;
            utf8->high = 0xbf;
            utf8->missing--;
            at++;
        } else if (*at < 0x80) {
            at = utf8_ascii_run(at, end);
        } else if (!utf8_lead(utf8, *at++)) {
            return false;
        }
    }
    return true;
}

bool utf8_whole(const struct utf8 *utf8)
{
    return utf8->missing == 0;
}

int utf8_repair(struct bytes *out, const char *text, size_t len, bool beginning)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t from = 0, whole = 0; /* [from, whole) is right, and not in out yet */
    int status = 0;
    struct utf8 utf8 = {0};
    for (size_t at = 0; at < len && status == 0;) {
        if (utf8_add(&utf8, text + at, 1)) {
            at++;
            whole = utf8_whole(&utf8) ? at : whole;
            continue;
        }
        status = bytes_append(out, text + from, whole - from);
        if (status == 0)
            status = bytes_append(out, replacement, sizeof replacement - 1);
        /* What breaks a character off may begin another. */
        at += utf8_whole(&utf8) ? 1 : 0;
        from = whole = at;
        utf8 = (struct utf8){0};
    }
    if (status == 0)
        status = bytes_append(out, text + from, whole - from);
    if (status == 0 && whole < len && !beginning)
        status = bytes_append(out, replacement, sizeof replacement - 1);
    return status;
}
