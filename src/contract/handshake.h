/*
 * handshake.h: the two parts of a WebSocket handshake that need more than a look (RFC 6455, 4; RFC
 * 7692, 5 and 7). Pure.
 */
#ifndef BEACOND_CONTRACT_HANDSHAKE_H
#define BEACOND_CONTRACT_HANDSHAKE_H

#include <stdbool.h>

/* Whether a Sec-WebSocket-Key is what it must be: 16 bytes in base64. */
bool handshake_key_ok(const char *key);

#define HANDSHAKE_ACCEPT_SIZE 29 /* the answer to a key, and its NUL */
void handshake_accept(const char *key, char out[HANDSHAKE_ACCEPT_SIZE]);

/* The Sec-WebSocket-Extensions to answer with when permessage-deflate is agreed on. */
#define HANDSHAKE_DEFLATE \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
/* The same to an offer with server_max_window_bits: who accepts that must repeat it (RFC 7692,
 * 7.1.2.1). */
#define HANDSHAKE_DEFLATE_WINDOW HANDSHAKE_DEFLATE "; server_max_window_bits=15"

/* Which of the two answers to give to the offers in a Sec-WebSocket-Extensions header (several
 * joined by commas; NULL for none): that to the first offer that can be accepted, or NULL when none
 * can. An offer with an unknown, repeated or illegal parameter can't; nor can one that asks us for
 * a window below 15 bits, which is what our segments are compressed with. A header that can't be
 * parsed is as good as none. */
const char *handshake_deflate(const char *offers);

/* Whether a comma-separated header (NULL for none) holds that token, without regard to case
 * ("keep-alive, Upgrade"). */
bool handshake_token(const char *header, const char *token);

#endif
