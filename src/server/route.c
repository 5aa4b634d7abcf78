#include "server/route.h"

#include <string.h>

static bool route_key_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static bool route_is(const char *text, size_t len, const char *other)
{
    return len == strlen(other) && memcmp(text, other, len) == 0;
}

static enum route_place route_keyed(const char *rest, size_t len, char *key, size_t key_size)
{
    size_t n = 0;
    while (n < len && route_key_char(rest[n]))
        n++;
    if (n == 0 || n >= key_size || !route_is(rest + n, len - n, "/events"))
        return ROUTE_NOWHERE;
    memcpy(key, rest, n);
    key[n] = '\0';
    return ROUTE_KEYED;
}

static enum route_place route_under(const char *rest, size_t len, char *key, size_t key_size)
{
    if (len == 0 || route_is(rest, len, "/"))
        return ROUTE_ROOT;
    if (route_is(rest, len, "/events") || route_is(rest, len, "/ingest"))
        return ROUTE_EVENTS;
    if (route_is(rest, len, "/ping"))
        return ROUTE_PING;
    if (route_is(rest, len, "/ws"))
        return ROUTE_SOCKET;
    if (route_is(rest, len, "/tail"))
        return ROUTE_FEED;
    if (len > 3 && memcmp(rest, "/k/", 3) == 0)
        return route_keyed(rest + 3, len - 3, key, key_size);
    return ROUTE_NOWHERE;
}

enum route_place route_find(const char *path, size_t len, char *const *prefixes,
                            size_t prefix_count, char *key, size_t key_size)
{
    for (size_t i = 0; i < prefix_count; i++) {
        size_t n = strlen(prefixes[i]);
        if (len < n || memcmp(path, prefixes[i], n) != 0)
            continue;
        enum route_place place = route_under(path + n, len - n, key, key_size);
        if (place != ROUTE_NOWHERE)
            return place;
    }
    return route_is(path, len, "/health") ? ROUTE_PING : ROUTE_NOWHERE;
}

enum route_action route_action(enum route_place place, enum route_method method)
{
    bool reads = method == METHOD_GET || method == METHOD_HEAD;
    if (method == METHOD_OPTIONS)
        return ROUTE_OPTIONS;
    if (place == ROUTE_NOWHERE)
        return ROUTE_REFUSED;
    if (place == ROUTE_PING)
        return reads ? ROUTE_TELL : ROUTE_REFUSED;
    if (place == ROUTE_FEED)
        return reads ? ROUTE_FOLLOW : ROUTE_REFUSED;
    if (place == ROUTE_SOCKET)
        return method == METHOD_GET ? ROUTE_UPGRADE : ROUTE_REFUSED;
    if (reads && place != ROUTE_KEYED)
        return ROUTE_READ;
    if (method == METHOD_POST && place != ROUTE_ROOT)
        return ROUTE_INGEST;
    return ROUTE_REFUSED;
}

const char *route_methods(enum route_place place)
{
    switch (place) {
    case ROUTE_EVENTS:
        return "GET, HEAD, POST, OPTIONS";
    case ROUTE_KEYED:
        return "POST, OPTIONS";
    case ROUTE_SOCKET:
        return "GET, OPTIONS";
    default:
        return "GET, HEAD, OPTIONS";
    }
}

/* Whether a key begins at text: behind "/k/", "?key=" or "&key=". Escaped spellings of the name are
 * decoded by nobody in front of us, but a log must not depend on that: any '%' there counts too. */
static bool route_key_begins(const char *target, const char *at)
{
    size_t before = (size_t)(at - target);
    if (before >= 3 && memcmp(at - 3, "/k/", 3) == 0)
        return true;
    if (before < 2 || at[-1] != '=')
        return false;
    const char *name = at - 1;
    while (name > target && name[-1] != '?' && name[-1] != '&')
        name--;
    if (name == target)
        return false;
    size_t len = (size_t)(at - 1 - name);
    return (len == 3 && memcmp(name, "key", 3) == 0) || memchr(name, '%', len) != NULL;
}

void route_redact(const char *target, char *out, size_t size)
{
    static const char mask[] = "...";
    size_t n = 0;
    for (const char *at = target; *at != '\0' && n + sizeof mask < size;) {
        if (!route_key_begins(target, at)) {
            out[n++] = *at++;
            continue;
        }
        memcpy(out + n, mask, sizeof mask - 1);
        n += sizeof mask - 1;
        /* A key in the query may hold anything but '&'. */
        at += strcspn(at, at[-1] == '=' ? "&" : "/?");
        if (*at != '\0')
            out[n++] = *at++;
    }
    out[n] = '\0';
}
