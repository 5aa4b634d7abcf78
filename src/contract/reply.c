#include "contract/reply.h"

#include "contract/document.h"

int reply_error(struct bytes *out, const char *text)
{
    return document_dump(out, json_pack("{s:s}", "error", text));
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
    return document_dump(out, json_pack("{s:b,s:s,s:s,s:s}", "ok", 1, "appId", app_id, "mode",
                                        "http", "version", version));
}
