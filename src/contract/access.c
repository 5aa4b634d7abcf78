#include "contract/access.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ACCESS_KEY_MAX 256 /* characters of a key */

/* Padded with zeros to one length, so that comparing takes the same time for every key. */
struct access_key {
    unsigned char text[ACCESS_KEY_MAX];
    size_t len;
    unsigned scopes; /* enum access_scope bits, never 0 */
};

/* Origins as browsers write them, lower case and without the scheme's default port; or patterns
 * with
 * "*" in place of the first labels of the host, with or without a scheme in front. */
struct access_origins {
    char **items;
    size_t count;
};

struct access {
    struct access_key *keys;
    size_t key_count;
    struct access_origins origins; /* that are allowed */
    struct access_origins beacons; /* that may ingest without a key; allowed, too */
    bool keyless;                  /* serve any Host although there is no key */
};

struct access *access_new(void)
{
    return calloc(1, sizeof(struct access));
}

static void access_free_origins(struct access_origins *origins)
{
    for (size_t i = 0; i < origins->count; i++)
        free(origins->items[i]);
    free(origins->items);
}

void access_free(struct access *access)
{
    if (access == NULL)
        return;
    access_free_origins(&access->origins);
    access_free_origins(&access->beacons);
    free(access->keys);
    free(access);
}

/* Locale has no say in what an ASCII letter is, so ctype.h is not used here. */
static bool access_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool access_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static unsigned access_read_scopes(const char *text)
{
    if (strcmp(text, "ingest") == 0)
        return ACCESS_INGEST;
    if (strcmp(text, "query") == 0)
        return ACCESS_QUERY;
    if (strcmp(text, "ingest,query") == 0 || strcmp(text, "query,ingest") == 0)
        return ACCESS_INGEST | ACCESS_QUERY;
    return ACCESS_NONE;
}

int access_add_key(struct access *access, const char *text, struct error *err)
{
    size_t len = strcspn(text, ":");
    unsigned scopes = ACCESS_INGEST | ACCESS_QUERY;

    if (len == 0 || len > ACCESS_KEY_MAX) {
        error_set(err, "a key has 1 to %d characters", ACCESS_KEY_MAX);
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '!' || text[i] > '~') {
            error_set(err, "a key is made of visible ASCII characters without ':'");
            return -1;
        }
    }
    if (text[len] == ':') {
        scopes = access_read_scopes(text + len + 1);
        if (scopes == ACCESS_NONE) {
            /* Not quoted: with a key that holds a colon this would be half of the secret. */
            error_set(err, "behind a key's ':' stands ingest, query or ingest,query");
            return -1;
        }
    }
    for (size_t i = 0; i < access->key_count; i++) {
        const struct access_key *other = &access->keys[i];
        if (other->len == len && memcmp(other->text, text, len) == 0) {
            error_set(err, "the same key is given twice");
            return -1;
        }
    }

    struct access_key *keys = realloc(access->keys, (access->key_count + 1) * sizeof(*keys));
    if (keys == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    access->keys = keys;
    struct access_key *key = &keys[access->key_count++];
    memset(key, 0, sizeof(*key));
    memcpy(key->text, text, len);
    key->len = len;
    key->scopes = scopes;
    return 0;
}

/* Reads ":PORT" or nothing up to the end. Sets *port (0: none). */
static bool access_read_port(const char *text, unsigned *port)
{
    *port = 0;
    if (*text == '\0')
        return true;
    if (*text++ != ':')
        return false;
    size_t digits = 0;
    for (; digits < 6 && access_is_digit(text[digits]); digits++)
        *port = *port * 10 + (unsigned)(text[digits] - '0');
    return digits > 0 && text[digits] == '\0' && *port >= 1 && *port <= 65535;
}

/* The length of the host name, IPv4 address or bracketed IPv6 address at the start of text; 0 when
 * none is there. */
static size_t access_host_length(const char *text)
{
    size_t len = 0;
    if (*text == '[') {
        len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return len > 1 && text[len] == ']' ? len + 1 : 0;
    }
    while (access_is_letter(text[len]) || access_is_digit(text[len]) || text[len] == '-' ||
           text[len] == '.' || text[len] == '_')
        len++;
    return len;
}

/* The length of "scheme://" at the start of text, 0 when none is there. */
static size_t access_scheme_length(const char *text)
{
    size_t len = 0;
    if (!access_is_letter(*text))
        return 0;
    while (access_is_letter(text[len]) || access_is_digit(text[len]) || text[len] == '+' ||
           text[len] == '-' || text[len] == '.')
        len++;
    return strncmp(text + len, "://", 3) == 0 ? len + 3 : 0;
}

/* Browsers send scheme and host in lower case and leave the scheme's own port out. Somebody who
 * lists https://Example.org:443 means the same page, so the text is brought to that form. */
static char *access_origin_canonical(const char *text, size_t host_end, unsigned port)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return NULL;
    for (char *c = copy; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if ((port == 80 && strncmp(copy, "http:", 5) == 0) ||
        (port == 443 && strncmp(copy, "https:", 6) == 0))
        copy[host_end] = '\0';
    return copy;
}

/* Where the host of an origin or pattern stands, and where it ends. False when it is neither. */
static bool access_split_origin(const char *text, size_t *host, size_t *host_end, unsigned *port)
{
    *host = access_scheme_length(text);
    size_t wild = strncmp(text + *host, "*.", 2) == 0 ? 2 : 0;
    size_t len = access_host_length(text + *host + wild);
    *host_end = *host + wild + len;
    if (len == 0 || !access_read_port(text + *host_end, port))
        return false;
    /* Without a scheme only a pattern makes sense, and it stands for any port too. */
    return *host > 0 || (wild > 0 && text[*host_end] == '\0');
}

static int access_list_origin(struct access_origins *origins, const char *text, struct error *err)
{
    size_t host, host_end = strlen(text);
    unsigned port = 0;
    if (strcmp(text, "null") != 0 && !access_split_origin(text, &host, &host_end, &port)) {
        error_set(err,
                  "expected an origin such as https://example.org or http://localhost:5173, or "
                  "*.example.org for all below it, got \"%s\"",
                  text);
        return -1;
    }
    char **items = realloc(origins->items, (origins->count + 1) * sizeof(*items));
    if (items != NULL)
        origins->items = items;
    char *item = items != NULL ? access_origin_canonical(text, host_end, port) : NULL;
    if (item == NULL) {
        error_set(err, "out of memory");
        return -1;
    }
    items[origins->count++] = item;
    return 0;
}

int access_add_origin(struct access *access, const char *text, struct error *err)
{
    return access_list_origin(&access->origins, text, err);
}

int access_add_beacon_origin(struct access *access, const char *text, struct error *err)
{
    return access_list_origin(&access->beacons, text, err);
}

void access_allow_keyless(struct access *access)
{
    access->keyless = true;
}

bool access_has_keys(const struct access *access)
{
    return access->key_count > 0;
}

unsigned access_key_find(const struct access *access, const char *key, size_t len, size_t *place)
{
    unsigned char asked[ACCESS_KEY_MAX] = {0};
    unsigned scopes = ACCESS_NONE;
    *place = 0;

    if (len == 0 || len > sizeof(asked))
        return ACCESS_NONE;
    memcpy(asked, key, len);

    /* No way out of the loops before the end: how long this takes must not tell how many characters
     * were right or which key it was. The length is compared too: a key's padding is no key. */
    for (size_t i = 0; i < access->key_count; i++) {
        const struct access_key *known = &access->keys[i];
        size_t difference = known->len ^ len;
        for (size_t at = 0; at < sizeof(asked); at++)
            difference |= (size_t)(known->text[at] ^ asked[at]);
        scopes |= known->scopes & (0U - (unsigned)(difference == 0));
        *place |= i & ((size_t)0 - (size_t)(difference == 0));
    }
    return scopes;
}

unsigned access_key_scopes(const struct access *access, const char *key, size_t len)
{
    size_t place;
    return access_key_find(access, key, len, &place);
}

unsigned access_key_again(const struct access *before, size_t place, const struct access *now,
                          size_t *now_place)
{
    const struct access_key *key = &before->keys[place];
    return access_key_find(now, (const char *)key->text, key->len, now_place);
}

/* 127.0.0.0/8 in full dotted form. Shorter forms and leading zeros are refused: nobody sends them,
 * and what they mean differs from one resolver to the next. */
static bool access_is_loopback_ipv4(const char *text, size_t len)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t digits = 0;
        if (part > 0 && (at >= len || text[at++] != '.'))
            return false;
        for (; at < len && access_is_digit(text[at]); at++, digits++) {
            if (digits == 3 || (digits == 1 && value == 0))
                return false;
            value = value * 10 + (unsigned)(text[at] - '0');
        }
        if (digits == 0 || value > 255 || (part == 0 && value != 127))
            return false;
    }
    return at == len;
}

static bool access_is_text(const char *text, size_t len, const char *expected)
{
    return len == strlen(expected) && strncasecmp(text, expected, len) == 0;
}

/* Whether text is HOST or HOST:PORT with a HOST that can only be this machine. */
static bool access_is_loopback(const char *text, bool subdomains)
{
    static const char suffix[] = ".localhost";
    const size_t suffix_len = sizeof(suffix) - 1;
    size_t len = access_host_length(text);
    unsigned port;

    if (len == 0 || !access_read_port(text + len, &port))
        return false;
    if (access_is_text(text, len, "localhost") || access_is_text(text, len, "[::1]") ||
        access_is_loopback_ipv4(text, len))
        return true;
    return subdomains && len > suffix_len &&
           access_is_text(text + len - suffix_len, suffix_len, suffix);
}

/* Whether an origin fits a pattern: its scheme (when the pattern has one, then the port too) and
 * the end of its host, behind at least one label more. */
static bool access_fits(const char *pattern, const char *origin)
{
    size_t pattern_host = access_scheme_length(pattern), host, host_end;
    unsigned port;
    if (strncmp(pattern + pattern_host, "*.", 2) != 0)
        return false;
    if (access_scheme_length(origin) == 0 || !access_split_origin(origin, &host, &host_end, &port))
        return false;
    const char *suffix = pattern + pattern_host + 1; /* with its dot */
    size_t suffix_len = strcspn(suffix, ":");
    if (host_end - host <= suffix_len || origin[host] == '.' ||
        strncasecmp(origin + host_end - suffix_len, suffix, suffix_len) != 0)
        return false;
    return pattern_host == 0 || (pattern_host == host && strncasecmp(pattern, origin, host) == 0 &&
                                 strcmp(suffix + suffix_len, origin + host_end) == 0);
}

static bool access_listed(const struct access_origins *origins, const char *origin)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (strcasecmp(origins->items[i], origin) == 0 || access_fits(origins->items[i], origin))
            return true;
    }
    return false;
}

bool access_origin_allowed(const struct access *access, const char *origin)
{
    if (origin == NULL)
        return true;
    if (access_listed(&access->origins, origin) || access_listed(&access->beacons, origin))
        return true;
    if (access_has_keys(access))
        return access->origins.count == 0;
    if (strncasecmp(origin, "http://", 7) == 0)
        return access_is_loopback(origin + 7, false);
    if (strncasecmp(origin, "https://", 8) == 0)
        return access_is_loopback(origin + 8, false);
    return false;
}

bool access_host_allowed(const struct access *access, const char *host)
{
    if (access_has_keys(access) || access->keyless)
        return true;
    return host != NULL && access_is_loopback(host, true);
}

enum access_verdict access_check(const struct access *access, const struct access_request *request)
{
    if (!access_host_allowed(access, request->host))
        return ACCESS_BAD_HOST;
    if (request->need == ACCESS_NONE)
        return ACCESS_OK;
    if (!access_origin_allowed(access, request->origin))
        return ACCESS_BAD_ORIGIN;
    if (!access_has_keys(access))
        return ACCESS_OK;

    const char *key = request->header_key;
    unsigned most = ACCESS_INGEST | ACCESS_QUERY;
    if (request->path_key != NULL) {
        key = request->path_key;
        most = ACCESS_INGEST;
    } else if (key == NULL) {
        key = request->query_key;
        most = ACCESS_INGEST;
    }
    if (key == NULL || *key == '\0') {
        bool beacon = request->need == ACCESS_INGEST && key == NULL && request->origin != NULL &&
                      access_listed(&access->beacons, request->origin);
        return beacon ? ACCESS_OK : ACCESS_NO_KEY;
    }

    unsigned scopes = access_key_scopes(access, key, strlen(key));
    if (scopes == ACCESS_NONE)
        return ACCESS_WRONG_KEY;
    return (scopes & most & request->need) == request->need ? ACCESS_OK : ACCESS_NO_SCOPE;
}

const char *access_verdict_text(enum access_verdict verdict)
{
    switch (verdict) {
    case ACCESS_OK:
        return "allowed";
    case ACCESS_BAD_HOST:
        return "without keys only requests to this machine's own name are served";
    case ACCESS_BAD_ORIGIN:
        return "pages of this origin are not allowed";
    case ACCESS_NO_KEY:
        return "a key is needed";
    case ACCESS_WRONG_KEY:
        return "unknown key";
    case ACCESS_NO_SCOPE:
        return "this key does not allow that here";
    }
    return "not allowed";
}
