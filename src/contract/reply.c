#include "contract/reply.h"

#include <jansson.h>

static int reply_append(const char *data, size_t len, void *arg)
{
    return bytes_append(arg, data, len);
}

/* Appends the document and lets go of it; NULL: it could not be made. */
static int reply_dump(struct bytes *out, json_t *document)
{
    int status =
        document == NULL ? -1 : json_dump_callback(document, reply_append, out, JSON_COMPACT);
    json_decref(document);
    return status;
}

int reply_error(struct bytes *out, const char *text)
{
    return reply_dump(out, json_pack("{s:s}", "error", text));
}

int reply_saved(struct bytes *out, size_t saved, size_t rejected, size_t duplicate)
{
    /* Numbers alone, on the hot path: nothing to escape. */
    return bytes_append_format(out,
                               "{\"ok\":true,\"saved\":%zu,\"rejected\":%zu,\"duplicate\":%zu}",
                               saved, rejected, duplicate);
}

int reply_ping(struct bytes *out, const char *app_id, const char *version)
{
    return reply_dump(out, json_pack("{s:b,s:s,s:s,s:s}", "ok", 1, "appId", app_id, "mode", "http",
                                     "version", version));
}
