#include "server/route.h"

#include <string.h>

#include "contract/access.h"

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

struct route_path {
    const char *path;
    enum route_place place;
};

static const struct route_path route_under_prefix[] = {
    {"", ROUTE_ROOT},          {"/", ROUTE_ROOT},       {"/events", ROUTE_EVENTS},
    {"/ingest", ROUTE_EVENTS}, {"/ping", ROUTE_PING},   {"/ws", ROUTE_SOCKET},
    {"/tail", ROUTE_FEED},     {"/stats", ROUTE_STATS}, {"/rejects", ROUTE_REJECTS},
};

static const struct route_path route_fixed[] = {
    {"/", ROUTE_PAGE},         {"/health", ROUTE_PING},     {"/livez", ROUTE_LIVEZ},
    {"/readyz", ROUTE_READYZ}, {"/metrics", ROUTE_METRICS},
};

static enum route_place route_among(const struct route_path *paths, size_t count, const char *text,
                                    size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (route_is(text, len, paths[i].path))
            return paths[i].place;
    return ROUTE_NOWHERE;
}

static enum route_place route_under(const char *rest, size_t len, char *key, size_t key_size)
{
    if (len > 3 && memcmp(rest, "/k/", 3) == 0)
        return route_keyed(rest + 3, len - 3, key, key_size);
    return route_among(route_under_prefix, sizeof route_under_prefix / sizeof route_under_prefix[0],
                       rest, len);
}

/* Whether the path begins with that; *rest is what stands behind. */
static bool route_begins(const char *path, size_t len, const char *with, size_t *behind)
{
    *behind = strlen(with);
    return len >= *behind && memcmp(path, with, *behind) == 0;
}

enum route_place route_find(const struct routes *routes, const char *path, size_t len, char *key,
                            size_t key_size)
{
    size_t n;
    for (size_t i = 0; i < routes->prefix_count; i++) {
        if (!route_begins(path, len, routes->prefixes[i], &n))
            continue;
        enum route_place place = route_under(path + n, len - n, key, key_size);
        if (place != ROUTE_NOWHERE)
            return place;
    }
    if (routes->dashboard != NULL && route_begins(path, len, routes->dashboard, &n) &&
        (n == len || path[n] == '/'))
        return ROUTE_DASHBOARD;
    return route_among(route_fixed, sizeof route_fixed / sizeof route_fixed[0], path, len);
}

bool route_collides(const struct routes *routes)
{
    struct routes others = *routes;
    const char *route = routes->dashboard;
    size_t len = strlen(route), n;
    char key[2];
    others.dashboard = NULL;
    if (route_find(&others, route, len, key, sizeof key) != ROUTE_NOWHERE)
        return true;
    for (size_t i = 0; i < routes->prefix_count; i++) {
        const char *prefix = routes->prefixes[i];
        if (route_begins(prefix, strlen(prefix), route, &n) && prefix[n] == '/')
            return true;
        /* Paths with keys in them, and what stands below a route: nobody means that. */
        if (!route_begins(route, len, prefix, &n))
            continue;
        size_t segment = n + 1 < len && route[n] == '/' ? n + 1 + strcspn(route + n + 1, "/") : len;
        if (route_find(&others, route, segment, key, sizeof key) != ROUTE_NOWHERE ||
            route_is(route + n, segment - n, "/k"))
            return true;
    }
    return false;
}

static const struct route_row {
    enum route_action get, post; /* ROUTE_REFUSED, which is 0, where it is not taken */
    bool no_head;                /* HEAD is not taken, though GET is */
    bool admin;
} route_rows[ROUTE_PLACES] = {
    [ROUTE_ROOT] = {.get = ROUTE_READ},
    [ROUTE_EVENTS] = {.get = ROUTE_READ, .post = ROUTE_INGEST},
    [ROUTE_KEYED] = {.post = ROUTE_INGEST},
    [ROUTE_PING] = {.get = ROUTE_TELL, .admin = true},
    [ROUTE_SOCKET] = {.get = ROUTE_UPGRADE, .no_head = true},
    [ROUTE_FEED] = {.get = ROUTE_FOLLOW},
    [ROUTE_STATS] = {.get = ROUTE_COUNT},
    [ROUTE_REJECTS] = {.get = ROUTE_LIST},
    [ROUTE_LIVEZ] = {.get = ROUTE_SAY_ALIVE, .admin = true},
    [ROUTE_READYZ] = {.get = ROUTE_SAY_READY, .admin = true},
    [ROUTE_METRICS] = {.get = ROUTE_MEASURE, .admin = true},
    [ROUTE_PAGE] = {.get = ROUTE_SHOW},
    [ROUTE_DASHBOARD] = {.get = ROUTE_SERVE_FILE},
};

bool route_admin(enum route_place place)
{
    return route_rows[place].admin;
}

enum route_action route_action(enum route_place place, enum route_method method)
{
    const struct route_row *row = &route_rows[place];
    switch (method) {
    case METHOD_OPTIONS:
        return ROUTE_OPTIONS;
    case METHOD_GET:
        return row->get;
    case METHOD_HEAD:
        return row->no_head ? ROUTE_REFUSED : row->get;
    case METHOD_POST:
        return row->post;
    default:
        return ROUTE_REFUSED;
    }
}

const char *route_methods(enum route_place place)
{
    const struct route_row *row = &route_rows[place];
    if (row->post != ROUTE_REFUSED)
        return row->get != ROUTE_REFUSED ? "GET, HEAD, POST, OPTIONS" : "POST, OPTIONS";
    return row->no_head ? "GET, OPTIONS" : "GET, HEAD, OPTIONS";
}

const char *route_name(enum route_action action)
{
    static const char *const names[ROUTE_ACTIONS] = {
        [ROUTE_REFUSED] = "none",
        [ROUTE_INGEST] = "ingest",
        [ROUTE_READ] = "read",
        [ROUTE_TELL] = "ping",
        [ROUTE_UPGRADE] = "websocket",
        [ROUTE_FOLLOW] = "tail",
        [ROUTE_COUNT] = "stats",
        [ROUTE_LIST] = "rejects",
        [ROUTE_SAY_ALIVE] = "livez",
        [ROUTE_SAY_READY] = "readyz",
        [ROUTE_MEASURE] = "metrics",
        [ROUTE_SHOW] = "page",
        [ROUTE_SERVE_FILE] = "dashboard",
        [ROUTE_OPTIONS] = "options",
    };
    return names[action] != NULL ? names[action] : "none";
}

unsigned route_need(enum route_action action)
{
    switch (action) {
    case ROUTE_INGEST:
        return ACCESS_INGEST;
    case ROUTE_READ:
    case ROUTE_FOLLOW:
    case ROUTE_COUNT:
    case ROUTE_LIST:
    case ROUTE_MEASURE:
        return ACCESS_QUERY;
    default:
        return ACCESS_NONE;
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
