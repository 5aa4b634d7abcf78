/*
 * fuzz_values.c: the values of headers and options that are read with code of our own: Basic
 * passwords, entity tags, Accept and Accept-Encoding, media types, WebSocket offers, addresses and
 * who is behind proxies, Host, Origin, keys, ids of Server-Sent Events.
 *
 * The input is a text, or two with a line feed between them. Each reader is held against what is
 * written with it, or against a slower one.
 */
#include <arpa/inet.h>
#include <strings.h>

#include "contract/access.h"
#include "contract/address.h"
#include "contract/admin_host.h"
#include "contract/basic.h"
#include "contract/etag.h"
#include "contract/handshake.h"
#include "contract/media.h"
#include "contract/sse.h"
#include "fuzz.h"
#include "server/coding.h"

static const char fuzz_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* out: room for len * 2 + 5. */
static void fuzz_base64(const unsigned char *in, size_t len, char *out)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                         (i + 2 < len ? in[i + 2] : 0);
        *out++ = fuzz_digits[group >> 18];
        *out++ = fuzz_digits[group >> 12 & 63];
        *out++ = i + 1 < len ? fuzz_digits[group >> 6 & 63] : '=';
        *out++ = i + 2 < len ? fuzz_digits[group & 63] : '=';
    }
    *out = '\0';
}

static void fuzz_basic(const char *text, size_t len)
{
    struct basic read;
    if (basic_read(text, &read) == 0) {
        fuzz_need(strncasecmp(text, "Basic ", 6) == 0, "another scheme");
        fuzz_need(read.password > read.text && read.password[-1] == ':' &&
                      read.password + read.password_len <= read.text + BASIC_SIZE,
                  "a password that is not there");
        fuzz_need(memchr(read.text, ':', (size_t)(read.password - 1 - read.text)) == NULL,
                  "behind the second colon");
    }
    char *header = malloc(len * 2 + 16);
    fuzz_need(header != NULL, "out of memory");
    memcpy(header, "Basic ", 6);
    fuzz_base64((const unsigned char *)text, len, header + 6);
    const char *colon = strchr(text, ':');
    bool fits = (len + 2) / 3 * 3 <= BASIC_SIZE;
    int status = basic_read(header, &read);
    fuzz_need((status == 0) == (colon != NULL && fits), "what was encoded can't be read");
    fuzz_need(status != 0 || fuzz_same(read.password, read.password_len, colon + 1,
                                       len - (size_t)(colon + 1 - text)),
              "another password");
    free(header);
}

static void fuzz_etag(const char *text)
{
    static const unsigned char key[SIPHASH_KEY_BYTES] = "0123456789abcdef";
    char tag[ETAG_SIZE], list[3 * ETAG_SIZE + 8];
    etag_make(tag, 1, 2, 3, key);
    fuzz_need(strlen(tag) == ETAG_SIZE - 1, "a tag of another length");
    bool named = etag_matches(text, tag);
    fuzz_need(!named || strstr(text, tag + 2) != NULL || strchr(text, '*') != NULL,
              "a tag that is not there");
    snprintf(list, sizeof list, "\"a,b\", %s", tag);
    fuzz_need(etag_matches(list, tag) && etag_matches(list + 7, tag + 2), "a tag was not found");
}

/* Accept-Encoding by its elements, copied out. */
static bool fuzz_takes_gzip(const char *text)
{
    bool any = false;
    char *copy = strdup(text), *rest = copy;
    fuzz_need(copy != NULL, "out of memory");
    for (char *element; (element = strsep(&rest, ",")) != NULL;) {
        char *params = element, *coding = strsep(&params, ";");
        coding += strspn(coding, " \t");
        bool zero = false, junk = false;
        coding[strcspn(coding, " \t")] = '\0';
        for (char *param; (param = strsep(&params, ";")) != NULL;) {
            param += strspn(param, " \t");
            if (strncasecmp(param, "q=", 2) != 0 || junk)
                continue;
            param += 2 + strspn(param + 2, " \t");
            size_t zeros = strspn(param, "0.");
            zero = zeros > 0 && (param[zeros] == '\0' || strchr(" \t", param[zeros]) != NULL);
            junk = true; /* the first counts */
        }
        if (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0) {
            free(copy);
            return !zero;
        }
        if (strcmp(coding, "*") == 0)
            any = !zero;
    }
    free(copy);
    return any;
}

static void fuzz_media(const char *text)
{
    struct media media = media_of(text);
    const char *slash = strrchr(text, '/'), *name = slash != NULL ? slash + 1 : text;
    fuzz_need(strchr(media.type, '/') != NULL, "no media type");
    fuzz_need(media_has_extension(text) == (*name != '\0' && strrchr(name + 1, '.') != NULL),
              "an extension, or none");
    fuzz_need(media_has_extension(text) || strcmp(media.type, "application/octet-stream") == 0,
              "a type without an extension");
    fuzz_need(!media_hashed(text) || (strstr(text, "assets/") != NULL && media_has_extension(text)),
              "a hash elsewhere");
    fuzz_need(!media_accepts_html(text) || strcasestr(text, "text/html") != NULL,
              "text/html that is not there");
}

static void fuzz_offers(const char *text)
{
    char accept[HANDSHAKE_ACCEPT_SIZE];
    const char *answer = handshake_deflate(text);
    fuzz_need(answer == NULL || strstr(text, "permessage-deflate") != NULL, "nothing was offered");
    fuzz_need(answer == NULL || strcmp(answer, HANDSHAKE_DEFLATE) == 0 ||
                  strstr(text, "server_max_window_bits") != NULL,
              "a window that was not asked for");
    /* What we offer ourselves can be accepted, whatever stands in front of it, unless that makes
     * the header none. */
    char *list = malloc(strlen(text) + 64);
    fuzz_need(list != NULL, "out of memory");
    sprintf(list, "permessage-deflate,%s", text);
    answer = handshake_deflate(list);
    sprintf(list, "x,%s", text);
    fuzz_need((handshake_deflate(list) == NULL) >= (answer == NULL), "parsed, and then not");
    free(list);
    if (handshake_key_ok(text)) {
        fuzz_need(strlen(text) == 24, "a key of another length");
        handshake_accept(text, accept);
        fuzz_need(strlen(accept) == HANDSHAKE_ACCEPT_SIZE - 1 && accept[27] == '=' &&
                      strspn(accept, fuzz_digits) == 27,
                  "no base64");
    }
    (void)handshake_token(text, "upgrade");
}

/* --- addresses -------------------------------------------------------------------------------- */

static void fuzz_address(const char *text, size_t len)
{
    struct address address, again;
    char shown[INET6_ADDRSTRLEN + 2];
    if (address_parse(&address, text, len) == 0) {
        int family = address.family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
        fuzz_need(inet_ntop(family, address.bytes, shown, sizeof shown) != NULL &&
                      address_parse(&again, shown, strlen(shown)) == 0 &&
                      memcmp(&address, &again, sizeof again) == 0,
                  "another address when it is written and read");
    }
    struct address_net net = {.bits = 0};
    if (address_net_parse(&net, text, NULL) == 0) {
        unsigned most = net.address.family == ADDRESS_IPV4 ? 32 : 128;
        fuzz_need(net.bits <= most && address_in(net.address, &net, 1), "it is not in its own net");
        for (unsigned bit = 0; bit < most && net.address.family != ADDRESS_UNIX; bit++) {
            struct address other = net.address;
            other.bytes[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
            fuzz_need(address_in(other, &net, 1) == (bit >= net.bits), "a bit too few or too many");
        }
    }
}

static bool fuzz_same_address(struct address a, struct address b)
{
    return a.family == b.family && memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* Whatever a client writes, the proxy in front of us appends whom it saw, and that is who it is. */
static void fuzz_behind(const char *text)
{
    struct address_net trusted;
    struct address proxy = {ADDRESS_NONE, {0}}, client = proxy, found;
    fuzz_need(address_net_parse(&trusted, "10.0.0.0/8", NULL) == 0 &&
                  address_parse(&proxy, "10.0.0.1", 8) == 0 &&
                  address_parse(&client, "192.0.2.7", 9) == 0,
              "no addresses");
    char *value = malloc(strlen(text) + 64);
    fuzz_need(value != NULL, "out of memory");
    sprintf(value, "%s, 192.0.2.7, 10.0.0.3", text);
    found = address_behind(proxy, ADDRESS_X_FORWARDED_FOR, value, &trusted, 1);
    fuzz_need(fuzz_same_address(found, client), "a client chose who it is (X-Forwarded-For)");
    sprintf(value, "%s, for=192.0.2.7;host=\"a,b;for=10.0.0.9\", for=10.0.0.3", text);
    found = address_behind(proxy, ADDRESS_FORWARDED, value, &trusted, 1);
    fuzz_need(fuzz_same_address(found, client), "a client chose who it is (Forwarded)");
    free(value);
    /* Who is no proxy is believed nothing. */
    found = address_behind(client, ADDRESS_X_FORWARDED_FOR, text, &trusted, 1);
    fuzz_need(fuzz_same_address(found, client), "a stranger was believed");
    (void)address_behind(proxy, ADDRESS_FORWARDED, text, &trusted, 1);
}

/* --- hosts, origins, keys --------------------------------------------------------------------- */

static void fuzz_origin(const char *origin, const char *pattern)
{
    struct access *access = access_new(), *keyed = access_new();
    struct error err = {""};
    fuzz_need(access != NULL && keyed != NULL && access_add_key(keyed, "k", NULL) == 0,
              "out of memory");
    bool local = access_origin_allowed(access, origin);
    fuzz_need(!local || strcasestr(origin, "localhost") != NULL || strstr(origin, "127.") != NULL ||
                  strstr(origin, "[::1]") != NULL,
              "an origin from elsewhere");
    fuzz_need(access_origin_allowed(keyed, origin), "any origin may, with keys");
    if (access_add_origin(keyed, pattern, &err) == 0) {
        fuzz_need(strncmp(pattern, "*.", 2) == 0 || strstr(pattern, "://*.") != NULL ||
                      strchr(pattern, '*') != NULL || access_origin_allowed(keyed, pattern) ||
                      strstr(pattern, ":80") != NULL || strstr(pattern, ":443") != NULL ||
                      strstr(pattern, ":0") != NULL, /* no browser writes a port so */
                  "a listed origin may not");
        /* The end of the host is that of what was listed. */
        const char *host = strstr(pattern, "://");
        host = host != NULL ? host + 3 : pattern;
        if (*host == '*') {
            size_t tail = strcspn(host + 1, ":");
            const char *from = strstr(origin, "://");
            /* The pattern itself is no origin that a browser could send. */
            bool allowed = strcasecmp(origin, pattern) != 0 && access_origin_allowed(keyed, origin);
            size_t len = from != NULL ? strcspn(from + 3, ":") : 0;
            fuzz_need(!allowed || (from != NULL && len > tail &&
                                   strncasecmp(from + 3 + len - tail, host + 1, tail) == 0),
                      "a pattern fits another host");
        }
    } else {
        fuzz_need(err.text[0] != '\0', "refused without a word");
    }
    access_free(access);
    access_free(keyed);
}

static void fuzz_host(const char *host, const char *name)
{
    struct access *access = access_new();
    fuzz_need(access != NULL, "out of memory");
    bool local = access_host_allowed(access, host);
    fuzz_need(!local || strcasestr(host, "localhost") != NULL || strncmp(host, "127.", 4) == 0 ||
                  strncmp(host, "[::1]", 5) == 0,
              "a host from elsewhere");
    access_free(access);
    char *names[] = {(char *)name};
    if (admin_host_check(name, NULL) == 0) {
        fuzz_need(admin_host_allowed(name, names, 1), "a host that was given may not");
        fuzz_need(!admin_host_allowed(host, names, 1) || admin_host_allowed(host, NULL, 0) ||
                      strncasecmp(host, name, strlen(name)) == 0,
                  "another host may");
    }
}

static void fuzz_key(const char *text, const char *other)
{
    struct access *access = access_new();
    struct error err = {""};
    size_t len = strcspn(text, ":"), place;
    fuzz_need(access != NULL, "out of memory");
    if (access_add_key(access, text, &err) == 0) {
        unsigned scopes = access_key_find(access, text, len, &place);
        fuzz_need(scopes != ACCESS_NONE && place == 0, "a key that is none");
        fuzz_need(text[len] == '\0' ||
                      ((scopes & ACCESS_INGEST) != 0) == (strstr(text + len, "ingest") != NULL),
                  "another scope");
        bool same = fuzz_same(text, len, other, strlen(other));
        fuzz_need((access_key_scopes(access, other, strlen(other)) != ACCESS_NONE) == same,
                  "another key opens");
        fuzz_need(access_add_key(access, text, &err) != 0, "the same key twice");
    }
    fuzz_need(err.text[0] == '\0' || len < 12 || strstr(err.text, text) == NULL, "a key is quoted");
    access_free(access);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size), *line = strchr(text, '\n');
    int64_t seq;
    if (line != NULL)
        *line++ = '\0';
    const char *other = line != NULL ? line : text;
    fuzz_basic(text, strlen(text));
    fuzz_etag(text);
    fuzz_need(coding_accepts_gzip(text) == fuzz_takes_gzip(text), "gzip, or not");
    fuzz_media(text);
    fuzz_offers(text);
    fuzz_address(text, strlen(text));
    fuzz_behind(text);
    fuzz_origin(text, other);
    fuzz_host(text, other);
    fuzz_key(text, other);
    if (sse_read_id(text, &seq) == 0)
        fuzz_need(seq >= 0 && strspn(text, "0123456789") == strlen(text),
                  "an id of other than digits");
    free(text);
    return 0;
}
