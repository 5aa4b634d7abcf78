#include "server/coding.h"

#include <string.h>
#include <strings.h>

static const char *coding_skip(const char *at)
{
    return at + strspn(at, " \t");
}

/* Whether the parameters behind a coding give it the weight 0: q=0, q=0.000. */
static bool coding_zero(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != ';')
            continue;
        const char *q = coding_skip(at + 1);
        if ((*q != 'q' && *q != 'Q') || q[1] != '=')
            continue;
        q = coding_skip(q + 2);
        return strspn(q, "0.") > 0 &&
               (q + strspn(q, "0.") >= end || strchr(" \t;,", q[strspn(q, "0.")]) != NULL);
    }
    return false;
}

bool coding_accepts_gzip(const char *header)
{
    bool any = false;
    for (const char *at = header; at != NULL && *at != '\0';) {
        at = coding_skip(at);
        size_t name = strcspn(at, " \t;,");
        const char *end = at + strcspn(at, ",");
        bool gzip = (name == 4 && strncasecmp(at, "gzip", 4) == 0) ||
                    (name == 6 && strncasecmp(at, "x-gzip", 6) == 0);
        if (gzip)
            return !coding_zero(at + name, end);
        if (name == 1 && *at == '*')
            any = !coding_zero(at + name, end);
        at = *end == ',' ? end + 1 : end;
    }
    return any;
}
