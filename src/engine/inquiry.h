/*
 * inquiry.h: one question whose answer is one small document, made on the reader threads in turns.
 *
 * What it asks, and how that is found, is its kind's (figures.h, rejects_page.h), which embeds it
 * as its first member. One that takes long is done in several short turns, between which others
 * have theirs and nothing is held open.
 *
 * It belongs to the thread that opens reply_to, but while it is asked, and frees itself when the
 * answer has been given: exactly one answer always comes.
 */
#ifndef BEACOND_ENGINE_INQUIRY_H
#define BEACOND_ENGINE_INQUIRY_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/readers.h"

enum inquiry_state {
    INQUIRY_MORE,    /* another turn is needed: not an answer */
    INQUIRY_DONE,    /* the document is there */
    INQUIRY_REFUSED, /* it can't be asked like that: why says so, naming the parameter */
    INQUIRY_FAILED,  /* the store failed or memory ran out; it has been logged */
};

struct inquiry;

/* The answer has come; the document may be taken (bytes_steal). The inquiry ends with the call. */
typedef void inquiry_fn(void *arg, enum inquiry_state state, struct bytes *document,
                        const char *why);

struct inquiry_kind {
    /* One turn, on a reader thread. INQUIRY_FAILED and INQUIRY_REFUSED with err. */
    enum inquiry_state (*run)(struct inquiry *inquiry, struct readers_desk *desk,
                              struct bytes *document, struct error *err);
    void (*free)(struct inquiry *inquiry); /* and all it is embedded in */
};

struct inquiry {
    struct turn turn; /* first */
    struct mail mail;
    const struct inquiry_kind *kind;
    struct engine *engine;
    struct mailbox *reply_to;
    inquiry_fn *fn;
    void *arg;
    atomic_bool given_up;

    /* The turn's, until the mail is posted. */
    enum inquiry_state state;
    struct bytes document;
    struct error err;
};

/* Asks. The rest of what it is embedded in has been set. */
void inquiry_ask(struct inquiry *inquiry, const struct inquiry_kind *kind, struct engine *engine,
                 struct mailbox *reply_to, inquiry_fn *fn, void *arg);

/* Nobody waits for the answer any more: no further turn is taken, and what comes is INQUIRY_FAILED
 * or an answer that was ready. The owner's thread, before the answer has come. */
void inquiry_give_up(struct inquiry *inquiry);

#endif
