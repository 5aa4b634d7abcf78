#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void error_set(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    if (vsnprintf(err->text, sizeof err->text, format, args) < 0)
        err->text[0] = '\0';
    va_end(args);
}

bool error_of_memory(const struct error *err)
{
    return strstr(err->text, "out of memory") != NULL ||
           strstr(err->text, strerror(ENOMEM)) != NULL;
}
