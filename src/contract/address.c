#include "contract/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const unsigned char address_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct address address_from_ipv6(const unsigned char bytes[16])
{
    struct address address = {ADDRESS_IPV6, {0}};
    if (memcmp(bytes, address_mapped, sizeof address_mapped) == 0) {
        address.family = ADDRESS_IPV4;
        memcpy(address.bytes, bytes + 12, 4);
    } else {
        memcpy(address.bytes, bytes, 16);
    }
    return address;
}

int address_parse(struct address *address, const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char v6[16];
    *address = (struct address){ADDRESS_NONE, {0}};
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof copy)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, address->bytes) == 1) {
        address->family = ADDRESS_IPV4;
        return 0;
    }
    if (inet_pton(AF_INET6, copy, v6) != 1)
        return -1;
    *address = address_from_ipv6(v6);
    return 0;
}

struct address address_client(struct address address)
{
    if (address.family == ADDRESS_IPV6)
        memset(address.bytes + 8, 0, 8);
    return address;
}

int address_net_parse(struct address_net *net, const char *text, struct error *err)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (strcmp(text, "unix") == 0) {
        *net = (struct address_net){{ADDRESS_UNIX, {0}}, 0};
        return 0;
    }
    if (address_parse(&net->address, text, len) == 0) {
        unsigned most = net->address.family == ADDRESS_IPV4 ? 32 : 128;
        char *end = NULL;
        unsigned long bits = slash != NULL ? strtoul(slash + 1, &end, 10) : most;
        bool digits = slash == NULL || (slash[1] >= '0' && slash[1] <= '9' && *end == '\0');
        if (digits && bits <= most) {
            net->bits = (unsigned)bits;
            return 0;
        }
    }
    error_set(err, "expected an address such as 192.0.2.1, a network such as 10.0.0.0/8, or unix");
    return -1;
}

static bool address_matches(struct address address, const struct address_net *net)
{
    if (address.family == ADDRESS_NONE || address.family != net->address.family)
        return false;
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(address.bytes, net->address.bytes, whole) != 0)
        return false;
    unsigned char mask = (unsigned char)(0xff00 >> rest);
    return rest == 0 || ((address.bytes[whole] ^ net->address.bytes[whole]) & mask) == 0;
}

bool address_in(struct address address, const struct address_net *nets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (address_matches(address, &nets[i]))
            return true;
    return false;
}

static void address_trim(const char **text, size_t *len)
{
    while (*len > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
        (*len)--;
}

/* An address that may carry a port: 192.0.2.1:80, [2001:db8::1]:80. */
static int address_parse_node(struct address *address, const char *text, size_t len)
{
    const char *end = memchr(text, ']', len);
    const char *colon = memchr(text, ':', len);
    if (len > 0 && text[0] == '[' && end != NULL) {
        size_t node = (size_t)(end + 1 - text);
        return node < len && text[node] != ':' ? -1 : address_parse(address, text, node);
    }
    if (colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL)
        len = (size_t)(colon - text);
    return address_parse(address, text, len);
}

/* The length of the first parameter of an element of Forwarded: up to a semicolon that is not
 * quoted. A quoted host is the client's own word, and may look like anything. */
static size_t address_parameter(const char *text, size_t len)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < len && (quoted || text[at] != ';'); at++) {
        if (quoted && text[at] == '\\')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
    }
    return at < len ? at : len;
}

/* The for parameter of one element of Forwarded: for=192.0.2.1;proto=https, For="[2001:db8::1]:80".
 */
static int address_parse_forwarded(struct address *address, const char *text, size_t len)
{
    while (len > 0) {
        size_t part = address_parameter(text, len);
        const char *pair = text;
        size_t pair_len = part;
        address_trim(&pair, &pair_len);
        if (pair_len > 4 && strncasecmp(pair, "for=", 4) == 0) {
            pair += 4;
            pair_len -= 4;
            if (pair_len >= 2 && pair[0] == '"' && pair[pair_len - 1] == '"') {
                pair++;
                pair_len -= 2;
            }
            return address_parse_node(address, pair, pair_len);
        }
        text += part;
        len -= part;
        if (len > 0) {
            text++;
            len--;
        }
    }
    return -1;
}

/* Whether an odd number of backslashes stands in front of at. */
static bool address_escaped(const char *text, const char *at)
{
    bool escaped = false;
    while (at > text && *--at == '\\')
        escaped = !escaped;
    return escaped;
}

/* Where the last element of a comma-separated list begins. Commas in quotes separate nothing; the
 * quotes are paired from the right, since on the left anybody can have left one open. */
static const char *address_last(const char *text, size_t len, bool quotes)
{
    const char *at = text + len;
    bool quoted = false;
    while (at > text && (quoted || at[-1] != ',')) {
        at--;
        if (quotes && *at == '"' && !(quoted && address_escaped(text, at)))
            quoted = !quoted;
    }
    return at;
}

struct address address_behind(struct address peer, enum address_header header, const char *value,
                              const struct address_net *trusted, size_t count)
{
    struct address client = peer;
    size_t left = value != NULL ? strlen(value) : 0;
    while (header != ADDRESS_HEADER_NONE && left > 0 && address_in(client, trusted, count)) {
        const char *element = address_last(value, left, header == ADDRESS_FORWARDED);
        size_t len = (size_t)(value + left - element);
        left = element > value ? (size_t)(element - 1 - value) : 0;
        struct address next;
        address_trim(&element, &len);
        int status = header == ADDRESS_FORWARDED ? address_parse_forwarded(&next, element, len)
                                                 : address_parse_node(&next, element, len);
        if (status != 0)
            break;
        client = next;
    }
    return client;
}
