#include "server/client.h"

#include <strings.h>

#include <event2/keyvalq_struct.h>

#include "base/bytes.h"
#include "server/conn.h"

/* All occurrences of the header in which proxies tell the client, joined. False: out of memory. */
static bool client_header(const struct exchange *exchange, struct bytes *out)
{
    const char *name = exchange->loop->options->proxy_header == ADDRESS_FORWARDED
                           ? "Forwarded"
                           : "X-Forwarded-For";
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const struct evkeyval *header;
    for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next) {
        if (strcasecmp(header->key, name) != 0)
            continue;
        if ((out->len > 0 && bytes_append(out, ",", 1) != 0) ||
            bytes_append_text(out, header->value) != 0)
            return false;
    }
    return bytes_append(out, "", 1) == 0;
}

struct address client_address(const struct exchange *exchange)
{
    const struct server_options *options = exchange->loop->options;
    struct address client = exchange->conn->peer;
    struct bytes value;
    if (options->proxy_header == ADDRESS_HEADER_NONE || options->proxy_count == 0)
        return client;
    bytes_init(&value);
    if (client_header(exchange, &value))
        client = address_behind(client, options->proxy_header, value.data, options->proxies,
                                options->proxy_count);
    bytes_clear(&value);
    return client;
}
