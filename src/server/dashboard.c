#include "server/dashboard.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "contract/basic.h"
#include "contract/etag.h"
#include "contract/media.h"
#include "contract/url_path.h"
#include "server/coding.h"
#include "server/exchange.h"
#include "server/files.h"

/* What a page may load is not told: its scripts are the plugin's, among them one in the page itself
 * with the settings of the build, and nobody here knows what the next version loads. */
#define DASHBOARD_POLICY "frame-ancestors 'none'; base-uri 'self'; object-src 'none'"

static const char dashboard_index[] = "index.html";

/* On every answer of the route: no other page may frame or read it, or learn from a link where it
 * came from. */
static struct exchange_extra dashboard_extra(void)
{
    return (struct exchange_extra){
        .more = {{"Content-Security-Policy", DASHBOARD_POLICY},
                 {"X-Frame-Options", "DENY"},
                 {"Referrer-Policy", "no-referrer"},
                 {"Cross-Origin-Resource-Policy", "same-origin"}},
    };
}

static void dashboard_add(struct exchange_extra *extra, const char *name, const char *value)
{
    for (size_t i = 0; i < EXCHANGE_MORE; i++) {
        if (extra->more[i].name != NULL)
            continue;
        extra->more[i].name = name;
        extra->more[i].value = value;
        return;
    }
}

/* The Authorization header; NULL when there is none, or more than one: nobody guesses which counts.
 */
static const char *dashboard_authorization(const struct exchange *exchange)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    const char *found = NULL;
    /* TAILQ_FOREACH is in a header that not every system has. */
    const struct evkeyval *header = headers->tqh_first;
    for (; header != NULL; header = header->next.tqe_next) {
        if (strcasecmp(header->key, "Authorization") != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = header->value;
    }
    return found;
}

/* Whether the request may; otherwise it is answered. A key that may only ingest gets 401 like a
 * wrong one: at a 403 a browser would keep that password, and show the refusal until it is closed.
 */
static bool dashboard_may(struct exchange *exchange)
{
    const struct loop *loop = exchange->loop;
    struct basic basic;
    struct exchange_extra extra = dashboard_extra();
    const char *why = "a key with the query scope is needed as password, with any user name";
    if (loop->options->dashboard_open || !access_has_keys(loop->access))
        return true;
    if (basic_read(dashboard_authorization(exchange), &basic) == 0) {
        unsigned scopes = access_key_scopes(loop->access, basic.password, basic.password_len);
        if ((scopes & ACCESS_QUERY) != 0)
            return true;
        why = scopes != ACCESS_NONE ? "this key lacks the query scope" : "unknown key";
    }
    dashboard_add(&extra, "WWW-Authenticate", "Basic realm=\"beacond\", charset=\"UTF-8\"");
    exchange_error(exchange, 401, why, &extra);
    return false;
}

/* From the route itself to what its relative URLs begin at. Nobody is asked for a password before:
 * asked here, a browser would send it along to all paths beside the route, those of data too. The
 * target is relative, so that it is right behind a proxy that has cut something off the path. */
static void dashboard_redirect(struct exchange *exchange)
{
    struct exchange_extra extra = dashboard_extra();
    struct bytes target;
    bytes_init(&target);
    const char *name = strrchr(exchange->loop->options->routes.dashboard, '/') + 1;
    const char *query = exchange->query;
    if (bytes_append_format(&target, "./%s/%s%s", name, query != NULL ? "?" : "",
                            query != NULL ? query : "") != 0 ||
        bytes_append(&target, "", 1) != 0) {
        exchange_error(exchange, 503, "out of memory", &extra);
    } else {
        dashboard_add(&extra, "Location", target.data);
        exchange_reply(exchange, 301, NULL, &extra);
    }
    bytes_clear(&target);
}

/* The file for a path below the route (path[0] is '/'), or NULL. A page's own path, made up by a
 * script, is answered with the page; a missing script or picture must not be. */
static const struct file *dashboard_find(const struct exchange *exchange, const char *path,
                                         size_t len)
{
    const struct files *files = exchange->loop->options->dashboard;
    char name[URL_PATH_SIZE + sizeof dashboard_index];
    if (url_path_decode(path, len, name) != 0)
        return NULL;
    size_t end = strlen(name);
    bool directory = end == 0 || name[end - 1] == '/';
    if (directory)
        memcpy(name + end, dashboard_index, sizeof dashboard_index);
    const struct file *file = files_find(files, name);
    if (file != NULL || (!directory && media_has_extension(name)) ||
        !media_accepts_html(exchange_header(exchange, "Accept")))
        return file;
    return files_find(files, dashboard_index);
}

static void dashboard_unhold(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    files_drop(arg);
}

/* The bytes as they lie in memory; NULL when there is no memory to say so. */
static struct evbuffer *dashboard_buffer(struct files *files, const struct file_form *form)
{
    struct evbuffer *buffer = evbuffer_new();
    if (buffer == NULL || form->len == 0)
        return buffer;
    if (evbuffer_add_reference(buffer, form->data, form->len, dashboard_unhold,
                               files_hold(files)) == 0)
        return buffer;
    files_drop(files);
    evbuffer_free(buffer);
    return NULL;
}

static void dashboard_send(struct exchange *exchange, const struct file *file)
{
    struct exchange_extra extra = dashboard_extra();
    struct files *files = exchange->loop->options->dashboard;
    bool gzip = file->gzip.data != NULL &&
                coding_accepts_gzip(exchange_header(exchange, "Accept-Encoding"));
    const struct file_form *form = gzip ? &file->gzip : &file->plain;
    /* Whether the page stands in for a path that has no file is up to Accept. */
    extra.vary =
        strcmp(file->name, dashboard_index) == 0 ? "Accept, Accept-Encoding" : "Accept-Encoding";
    extra.type = file->type;
    extra.etag = form->etag;
    extra.cacheable = true;
    extra.cache_control = file->lasting ? "private, max-age=31536000, immutable" : NULL;
    if (etag_matches(exchange_header(exchange, "If-None-Match"), form->etag)) {
        exchange_reply(exchange, 304, NULL, &extra);
        return;
    }
    extra.gzip = gzip;
    /* exchange_reply_buffer leaves the length of nothing to evhttp, which forgets it for HEAD. */
    if (exchange->head && form->len == 0)
        dashboard_add(&extra, "Content-Length", "0");
    exchange_reply_buffer(exchange, 200, dashboard_buffer(files, form), &extra);
}

void dashboard_begin(struct exchange *exchange)
{
    const char *path = evhttp_request_get_uri(exchange->request) +
                       strlen(exchange->loop->options->routes.dashboard);
    size_t len = strcspn(path, "?");
    struct exchange_extra extra = dashboard_extra();
    if (len == 0) {
        dashboard_redirect(exchange);
        return;
    }
    if (!dashboard_may(exchange))
        return;
    const struct file *file = dashboard_find(exchange, path, len);
    if (file != NULL)
        dashboard_send(exchange, file);
    else
        exchange_error(exchange, 404, "nothing here", &extra);
}
