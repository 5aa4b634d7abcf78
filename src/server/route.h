/*
 * route.h: from a path to what stands there, from a method to what is done. Pure.
 */
#ifndef BEACOND_SERVER_ROUTE_H
#define BEACOND_SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

enum route_place {
    ROUTE_NOWHERE,
    ROUTE_ROOT,      /* <prefix>, <prefix>/ */
    ROUTE_EVENTS,    /* <prefix>/events, <prefix>/ingest */
    ROUTE_KEYED,     /* <prefix>/k/KEY/events */
    ROUTE_PING,      /* <prefix>/ping, /health */
    ROUTE_SOCKET,    /* <prefix>/ws */
    ROUTE_FEED,      /* <prefix>/tail */
    ROUTE_STATS,     /* <prefix>/stats */
    ROUTE_REJECTS,   /* <prefix>/rejects */
    ROUTE_LIVEZ,     /* /livez */
    ROUTE_READYZ,    /* /readyz */
    ROUTE_METRICS,   /* /metrics */
    ROUTE_PAGE,      /* / */
    ROUTE_DASHBOARD, /* <dashboard-route> and all below */
    ROUTE_PLACES,
};

enum route_action {
    ROUTE_REFUSED, /* the place does not take the method: 405 */
    ROUTE_INGEST,
    ROUTE_READ,
    ROUTE_TELL, /* ping */
    ROUTE_UPGRADE,
    ROUTE_FOLLOW,     /* Server-Sent Events */
    ROUTE_COUNT,      /* stats */
    ROUTE_LIST,       /* rejects */
    ROUTE_SAY_ALIVE,  /* livez */
    ROUTE_SAY_READY,  /* readyz */
    ROUTE_MEASURE,    /* metrics */
    ROUTE_SHOW,       /* the page */
    ROUTE_SERVE_FILE, /* the dashboard's */
    ROUTE_OPTIONS,
    ROUTE_ACTIONS,
};

enum route_method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OPTIONS };

struct routes {
    char *const *prefixes; /* "/_tracker" */
    size_t prefix_count;
    const char *dashboard; /* "/_dashboard"; NULL: there is none */
};

/* The place of a path (without query string). The KEY of a keyed place is put into key[0..key_size)
 * with a NUL; one that does not fit or is made of other characters than letters, digits, '_' and
 * '-' makes it nowhere. */
enum route_place route_find(const struct routes *routes, const char *path, size_t len, char *key,
                            size_t key_size);

/* Whether the dashboard's route is one of the others, lies where one of those could, or has one
 * below it. */
bool route_collides(const struct routes *routes);

/* Whether the place is one of admin-listen's. */
bool route_admin(enum route_place place);

enum route_action route_action(enum route_place place, enum route_method method);

/* The action as metrics name it: "ingest", "read", …; "none" for what is refused. */
const char *route_name(enum route_action action);

/* "GET, HEAD, OPTIONS": for Allow and Access-Control-Allow-Methods. */
const char *route_methods(enum route_place place);

/* The scope that a request must have for it, of contract/access.h; ACCESS_NONE for a free one. */
unsigned route_need(enum route_action action);

/* Appends a request target to out with every key in it replaced by "…": for logs. out always ends
 * in a NUL; what does not fit is cut. */
void route_redact(const char *target, char *out, size_t size);

#endif
