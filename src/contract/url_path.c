#include "contract/url_path.h"

#include <string.h>

#include "contract/utf8.h"

#define URL_PATH_SEGMENT 255

bool url_path_segment(const char *text, size_t len)
{
    struct utf8 utf8 = {0};
    if (len == 0 || len > URL_PATH_SEGMENT || text[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f || c == '/' || c == '\\')
            return false;
    }
    return utf8_add(&utf8, text, len) && utf8_whole(&utf8);
}

static int url_path_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes text[0..len) behind *n bytes of out. 0 or -1. */
static int url_path_unescape(const char *text, size_t len, char out[URL_PATH_SIZE], size_t *n)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = len - i > 2 ? url_path_hex(text[i + 1]) : -1;
            int low = len - i > 2 ? url_path_hex(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (*n + 1 >= URL_PATH_SIZE)
            return -1;
        out[(*n)++] = c;
    }
    return 0;
}

int url_path_decode(const char *text, size_t len, char out[URL_PATH_SIZE])
{
    size_t n = 0, at = 0;
    if (len == 0 || text[0] != '/')
        return -1;
    while (at < len) {
        const char *segment = text + ++at;
        const char *slash = memchr(segment, '/', len - at);
        size_t length = slash != NULL ? (size_t)(slash - segment) : len - at, begin = n;
        at += length;
        /* Nothing behind the last slash. */
        if (length == 0 && slash == NULL)
            break;
        if (url_path_unescape(segment, length, out, &n) != 0 ||
            !url_path_segment(out + begin, n - begin) || n + 2 > URL_PATH_SIZE)
            return -1;
        if (slash != NULL)
            out[n++] = '/';
    }
    out[n] = '\0';
    return 0;
}
