#include "engine/sequel.h"

#include <stdlib.h>

#include "base/log.h"
#include "engine/internal.h"
#include "engine/readers.h"

/*
 * Between sequel_ask and the opening of the mail it is the reader threads' and the mailbox's: one
 * that is freed meanwhile is only marked, and goes when its mail is opened.
 */
struct sequel {
    struct turn turn; /* first */
    struct mail mail;
    struct engine *engine;
    sequel_put_fn *put;
    struct mailbox *reply_to;
    sequel_fn *fn;
    void *arg;
    bool asked; /* the owner's: the mail has not been opened */
    bool freed; /* likewise */

    /* The turn's, until the mail is posted. */
    bool place; /* sequel_ask_place */
    int64_t after;
    struct sequel_page page;
    struct error err;
};

/* --- on a reader thread ----------------------------------------------------------------------- */

static int sequel_row(void *arg, const struct store_row *row)
{
    struct sequel *sequel = arg;
    struct sequel_page *page = &sequel->page;
    if (sequel->put(&page->text, row->place.seq, row->text, row->len) != 0) {
        error_set(&sequel->err, "out of memory");
        page->failed = true;
        return -1;
    }
    page->last = row->place.seq;
    return page->text.len >= SEQUEL_PAGE_BYTES;
}

static int sequel_find_place(struct sequel *sequel, struct store_reader *reader)
{
    struct store_newest newest;
    int status = store_newest(reader, &newest, &sequel->err);
    if (status == STORE_OK && newest.max_seq < sequel->after)
        sequel->page.last = newest.max_seq;
    return status;
}

static void sequel_run(struct turn *turn, struct readers_desk *desk)
{
    struct sequel *sequel = (struct sequel *)turn;
    struct sequel_page *page = &sequel->page;
    page->last = sequel->after;
    int status = sequel->place ? sequel_find_place(sequel, desk->reader)
                               : store_page_seq(desk->reader, sequel->after, INT64_MAX, sequel_row,
                                                sequel, &page->more, &sequel->err);
    page->failed = page->failed || status != STORE_OK;
    if (page->failed)
        log_error("a read failed: %s", sequel->err.text);
    mailbox_post(sequel->reply_to, &sequel->mail);
}

/* --- on the owner's --------------------------------------------------------------------------- */

static void sequel_open(struct mail *mail)
{
    struct sequel *sequel = (struct sequel *)((char *)mail - offsetof(struct sequel, mail));
    struct sequel_page page = sequel->page;
    sequel->page = (struct sequel_page){0};
    sequel->asked = false;
    if (sequel->freed)
        free(sequel);
    else
        sequel->fn(sequel->arg, &page); /* may free the sequel */
    bytes_clear(&page.text);
}

struct sequel *sequel_new(struct engine *engine, sequel_put_fn *put, struct mailbox *reply_to,
                          sequel_fn *fn, void *arg)
{
    struct sequel *sequel = calloc(1, sizeof *sequel);
    if (sequel == NULL)
        return NULL;
    sequel->turn.run = sequel_run;
    sequel->mail.open = sequel_open;
    sequel->engine = engine;
    sequel->put = put;
    sequel->reply_to = reply_to;
    sequel->fn = fn;
    sequel->arg = arg;
    return sequel;
}

static void sequel_begin(struct sequel *sequel, bool place, int64_t after)
{
    sequel->asked = true;
    sequel->place = place;
    sequel->after = after;
    readers_take(sequel->engine->readers, &sequel->turn);
}

void sequel_ask(struct sequel *sequel, int64_t after)
{
    sequel_begin(sequel, false, after);
}

void sequel_ask_place(struct sequel *sequel, int64_t after)
{
    sequel_begin(sequel, true, after);
}

void sequel_free(struct sequel *sequel)
{
    if (sequel == NULL)
        return;
    sequel->freed = true;
    if (!sequel->asked)
        free(sequel);
}
