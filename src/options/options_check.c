/* The forms of texts, and what contradicts itself. Nothing here touches the world: no name is
 * looked up, no file opened. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "contract/access.h"
#include "contract/address.h"
#include "contract/admin_host.h"
#include "options/table.h"

/* Reads the address in front of the port. Sets *loopback. 0 or -1. */
static int options_read_address(const char *text, size_t len, bool *loopback)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (brackets) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(copy))
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strcmp(copy, "localhost") == 0 && !brackets) { /* the one name that needs no resolver */
        *loopback = true;
        return 0;
    }
    if (brackets) {
        if (inet_pton(AF_INET6, copy, &v6) != 1)
            return -1;
        *loopback =
            IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
        return 0;
    }
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return -1;
    *loopback = ntohl(v4.s_addr) >> 24 == 127;
    return 0;
}

static bool options_is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 5 && text[digits] == '\0' && strtol(text, NULL, 10) <= 65535;
}

/* Takes a listen address apart. Sets *loopback when it serves this machine only. 0 or -1. */
static int options_read_listen(const char *value, bool *loopback, struct error *err)
{
    if (strncmp(value, "unix:", 5) == 0) {
        size_t len = strlen(value + 5);
        *loopback = true;
        if (len > 0 && len < sizeof(((struct sockaddr_un *)0)->sun_path))
            return 0;
        error_set(err, "expected unix: and a path of 1 to %zu bytes, got \"%s\"",
                  sizeof(((struct sockaddr_un *)0)->sun_path) - 1, value);
        return -1;
    }
    const char *colon = strrchr(value, ':');
    if (colon != NULL && options_is_port(colon + 1) &&
        options_read_address(value, (size_t)(colon - value), loopback) == 0)
        return 0;
    error_set(err,
              "expected an address such as 127.0.0.1:4242, [::1]:4242 or unix:/run/beacond.sock,"
              " got \"%s\"",
              value);
    return -1;
}

int options_check_listen(const char *value, struct error *err)
{
    bool loopback;
    return options_read_listen(value, &loopback, err);
}

/* Requests are matched by their path as it was sent, so a prefix has one spelling only: no escapes,
 * no empty, "." or ".." segments. */
int options_check_path(const char *value, struct error *err)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~!$&'()*+,;=:@/";
    size_t len = strlen(value);
    bool fine = len <= 256 && strspn(value, legal) == len && len > 0 && value[0] == '/';

    for (const char *segment = value; fine && *segment == '/';) {
        size_t length = strcspn(++segment, "/");
        fine = length > 0 && !(length == 1 && segment[0] == '.') &&
               !(length == 2 && segment[0] == '.' && segment[1] == '.');
        segment += length;
    }
    if (!fine) {
        error_set(err,
                  "expected a path such as /_tracker: it begins with /, does not end with one,"
                  " and holds no escapes; got \"%s\"",
                  value);
        return -1;
    }
    return 0;
}

int options_check_prefix(const char *value, struct error *err)
{
    static const char *const taken[] = {"/health", "/livez", "/readyz", "/metrics"};
    if (options_check_path(value, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(value, taken[i]) == 0) {
            error_set(err, "%s is a route of its own and can't be a prefix", value);
            return -1;
        }
    }
    return 0;
}

int options_check_admin_host(const char *value, struct error *err)
{
    return admin_host_check(value, err);
}

int options_check_database(const char *value, struct error *err)
{
    static const char *const schemes[] = {"postgresql", "postgres"};
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";
    size_t len = strspn(value, legal);

    if (len > 0 && strncmp(value + len, "://", 3) == 0) {
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
            if (strlen(schemes[i]) == len && strncmp(value, schemes[i], len) == 0)
                return 0;
        }
        /* What stands behind the scheme may be a password. */
        error_set(err, "expected the path of a file or a postgresql:// URI, got one of %.*s://",
                  len < 32 ? (int)len : 32, value);
        return -1;
    }
    if (*value != '\0' && strcmp(value, ":memory:") != 0)
        return 0;
    error_set(err, "expected the path of a file or a postgresql:// URI, got \"%s\"", value);
    return -1;
}

/* The length of the UTF-8 character at text, 0 for a control character or bytes that are none. */
static size_t options_character(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        unsigned least;
    } forms[] = {
        {0x80, 0x00, 0x20}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t more = 0; more < sizeof(forms) / sizeof(forms[0]); more++) {
        if ((text[0] & forms[more].mask) != forms[more].lead)
            continue;
        unsigned code = text[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (text[i] & 0x3f);
        }
        bool fine = code >= forms[more].least && code <= 0x10ffff &&
                    !(code >= 0xd800 && code <= 0xdfff) && !(code >= 0x7f && code <= 0x9f);
        return fine ? more + 1 : 0;
    }
    return 0;
}

/* UTF-8 without control characters, so many bytes at most. */
static int options_check_text(const char *value, size_t most, struct error *err)
{
    size_t len = 0;
    while (value[len] != '\0') {
        size_t more = options_character((const unsigned char *)value + len);
        if (more == 0) {
            error_set(err, "expected UTF-8 without control characters");
            return -1;
        }
        len += more;
    }
    if (len <= most)
        return 0;
    error_set(err, "expected at most %zu bytes, got %zu", most, len);
    return -1;
}

int options_check_node(const char *value, struct error *err)
{
    return options_check_text(value, 200, err);
}

/* Ping puts it into JSON. */
int options_check_app_id(const char *value, struct error *err)
{
    return options_check_text(value, 256, err);
}

typedef int options_add_fn(struct access *access, const char *text, struct error *err);

static int options_check_access(options_add_fn *add, const char *value, struct error *err)
{
    struct access *scratch = access_new();
    int status = -1;

    if (scratch == NULL)
        error_set(err, "out of memory");
    else
        status = add(scratch, value, err);
    access_free(scratch);
    return status;
}

int options_check_key(const char *value, struct error *err)
{
    return options_check_access(access_add_key, value, err);
}

int options_check_origin(const char *value, struct error *err)
{
    return options_check_access(access_add_origin, value, err);
}

int options_check_proxy(const char *value, struct error *err)
{
    struct address_net net;
    return address_net_parse(&net, value, err);
}

static int options_check_keys(const struct options_list *keys, struct error *err)
{
    struct access *scratch = access_new();
    struct error why = {"out of memory"};
    int status = scratch == NULL ? -1 : 0;

    for (size_t i = 0; status == 0 && i < keys->count; i++)
        status = access_add_key(scratch, keys->items[i], &why);
    if (status != 0)
        error_set(err, "key: %s", why.text);
    access_free(scratch);
    return status;
}

static int options_check_reach(const struct options *options, struct error *err)
{
    if (options->key.count > 0 || options->allow_keyless)
        return 0;
    for (size_t i = 0; i < options->listen.count; i++) {
        bool loopback = true;
        const char *address = options->listen.items[i];
        if (options_read_listen(address, &loopback, err) != 0)
            return -1;
        if (!loopback) {
            error_set(err,
                      "listen: other machines can reach %s and there is no key: give a key-file,"
                      " or listen on 127.0.0.1 or [::1] alone, or say allow-keyless if everyone"
                      " there may write and read",
                      address);
            return -1;
        }
    }
    return 0;
}

/* An address is one or the other. Port 0 is another port each time. */
static int options_check_doors(const struct options *options, struct error *err)
{
    for (size_t i = 0; i < options->admin_listen.count; i++) {
        const char *address = options->admin_listen.items[i];
        const char *port = strrchr(address, ':');
        bool any =
            strncmp(address, "unix:", 5) != 0 && port != NULL && strtol(port + 1, NULL, 10) == 0;
        for (size_t j = 0; j < options->listen.count && !any; j++) {
            if (strcmp(address, options->listen.items[j]) == 0) {
                error_set(err, "admin-listen: %s is an address of listen already", address);
                return -1;
            }
        }
    }
    if (options->admin_host.count > 0 && options->admin_listen.count == 0) {
        error_set(err, "admin-host: there is no admin-listen that it could be a name of");
        return -1;
    }
    return 0;
}

int options_check_all(const struct options *options, bool serves, struct error *err)
{
    if (options->listen.count == 0) {
        error_set(err, "listen: expected at least one address");
        return -1;
    }
    if (options->prefix.count == 0) {
        error_set(err, "prefix: expected at least one path");
        return -1;
    }
    for (size_t i = 0; i < options->prefix.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(options->prefix.items[i], options->prefix.items[j]) == 0) {
                error_set(err, "prefix: %s is given twice", options->prefix.items[i]);
                return -1;
            }
        }
    }
    if (options_check_doors(options, err) != 0)
        return -1;
    if (options->max_receiving < options->max_body) {
        error_set(err, "max-receiving: expected max-body at least, or no body of that size fits");
        return -1;
    }
    /* Both are kept in the database and are not what goes when it is too large: with less, all
     * events could be erased for what others take. */
    if (options->retain_size > 0 &&
        options->retain_size <= options->max_rejects_size + options->receipts_size) {
        error_set(err,
                  "retain-size: expected more than max-rejects-size and receipts-size together, "
                  "which count as well");
        return -1;
    }
    if ((options->trusted_proxy.count > 0) != (options->proxy_header != OPTIONS_PROXY_NONE)) {
        error_set(err, "trusted-proxy and proxy-header: expected both or neither");
        return -1;
    }
    if ((options->tls_cert != NULL) != (options->tls_key != NULL)) {
        error_set(err, "tls-cert and tls-key: expected both or neither");
        return -1;
    }
    if (options_check_keys(&options->key, err) != 0)
        return -1;
    return serves ? options_check_reach(options, err) : 0;
}
