#include "commands/columns.h"

#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <wchar.h>

/* wcwidth knows what the locale knows, and the locale of whoever runs this may be "C". Made once,
 * and kept for the life of the process. */
static pthread_once_t columns_once = PTHREAD_ONCE_INIT;
static locale_t columns_locale;

static void columns_make_locale(void)
{
    columns_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* The character at text and its bytes; a broken one counts as one byte of its own. */
static size_t columns_character(const char *text, size_t len, uint32_t *c)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t n = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 1;
    if (n > len)
        n = 1;
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *c = at[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | (at[i] & 0x3f);
    return n;
}

static size_t columns_of(uint32_t c)
{
    int width = c < 0x80 ? 1 : wcwidth((wchar_t)c);
    return width < 0 ? 1 : (size_t)width;
}

size_t columns_fit(const char *text, size_t len, size_t most, size_t *taken)
{
    size_t at = 0;
    *taken = 0;
    (void)pthread_once(&columns_once, columns_make_locale);
    locale_t before = columns_locale != (locale_t)0 ? uselocale(columns_locale) : (locale_t)0;
    while (at < len) {
        uint32_t c;
        size_t n = columns_character(text + at, len - at, &c), width = columns_of(c);
        if (*taken + width > most)
            break;
        *taken += width;
        at += n;
    }
    if (before != (locale_t)0)
        (void)uselocale(before);
    return at;
}
