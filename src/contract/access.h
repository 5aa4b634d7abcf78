/*
 * access.h: who may do what (CONTRACT.md 7). Pure: facts in, a verdict out.
 *
 * Keys are compared in constant time, all of them, whatever matches first. Origins are compared as
 * text, scheme, host and port. Immutable once it is in use: any thread may ask. A reload makes
 * another.
 */
#ifndef BEACOND_CONTRACT_ACCESS_H
#define BEACOND_CONTRACT_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum access_scope { ACCESS_NONE = 0, ACCESS_INGEST = 1, ACCESS_QUERY = 2 }; /* bits */

struct access; /* keys and origins */

struct access *access_new(void) MUST_CHECK; /* NULL when out of memory */
void access_free(struct access *access);

/* Adds "KEY", "KEY:ingest", "KEY:query" or "KEY:ingest,query" (either order). A key is 1 to 256
 * visible ASCII characters without ':'. The same key twice is an error. 0, or -1 with err, which
 * never quotes the key. */
int access_add_key(struct access *access, const char *text, struct error *err) MUST_CHECK;

/* Adds an origin as browsers write it, scheme://host or scheme://host:port, or "null"; or a pattern
 * for all hosts below one: *.example.org for any scheme and port, with a scheme in front (and a
 * port behind) for those alone. Once one is listed only listed ones may (with keys), or also listed
 * ones may (without). 0 or -1 with err. */
int access_add_origin(struct access *access, const char *text, struct error *err) MUST_CHECK;

/* The same for an origin whose pages may ingest without a key: beacons can't carry the header. It
 * is allowed like one of access_add_origin, but does not narrow what else is. */
int access_add_beacon_origin(struct access *access, const char *text, struct error *err) MUST_CHECK;

/* Serve other machines although there is no key: Host is not looked at. */
void access_allow_keyless(struct access *access);

bool access_has_keys(const struct access *access);

/* The scopes of a key; ACCESS_NONE when there is no such key. */
unsigned access_key_scopes(const struct access *access, const char *key, size_t len);

/* The same, and *place: which of the keys it is, while it is one. */
unsigned access_key_find(const struct access *access, const char *key, size_t len, size_t *place);

/* The scopes that the key at that place of before has now, and *now_place. ACCESS_NONE when it is
 * no key any more. */
unsigned access_key_again(const struct access *before, size_t place, const struct access *now,
                          size_t *now_place);

/* Whether pages of that origin may. NULL (no Origin header) may always. Without keys: loopback
 * origins (http or https, localhost, 127.0.0.0/8, [::1], any port) and listed ones. */
bool access_origin_allowed(const struct access *access, const char *origin);

/* Whether a request for that Host (as in the header, port included; NULL: none was sent) may be
 * served at all. Without keys: localhost, *.localhost, 127.0.0.0/8, [::1]; a missing Host is
 * refused. With keys, or after access_allow_keyless: any. */
bool access_host_allowed(const struct access *access, const char *host);

/* What a request brings. Each text is NULL where absent. */
struct access_request {
    unsigned need;          /* the scope the route asks for; ACCESS_NONE for a free one */
    const char *header_key; /* X-Tracker-Key */
    const char *path_key;   /* the KEY of …/k/KEY/events; it alone counts on that route */
    const char *query_key;  /* ?key=, looked at when there is no header_key */
    const char *origin;
    const char *host;
};

enum access_verdict {
    ACCESS_OK,
    ACCESS_BAD_HOST,   /* 403: keyless, and not this machine's name */
    ACCESS_BAD_ORIGIN, /* 403 without CORS headers; never for a free route */
    ACCESS_NO_KEY,     /* 401: none was brought */
    ACCESS_WRONG_KEY,  /* 401 */
    ACCESS_NO_SCOPE,   /* 403: a key in path or query has the ingest scope at most */
};

enum access_verdict access_check(const struct access *access, const struct access_request *request);

const char *access_verdict_text(enum access_verdict verdict); /* a sentence for the client */

#endif
