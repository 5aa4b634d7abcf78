#include "engine/inquiry.h"

#include "base/log.h"
#include "engine/internal.h"

/* On a reader thread. Behind readers_take and mailbox_post the inquiry is someone else's. */
static void inquiry_run(struct turn *turn, struct readers_desk *desk)
{
    struct inquiry *inquiry = (struct inquiry *)turn;
    inquiry->state = INQUIRY_FAILED;
    if (!atomic_load(&inquiry->given_up)) {
        inquiry->state = inquiry->kind->run(inquiry, desk, &inquiry->document, &inquiry->err);
        if (inquiry->state == INQUIRY_FAILED)
            log_error("a read failed: %s", inquiry->err.text);
    }
    if (inquiry->state == INQUIRY_MORE)
        readers_take(inquiry->engine->readers, &inquiry->turn);
    else
        mailbox_post(inquiry->reply_to, &inquiry->mail);
}

static void inquiry_open(struct mail *mail)
{
    struct inquiry *inquiry = (struct inquiry *)((char *)mail - offsetof(struct inquiry, mail));
    inquiry->fn(inquiry->arg, inquiry->state, &inquiry->document, inquiry->err.text);
    bytes_clear(&inquiry->document);
    inquiry->kind->free(inquiry);
}

void inquiry_ask(struct inquiry *inquiry, const struct inquiry_kind *kind, struct engine *engine,
                 struct mailbox *reply_to, inquiry_fn *fn, void *arg)
{
    inquiry->turn.run = inquiry_run;
    inquiry->mail.open = inquiry_open;
    inquiry->kind = kind;
    inquiry->engine = engine;
    inquiry->reply_to = reply_to;
    inquiry->fn = fn;
    inquiry->arg = arg;
    atomic_init(&inquiry->given_up, false);
    bytes_init(&inquiry->document);
    inquiry->err.text[0] = '\0';
    readers_take(engine->readers, &inquiry->turn);
}

void inquiry_give_up(struct inquiry *inquiry)
{
    atomic_store(&inquiry->given_up, true);
}
