#include "contract/message.h"

#include <jansson.h>

static int message_append(const char *data, size_t len, void *arg)
{
    return bytes_append(arg, data, len);
}

/* Appends text as a JSON string, quotes and all. */
static int message_string(struct bytes *out, const char *text)
{
    json_t *string = json_string(text);
    int status =
        string == NULL ? -1 : json_dump_callback(string, message_append, out, JSON_ENCODE_ANY);
    json_decref(string);
    return status;
}

/* What every message begins with. */
static int message_open(struct bytes *out, const char *type, const char *req_id)
{
    if (bytes_append_format(out, "{\"type\":\"%s\"", type) != 0)
        return -1;
    if (req_id == NULL)
        return 0;
    return bytes_append_format(out, ",\"reqId\":%s", req_id);
}

int message_ack(struct bytes *out, size_t saved)
{
    return bytes_append_format(out, "{\"type\":\"ack\",\"saved\":%zu}", saved);
}

int message_error(struct bytes *out, const char *text, const char *req_id)
{
    size_t start = out->len;
    if (message_open(out, "error", req_id) == 0 && bytes_append_text(out, ",\"error\":") == 0 &&
        message_string(out, text) == 0 && bytes_append_text(out, "}") == 0)
        return 0;
    out->len = start; /* half a message is none */
    return -1;
}

int message_response_head(struct bytes *out, const char *req_id)
{
    size_t start = out->len;
    if (message_open(out, "events:response", req_id) == 0 &&
        bytes_append_text(out, ",\"response\":") == 0)
        return 0;
    out->len = start;
    return -1;
}
