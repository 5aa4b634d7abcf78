#include "server/show.h"

#include "contract/etag.h"
#include "page/page.h"
#include "server/coding.h"

void show_begin(struct exchange *exchange)
{
    const struct page *page = &exchange->loop->shared->page;
    bool gzip = coding_accepts_gzip(exchange_header(exchange, "Accept-Encoding"));
    bool same = etag_matches(exchange_header(exchange, "If-None-Match"), page->etag);
    const struct bytes *made = gzip ? &page->gzip : &page->html;
    struct exchange_extra extra = {
        .type = "text/html; charset=utf-8",
        .cacheable = true,
        .etag = page->etag,
        .vary_encoding = true,
        .gzip = gzip && !same,
        .more = {{"Content-Security-Policy", page->policy},
                 {"Referrer-Policy", "no-referrer"},
                 {"Cross-Origin-Resource-Policy", "same-origin"}},
    };
    struct bytes body;
    bytes_init(&body);
    if (same) {
        exchange_reply(exchange, 304, NULL, &extra);
    } else if (bytes_append(&body, made->data, made->len) == 0) {
        exchange_reply(exchange, 200, &body, &extra);
    } else {
        bytes_clear(&body);
        exchange_error(exchange, 503, "out of memory", NULL);
    }
}
