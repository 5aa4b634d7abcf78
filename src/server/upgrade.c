#include "server/upgrade.h"

#include <string.h>
#include <strings.h>

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "base/bytes.h"
#include "base/log.h"
#include "contract/handshake.h"
#include "server/client.h"
#include "server/conn.h"
#include "server/websocket.h"

static const char *upgrade_header(const struct exchange *exchange, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(exchange->request), name);
}

/* How often a header of that name is there. */
static unsigned upgrade_count(const struct exchange *exchange, const char *name)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const struct evkeyval *header;
    unsigned count = 0;
    for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next)
        count += strcasecmp(header->key, name) == 0;
    return count;
}

/* Whether one of the headers of that name holds the token: a header may be given in parts. */
static bool upgrade_token(const struct exchange *exchange, const char *name, const char *token)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const struct evkeyval *header;
    for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next)
        if (strcasecmp(header->key, name) == 0 && handshake_token(header->value, token))
            return true;
    return false;
}

/* What to answer when compression is offered in a way that we take; NULL otherwise. */
static const char *upgrade_deflate(const struct exchange *exchange)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const struct evkeyval *header;
    for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next)
        if (strcasecmp(header->key, "Sec-WebSocket-Extensions") == 0 &&
            handshake_deflate(header->value) != NULL)
            return handshake_deflate(header->value);
    return NULL;
}

/* 0, or the status to refuse the handshake with and *why. */
static int upgrade_check(const struct exchange *exchange, const char **why)
{
    const char *version = upgrade_header(exchange, "Sec-WebSocket-Version");
    const char *key = upgrade_header(exchange, "Sec-WebSocket-Key");
    if (exchange->request->minor == 0 || !upgrade_token(exchange, "Connection", "upgrade") ||
        !upgrade_token(exchange, "Upgrade", "websocket")) {
        *why = "a WebSocket is served here";
        return 426;
    }
    if (version == NULL || strcmp(version, "13") != 0 ||
        upgrade_count(exchange, "Sec-WebSocket-Version") > 1) {
        *why = "Sec-WebSocket-Version: only 13 is understood";
        return 426;
    }
    if (key == NULL || !handshake_key_ok(key) || upgrade_count(exchange, "Sec-WebSocket-Key") > 1) {
        *why = "Sec-WebSocket-Key: expected 16 bytes in base64";
        return 400;
    }
    if (upgrade_token(exchange, "Connection", "close")) {
        *why = "Connection: it can't both close and become a WebSocket";
        return 400;
    }
    /* Where the first frame begins must be beyond doubt. */
    if (exchange->conn->guard.unwanted || upgrade_header(exchange, "Transfer-Encoding") != NULL) {
        *why = "a handshake has no body";
        return 400;
    }
    if (exchange->loop->draining) {
        *why = "restarting; come back in a moment";
        return 503;
    }
    return 0;
}

static void upgrade_accept(struct exchange *exchange)
{
    char accept[HANDSHAKE_ACCEPT_SIZE];
    struct conn *conn = exchange->conn;
    struct evkeyvalq *out = evhttp_request_get_output_headers(exchange->request);
    struct address client = client_address(exchange);
    const char *deflate = upgrade_deflate(exchange);
    handshake_accept(upgrade_header(exchange, "Sec-WebSocket-Key"), accept);
    evhttp_add_header(out, "Upgrade", "websocket");
    evhttp_add_header(out, "Connection", "Upgrade");
    evhttp_add_header(out, "Sec-WebSocket-Accept", accept);
    if (deflate != NULL)
        evhttp_add_header(out, "Sec-WebSocket-Extensions", deflate);
    /* The request is never finished, so that evhttp keeps off its connection. */
    evhttp_send_reply_start(exchange->request, 101, "Switching Protocols");
    counters_answer(&exchange->loop->counters, exchange->action, 101, -1);
    evhttp_clear_headers(evhttp_request_get_input_headers(exchange->request));
    evhttp_clear_headers(out);
    exchange_free(exchange);
    if (websocket_open(conn, deflate != NULL, client) == 0)
        return;
    log_warn("out of memory for a WebSocket");
    evhttp_connection_free(conn->evcon);
}

void upgrade_begin(struct exchange *exchange)
{
    struct exchange_extra extra = {.upgrade = true};
    const char *why = "";
    int status = upgrade_check(exchange, &why);
    if (status == 0) {
        upgrade_accept(exchange);
        return;
    }
    extra.upgrade = status == 426;
    exchange_error(exchange, status, why, &extra);
}
