#include "base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Invariant: while the list is not empty and the owner is not about to take it, the eventfd is
 * readable. So the owner empties the eventfd first and takes the list then, and a post that finds
 * the list empty writes the eventfd before it lets go of the mutex: whoever opens that mail may end
 * the poster's world (the mailbox too) without a late write into a closed descriptor.
 */
struct mailbox {
    pthread_mutex_t mutex;
    struct mail *first; /* NULL when empty */
    struct mail **end;  /* where the next mail is hung in */
    int fd;
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *box = malloc(sizeof *box);
    if (box == NULL)
        return NULL;
    box->first = NULL;
    box->end = &box->first;
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->fd < 0) {
        free(box);
        return NULL;
    }
    pthread_mutex_init(&box->mutex, NULL);
    return box;
}

void mailbox_free(struct mailbox *box)
{
    if (box == NULL)
        return;
    close(box->fd);
    pthread_mutex_destroy(&box->mutex);
    free(box);
}

int mailbox_fd(const struct mailbox *box)
{
    return box->fd;
}

/* A nonblocking eventfd fails only by EAGAIN (the counter is full, or empty), and either leaves it
 * in the state that was wanted. */
static void mailbox_ring(struct mailbox *box)
{
    uint64_t one = 1;
    while (write(box->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void mailbox_hush(struct mailbox *box)
{
    uint64_t count;
    while (read(box->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&box->mutex);
    if (box->first == NULL)
        mailbox_ring(box);
    *box->end = mail;
    box->end = &mail->next;
    pthread_mutex_unlock(&box->mutex);
}

size_t mailbox_open_all(struct mailbox *box)
{
    mailbox_hush(box);
    pthread_mutex_lock(&box->mutex);
    struct mail *mail = box->first;
    box->first = NULL;
    box->end = &box->first;
    pthread_mutex_unlock(&box->mutex);

    size_t count = 0;
    while (mail != NULL) {
        struct mail *next = mail->next; /* open may free the mail, or post it anew */
        mail->open(mail);
        mail = next;
        count++;
    }
    return count;
}
