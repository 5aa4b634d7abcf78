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

void error_set(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    if (vsnprintf(err->text, sizeof err->text, format, args) < 0)
        err->text[0] = '\0';
    va_end(args);
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
