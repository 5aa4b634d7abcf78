#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How many bytes at text are a character that would act on a terminal: a control character, of C1
 * too, or one that turns the direction of a text (U+202A to 202E, U+2066 to 2069). */
static size_t error_acts(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < ' ' || at[0] == 0x7f)
        return 1;
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
        return 2;
    bool turns = at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                                   (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    return turns ? 3 : 0;
}

/* Takes the rest of a character off whose end did not fit: a text that is no UTF-8 is refused by
 * who stores it. */
static void error_end(char *text, size_t len)
{
    size_t from = len;
    while (from > 0 && len - from < 3 && ((unsigned char)text[from - 1] & 0xc0) == 0x80)
        from--;
    unsigned char first = from > 0 ? (unsigned char)text[from - 1] : 0;
    size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (len - from + 1 < whole)
        text[from - 1] = '\0';
}

void error_set(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (len < 0)
        err->text[0] = '\0';
    else if ((size_t)len >= sizeof err->text)
        error_end(err->text, sizeof err->text - 1);
    /* Names of files, values of options, the words of a database: the sentence ends up on a
     * terminal, where none of them may move the cursor or begin another line. */
    for (char *at = err->text; *at != '\0';) {
        size_t n = error_acts(at);
        memset(at, '?', n);
        at += n > 0 ? n : 1;
    }
}

bool error_of_memory(const struct error *err)
{
    return strstr(err->text, "out of memory") != NULL ||
           strstr(err->text, strerror(ENOMEM)) != NULL;
}
