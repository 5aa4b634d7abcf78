/*
 * mailbox.h: how one thread hands things to another that sleeps in poll().
 *
 * A list under a mutex plus an eventfd that is written only when the list was empty, so a burst
 * costs one wake-up. A mail is embedded in whatever it is about; it is in one mailbox at a time and
 * its owner keeps it alive until it has been opened. Posting: any thread, never blocks but for the
 * mutex. Opening: the owner thread alone. Mails are opened in the order they were posted.
 */
#ifndef BEACOND_BASE_MAILBOX_H
#define BEACOND_BASE_MAILBOX_H

#include <stddef.h>

#include "base/error.h"

struct mail {
    struct mail *next;
    void (*open)(struct mail *mail); /* called on the owner's thread; may free the mail */
};

struct mailbox;

/* NULL when out of memory or descriptors. */
struct mailbox *mailbox_new(void) MUST_CHECK;
void mailbox_free(struct mailbox *box); /* no mail may be waiting; nobody may post any more */

int mailbox_fd(const struct mailbox *box); /* readable when mail waits */
void mailbox_post(struct mailbox *box, struct mail *mail);

/* Opens all that waits, including what is posted meanwhile by the mails themselves only in the next
 * call. Returns how many were opened. */
size_t mailbox_open_all(struct mailbox *box);

#endif
