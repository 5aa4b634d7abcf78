#include "server/probe.h"

const char *probe_unready(const struct loop *loop)
{
    if (loop->draining)
        return "not ready: draining";
    return engine_healthy(loop->engine) ? NULL : "not ready: commits fail, see the log";
}

static void probe_yes(struct exchange *exchange, const char *text)
{
    struct bytes body;
    bytes_init(&body);
    if (bytes_append_text(&body, text) == 0)
        exchange_reply(exchange, 200, &body, NULL);
    else
        exchange_error(exchange, 503, "out of memory", NULL);
}

void probe_alive(struct exchange *exchange)
{
    probe_yes(exchange, "{\"live\":true}");
}

void probe_ready(struct exchange *exchange)
{
    const char *why = probe_unready(exchange->loop);
    if (why == NULL)
        probe_yes(exchange, "{\"ready\":true}");
    else
        exchange_error(exchange, 503, why, NULL);
}
