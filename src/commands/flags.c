#include "commands/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contract/timestamp.h"

int flags_time(const struct arguments *arguments, const char *name, int64_t *ms, struct error *err)
{
    const char *text = arguments_value(arguments, name);
    if (text == NULL || timestamp_parse(text, strlen(text), ms) == 0)
        return 0;
    error_set(err, "--%s: expected a time such as 2026-03-15 or 2026-03-15T10:00:00Z, got \"%s\"",
              name, text);
    return -1;
}

int flags_read_number(const char *text, int64_t *number)
{
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return errno == 0 && text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' ? 0 : -1;
}

int flags_number(const struct arguments *arguments, const char *name, int64_t *number,
                 struct error *err)
{
    const char *text = arguments_value(arguments, name);
    if (text == NULL)
        return 0;
    if (flags_read_number(text, number) == 0)
        return 1;
    error_set(err, "--%s: expected a whole number, got \"%s\"", name, text);
    return -1;
}

int flags_word(const struct arguments *arguments, const char *name, const char *first,
               const char *second, bool *is_second, struct error *err)
{
    const char *text = arguments_value(arguments, name);
    *is_second = text != NULL && strcmp(text, second) == 0;
    if (text == NULL || *is_second || strcmp(text, first) == 0)
        return 0;
    error_set(err, "--%s: expected %s or %s, got \"%s\"", name, first, second, text);
    return -1;
}
