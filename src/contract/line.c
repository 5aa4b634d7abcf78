#include "contract/line.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "contract/utf8.h"

void line_join(char *text, size_t len)
{
    char *end = text + len;
    if (len == 0) /* text may be NULL */
        return;
    /* Two quick looks: hardly any event holds one. */
    for (char *found = text; (found = memchr(found, '\n', (size_t)(end - found))) != NULL;)
        *found++ = ' ';
    for (char *found = text; (found = memchr(found, '\r', (size_t)(end - found))) != NULL;)
        *found++ = ' ';
}

int line_append(struct bytes *out, const char *text, size_t len)
{
    size_t from = out->len;
    if (bytes_append(out, text, len) != 0)
        return -1;
    if (len > 0) /* out may be without memory still */
        line_join(out->data + from, len);
    return 0;
}

/* The character at text: its bytes (1 for one that is no UTF-8) and its number (-1 then). */
static size_t line_character(const char *text, size_t len, int32_t *number)
{
    const unsigned char *at = (const unsigned char *)text;
    struct utf8 utf8 = {0};
    size_t n = 0;
    *number = -1;
    do
        if (n == len || !utf8_add(&utf8, text + n++, 1))
            return 1;
    while (!utf8_whole(&utf8));
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    int32_t value = at[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        value = value << 6 | (at[i] & 0x3f);
    *number = value;
    return n;
}

static bool line_is_control(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Line and paragraph ends, marks of direction, a byte order mark: invisible, and not harmless. */
static bool line_is_hidden(int32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c == 0x61c;
}

int line_append_visible(struct bytes *out, const char *text, size_t len)
{
    int status = 0;
    for (size_t i = 0; i < len && status == 0;) {
        int32_t c;
        size_t n = line_character(text + i, len - i, &c);
        if (c < 0)
            status = bytes_append_text(out, "\xef\xbf\xbd");
        else if (c == '\n' || c == '\r' || c == '\t')
            status = bytes_append(out, " ", 1);
        else if (line_is_control(c) || line_is_hidden(c))
            status = bytes_append_format(out, "\\u%04x", (unsigned)c);
        else
            status = bytes_append(out, text + i, n);
        i += n;
    }
    return status;
}

static int line_plain_one(struct bytes *out, const char *at, size_t n, int32_t c)
{
    static const char named[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
    const char *name = c > 0 && c < 0x20 ? strchr(named, c) : NULL;
    if (c < 0)
        return bytes_append_format(out, "\\x%02x", (unsigned char)*at);
    if (c == '\\')
        return bytes_append(out, "\\\\", 2);
    if (name != NULL)
        return bytes_append_format(out, "\\%c", letters[name - named]);
    if (line_is_control(c))
        return bytes_append_format(out, "\\x%02x", (unsigned)c);
    if (line_is_hidden(c))
        return bytes_append_format(out, "\\u%04x", (unsigned)c);
    return bytes_append(out, at, n);
}

int line_append_plain(struct bytes *out, const char *text, size_t len, size_t most)
{
    int status = 0;
    for (size_t i = 0, shown = 0; i < len && status == 0; shown++) {
        int32_t c;
        if (shown == most)
            return bytes_append(out, "...", 3);
        size_t n = line_character(text + i, len - i, &c);
        status = line_plain_one(out, text + i, n, c);
        i += n;
    }
    return status;
}
