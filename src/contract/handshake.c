#include "contract/handshake.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/sha1.h"

#define HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */
#define HANDSHAKE_KEY_LEN 24                                  /* 16 bytes in base64 */

static const char handshake_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool handshake_key_ok(const char *key)
{
    /* 22 digits hold 16 bytes and 4 bits that nobody looks at. */
    return strspn(key, handshake_base64) == HANDSHAKE_KEY_LEN - 2 &&
           strcmp(key + HANDSHAKE_KEY_LEN - 2, "==") == 0;
}

void handshake_accept(const char *key, char out[HANDSHAKE_ACCEPT_SIZE])
{
    char text[HANDSHAKE_KEY_LEN + sizeof HANDSHAKE_GUID] = "";
    size_t key_len = strnlen(key, HANDSHAKE_KEY_LEN);
    memcpy(text, key, key_len);
    memcpy(text + key_len, HANDSHAKE_GUID, sizeof HANDSHAKE_GUID);
    unsigned char sum[SHA1_BYTES + 1];
    sha1(text, strlen(text), sum);
    sum[SHA1_BYTES] = 0; /* 20 bytes are seven groups of three but for one byte */

    char *at = out;
    for (const unsigned char *group = sum; group < sum + SHA1_BYTES; group += 3) {
        *at++ = handshake_base64[group[0] >> 2];
        *at++ = handshake_base64[(group[0] & 0x03) << 4 | group[1] >> 4];
        *at++ = handshake_base64[(group[1] & 0x0f) << 2 | group[2] >> 6];
        *at++ = handshake_base64[group[2] & 0x3f];
    }
    at[-1] = '=';
    *at = '\0';
}

static bool handshake_is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The characters of a token (RFC 9110, 5.6.2). */
static bool handshake_is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static const char *handshake_skip_spaces(const char *at)
{
    while (handshake_is_space(*at))
        at++;
    return at;
}

static const char *handshake_skip_token(const char *at)
{
    while (handshake_is_token(*at))
        at++;
    return at;
}

/* --- permessage-deflate ----------------------------------------------------------------------- */

enum { WINDOW_SERVER, WINDOW_CLIENT, TAKEOVER_SERVER, TAKEOVER_CLIENT, PARAMS };

static const char *const handshake_params[PARAMS] = {
    [WINDOW_SERVER] = "server_max_window_bits",
    [WINDOW_CLIENT] = "client_max_window_bits",
    [TAKEOVER_SERVER] = "server_no_context_takeover",
    [TAKEOVER_CLIENT] = "client_no_context_takeover",
};

/* One extension of the list. */
struct handshake_offer {
    bool usable; /* permessage-deflate, and nothing in it so far that we can't accept */
    bool seen[PARAMS];
};

/* A parameter's value, unquoted. */
struct handshake_value {
    bool given;
    size_t len;
    char start[2]; /* no legal value is longer */
};

/* The value at at: a token, or one between quotes. Returns the place behind it, or NULL. */
static const char *handshake_read_value(const char *at, struct handshake_value *value)
{
    bool quoted = *at == '"';
    value->given = true;
    if (quoted)
        at++;
    for (;; at++) {
        if (quoted && *at == '\\')
            at++;
        if (!handshake_is_token(*at))
            break;
        if (value->len < sizeof value->start)
            value->start[value->len] = *at;
        value->len++;
    }
    if (value->len == 0 || (quoted && (*at != '"' || at[-1] == '\\')))
        return NULL;
    return quoted ? at + 1 : at;
}

/* 8 to 15 without a leading zero, or 0 for anything else. */
static int handshake_window(const struct handshake_value *value)
{
    if (value->len == 1 && (value->start[0] == '8' || value->start[0] == '9'))
        return value->start[0] - '0';
    if (value->len == 2 && value->start[0] == '1' && value->start[1] >= '0' &&
        value->start[1] <= '5')
        return 10 + value->start[1] - '0';
    return 0;
}

static bool handshake_param_ok(struct handshake_offer *offer, const char *name, size_t len,
                               const struct handshake_value *value)
{
    for (int i = 0; i < PARAMS; i++) {
        if (strlen(handshake_params[i]) != len || memcmp(handshake_params[i], name, len) != 0)
            continue;
        if (offer->seen[i])
            return false;
        offer->seen[i] = true;
        if (i == WINDOW_SERVER)
            return handshake_window(value) == 15;
        if (i == WINDOW_CLIENT)
            return !value->given || handshake_window(value) != 0;
        return !value->given;
    }
    return false;
}

/* One extension with its parameters. Returns the place behind it, or NULL when it is malformed. */
static const char *handshake_read_offer(const char *at, struct handshake_offer *offer)
{
    static const char name[] = "permessage-deflate";
    const char *end = handshake_skip_token(at);
    if (end == at)
        return NULL;
    offer->usable = (size_t)(end - at) == strlen(name) && memcmp(at, name, strlen(name)) == 0;
    for (at = handshake_skip_spaces(end); *at == ';'; at = handshake_skip_spaces(at)) {
        const char *param = handshake_skip_spaces(at + 1);
        struct handshake_value value = {0};
        end = handshake_skip_token(param);
        if (end == param)
            return NULL;
        at = *end == '=' ? handshake_read_value(end + 1, &value) : end;
        if (at == NULL)
            return NULL;
        if (offer->usable)
            offer->usable = handshake_param_ok(offer, param, (size_t)(end - param), &value);
    }
    return *at == ',' || *at == '\0' ? at : NULL;
}

const char *handshake_deflate(const char *offers)
{
    const char *answer = NULL;
    const char *at = offers != NULL ? offers : "";
    while (*at != '\0') {
        if (*at == ',' || handshake_is_space(*at)) { /* empty elements are legal */
            at++;
            continue;
        }
        struct handshake_offer offer = {0};
        at = handshake_read_offer(at, &offer);
        if (at == NULL)
            return NULL;
        if (answer == NULL && offer.usable)
            answer = offer.seen[WINDOW_SERVER] ? HANDSHAKE_DEFLATE_WINDOW : HANDSHAKE_DEFLATE;
    }
    return answer;
}

/* --- tokens ----------------------------------------------------------------------------------- */

bool handshake_token(const char *header, const char *token)
{
    size_t len = strlen(token);
    const char *at = header != NULL ? header : "";
    for (;;) {
        at = handshake_skip_spaces(at);
        size_t element = strcspn(at, ",");
        const char *next = at + element;
        while (element > 0 && handshake_is_space(at[element - 1]))
            element--;
        if (element == len && len > 0 && strncasecmp(at, token, len) == 0)
            return true;
        if (*next == '\0')
            return false;
        at = next + 1;
    }
}
