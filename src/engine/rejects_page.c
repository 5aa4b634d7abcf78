#include "engine/rejects_page.h"

#include <stdlib.h>
#include <string.h>

#include "contract/document.h"

struct rejects_page {
    struct inquiry inquiry; /* first */
    struct store_rejects_ask ask;

    /* Of the turn. */
    json_t *reasons, *rejects;
    int64_t last; /* number of the last one shown */
};

int rejects_page_read(struct store_rejects_ask *ask, const char *query, struct error *err)
{
    char limit[RANGE_VALUE_SIZE], before[RANGE_VALUE_SIZE];
    const char *limit_text, *before_text;
    int64_t most = REJECTS_PAGE_DEFAULT;

    *ask = (struct store_rejects_ask){
        .before = INT64_MAX, .head_bytes = REJECTS_PAGE_HEAD, .reasons = REJECTS_PAGE_REASONS};
    if (range_text(query, "limit", limit, sizeof limit, &limit_text, err) != 0 ||
        range_text(query, "before", before, sizeof before, &before_text, err) != 0)
        return -1;
    if (limit_text != NULL && range_number("limit", limit_text, 0, &most, err) != 0)
        return -1;
    if (before_text != NULL && range_number("before", before_text, 1, &ask->before, err) != 0)
        return -1;
    ask->most = most < REJECTS_PAGE_MOST ? (size_t)most : REJECTS_PAGE_MOST;
    return 0;
}

static int rejects_page_reason(void *arg, const char *reason, size_t len, int64_t rejects)
{
    struct rejects_page *page = arg;
    return document_add_pair(page->reasons, document_text(reason, len, false), rejects);
}

static int rejects_page_add(void *arg, const struct store_reject *reject, int64_t bytes)
{
    struct rejects_page *page = arg;
    json_t *one = json_pack("{sIsososIso}", "number", (json_int_t)reject->n, "received",
                            document_time(true, reject->received), "reason",
                            document_text(reject->reason, strlen(reject->reason), false), "bytes",
                            (json_int_t)bytes, "event",
                            document_text(reject->text, reject->len, (int64_t)reject->len < bytes));
    page->last = reject->n;
    return one != NULL ? json_array_append_new(page->rejects, one) : -1;
}

/* Takes the arrays. */
static json_t *rejects_page_json(struct rejects_page *page, const struct store_rejects_show *show)
{
    bool more = show->more && page->ask.most > 0;
    json_t *next = more ? json_integer((json_int_t)page->last) : json_null();
    json_t *document = json_pack("{sIsososo}", "total", (json_int_t)show->total, "reasons",
                                 page->reasons, "rejects", page->rejects, "next", next);
    page->reasons = page->rejects = NULL;
    return document;
}

static enum inquiry_state rejects_page_run(struct inquiry *inquiry, struct readers_desk *desk,
                                           struct bytes *document, struct error *err)
{
    struct rejects_page *page = (struct rejects_page *)inquiry;
    struct store_rejects_show show = {rejects_page_reason, rejects_page_add, page, 0, false};
    page->reasons = json_array();
    page->rejects = json_array();
    if (store_show_rejects(desk->reader, &page->ask, &show, err) != STORE_OK)
        return INQUIRY_FAILED;
    if (document_dump(document, rejects_page_json(page, &show)) == 0)
        return INQUIRY_DONE;
    error_set(err, "out of memory");
    return INQUIRY_FAILED;
}

static void rejects_page_free(struct inquiry *inquiry)
{
    struct rejects_page *page = (struct rejects_page *)inquiry;
    json_decref(page->reasons);
    json_decref(page->rejects);
    free(page);
}

struct inquiry *rejects_page_new(struct engine *engine, const struct store_rejects_ask *ask,
                                 struct mailbox *reply_to, inquiry_fn *fn, void *arg)
{
    static const struct inquiry_kind kind = {rejects_page_run, rejects_page_free};
    struct rejects_page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return NULL;
    page->ask = *ask;
    inquiry_ask(&page->inquiry, &kind, engine, reply_to, fn, arg);
    return &page->inquiry;
}
