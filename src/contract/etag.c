#include "contract/etag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void etag_make(char out[ETAG_SIZE], uint64_t epoch, int64_t erasures, int64_t total,
               const unsigned char key[SIPHASH_KEY_BYTES])
{
    char text[3 * 24];
    int len =
        snprintf(text, sizeof text, "%" PRIx64 " %" PRId64 " %" PRId64, epoch, erasures, total);
    snprintf(out, ETAG_SIZE, "W/\"%016" PRIx64 "\"", siphash(key, text, (size_t)len));
}

static const char *etag_skip(const char *at)
{
    return at + strspn(at, " \t,");
}

/* The comparison is weak: a W/ in front does not matter. */
static const char *etag_opaque(const char *tag)
{
    return strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag;
}

bool etag_matches(const char *header, const char *tag)
{
    if (header == NULL)
        return false;
    const char *at = etag_skip(header), *wanted = etag_opaque(tag);
    size_t len = strlen(wanted);
    if (strcmp(at, "*") == 0)
        return true;
    while (*at != '\0') {
        at = etag_opaque(at);
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (end == NULL)
            return false;
        if ((size_t)(end + 1 - at) == len && memcmp(at, wanted, len) == 0)
            return true;
        at = etag_skip(end + 1);
    }
    return false;
}
