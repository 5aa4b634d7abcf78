#include "contract/basic.h"

#include <string.h>
#include <strings.h>

static int basic_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes text[0..len) into out[0..BASIC_SIZE). The length, or -1. */
static int basic_decode(const char *text, size_t len, char *out)
{
    unsigned bits = 0;
    size_t n = 0, digits = len;
    while (digits > 0 && len - digits < 2 && text[digits - 1] == '=')
        digits--;
    if (len % 4 != 0 || len / 4 * 3 > BASIC_SIZE)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        int digit = basic_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (unsigned)digit;
        if (i % 4 > 0)
            out[n++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
    }
    return (int)n;
}

int basic_read(const char *header, struct basic *out)
{
    if (header == NULL || strncasecmp(header, "Basic ", 6) != 0)
        return -1;
    const char *token = header + 6 + strspn(header + 6, " ");
    int len = basic_decode(token, strlen(token), out->text);
    const char *colon = len > 0 ? memchr(out->text, ':', (size_t)len) : NULL;
    if (colon == NULL)
        return -1;
    out->password = colon + 1;
    out->password_len = (size_t)len - (size_t)(colon + 1 - out->text);
    return 0;
}
