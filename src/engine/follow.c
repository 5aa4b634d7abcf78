#include "engine/follow.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "engine/internal.h"
#include "engine/publication.h"
#include "engine/readers.h"

/* What may wait for a reader thread, and what may wait in one follower's mailbox. Either may be
 * passed by one publication. */
#define FOLLOW_WAITING_BYTES (16 << 20)

/*
 * Order: publications are handed out under the mutex and in the order of the queue, by the one turn
 * as long as turning is set, else by the writer as soon as it has queued them.
 *
 * Lifetimes: a mail in a mailbox can't be taken back, so a follower stays until the last of its
 * mails has been opened, and this stays until the last follower is freed: the mails that wait when
 * the engine closes find both.
 */
struct follow {
    atomic_size_t following; /* followers that have not ended; changed under the mutex */
    struct readers *readers;
    struct turn turn;

    pthread_mutex_t mutex;        /* guards all below, and the followers' lower half */
    struct list followers;        /* that have not ended */
    size_t deflating;             /* of those, how many want it deflated */
    size_t references;            /* the engine's and each follower's, ended ones included */
    struct parcel *first, **last; /* the queue */
    size_t bytes;                 /* of the queue and of what the turn has at hand */
    bool turning;                 /* the turn waits or runs */
    bool gap;                     /* something was lost behind the last of the queue: nothing is
                                   * queued until that has been told */
};

struct follower {
    struct follow *follow;
    struct mailbox *reply_to;
    follow_fn *fn;
    void *arg;
    bool deflated;

    struct list node;      /* in followers */
    struct mail lost_mail; /* tells the loss; part of the follower since it must need no memory */
    bool lost;             /* lost_mail is posted. What is published until it is opened is lost as
                            * well, and told by it */
    bool ended;
    size_t posted; /* mails not opened yet, lost_mail included */
    size_t bytes;  /* of the publications among them */
};

/* One publication on its way to one follower. */
struct delivery {
    struct mail mail; /* first */
    struct follower *follower;
    struct publication *publication;
};

/* What waiting for its follower costs; small ones are mostly overhead. */
static size_t delivery_bytes(const struct publication *publication)
{
    return sizeof(struct parcel) + sizeof(struct delivery) + publication->plain.len +
           publication->deflated.len;
}

/* Unlocks, and frees it when that was the last reference. */
static void follow_unlock(struct follow *follow)
{
    bool unused = follow->references == 0;
    pthread_mutex_unlock(&follow->mutex);
    if (!unused)
        return;
    pthread_mutex_destroy(&follow->mutex);
    free(follow);
}

/* Frees a follower that has ended once no mail leads to it. Called locked. */
static void follower_release(struct follower *follower)
{
    if (!follower->ended || follower->posted > 0)
        return;
    follower->follow->references--;
    free(follower);
}

/* Called locked. */
static void follower_end(struct follower *follower)
{
    struct follow *follow = follower->follow;
    list_remove(&follower->node);
    if (follower->deflated)
        follow->deflating--;
    (void)atomic_fetch_sub(&follow->following, 1);
    follower->ended = true;
    follower_release(follower);
}

/* A mail to the follower has been opened, with that publication or with NULL. */
static void follower_open(struct follower *follower, struct publication *publication)
{
    struct follow *follow = follower->follow;
    follow_fn *fn = follower->fn;
    void *arg = follower->arg;
    pthread_mutex_lock(&follow->mutex);
    follower->posted--;
    if (publication != NULL)
        follower->bytes -= delivery_bytes(publication);
    else
        follower->lost = false;
    bool ended = follower->ended;
    follower_release(follower);
    follow_unlock(follow);
    if (!ended)
        fn(arg, publication);
}

static void follower_open_delivery(struct mail *mail)
{
    struct delivery *delivery = (struct delivery *)mail;
    struct follower *follower = delivery->follower;
    struct publication *publication = delivery->publication;
    free(delivery);
    follower_open(follower, publication);
    publication_drop(publication);
}

static void follower_open_lost(struct mail *mail)
{
    follower_open(LIST_OF(mail, struct follower, lost_mail), NULL);
}

/* Called locked. */
static void follower_lose(struct follower *follower)
{
    if (follower->lost)
        return;
    follower->lost = true;
    follower->posted++;
    mailbox_post(follower->reply_to, &follower->lost_mail);
}

/* Called locked. */
static void follower_deliver(struct follower *follower, struct publication *publication)
{
    if (follower->lost)
        return;
    struct delivery *delivery = NULL;
    if (follower->bytes < FOLLOW_WAITING_BYTES)
        delivery = malloc(sizeof *delivery);
    if (delivery == NULL) {
        follower_lose(follower);
        return;
    }
    *delivery = (struct delivery){{.open = follower_open_delivery}, follower, publication};
    publication_hold(publication);
    follower->posted++;
    follower->bytes += delivery_bytes(publication);
    mailbox_post(follower->reply_to, &delivery->mail);
}

/* The queue is empty: tells all of a loss behind it, if there was one. Called locked. */
static void follow_tell_gap(struct follow *follow)
{
    if (!follow->gap)
        return;
    follow->gap = false;
    for (struct list *node = follow->followers.next; node != &follow->followers; node = node->next)
        follower_lose(LIST_OF(node, struct follower, node));
}

/* What one counts for in the queue: the same before and after it has been deflated. */
static size_t parcel_bytes(const struct parcel *parcel)
{
    return sizeof *parcel + parcel->publication.plain.len;
}

/* The head of the queue, which stays counted in bytes until it is handed out; NULL when it is
 * empty. Called locked. */
static struct parcel *follow_take(struct follow *follow)
{
    struct parcel *parcel = follow->first;
    if (parcel == NULL)
        return NULL;
    follow->first = parcel->next;
    if (follow->first == NULL)
        follow->last = &follow->first;
    return parcel;
}

/* Called locked. */
static void follow_hand_out(struct follow *follow, struct parcel *parcel)
{
    for (struct list *node = follow->followers.next; node != &follow->followers; node = node->next)
        follower_deliver(LIST_OF(node, struct follower, node), &parcel->publication);
    follow->bytes -= parcel_bytes(parcel);
    publication_drop(&parcel->publication);
}

static void follow_run(struct turn *turn, struct readers_desk *desk)
{
    struct follow *follow = LIST_OF(turn, struct follow, turn);
    struct parcel *parcel = NULL;
    size_t done = 0;
    pthread_mutex_lock(&follow->mutex);
    while (done < PUBLICATION_TEXT_BYTES && (parcel = follow_take(follow)) != NULL) {
        bool deflate = follow->deflating > 0;
        pthread_mutex_unlock(&follow->mutex);
        done += parcel->publication.plain.len;
        if (deflate)
            publication_deflate(&parcel->publication, desk);
        pthread_mutex_lock(&follow->mutex);
        follow_hand_out(follow, parcel);
    }
    follow->turning = follow->first != NULL;
    if (follow->turning) {
        /* Behind the others: many commits must not hold up the readings. */
        readers_take(follow->readers, &follow->turn);
    } else {
        follow_tell_gap(follow);
    }
    pthread_mutex_unlock(&follow->mutex);
}

/* Queues a publication; NULL for one that was lost. */
static void follow_queue(struct follow *follow, struct parcel *parcel)
{
    pthread_mutex_lock(&follow->mutex);
    if (parcel == NULL) {
        follow->gap = true;
    } else {
        follow->bytes += parcel_bytes(parcel);
        *follow->last = parcel;
        follow->last = &parcel->next;
    }
    /* With nothing to deflate a turn would only cost time; one under way has the order to keep. */
    if (!follow->turning && follow->deflating > 0) {
        follow->turning = true;
        readers_take(follow->readers, &follow->turn);
    } else if (!follow->turning) {
        while ((parcel = follow_take(follow)) != NULL)
            follow_hand_out(follow, parcel);
        follow_tell_gap(follow);
    }
    pthread_mutex_unlock(&follow->mutex);
}

/* Only the writer adds, so room that was there is there. */
static bool follow_has_room(struct follow *follow)
{
    pthread_mutex_lock(&follow->mutex);
    bool room = follow->bytes < FOLLOW_WAITING_BYTES && !follow->gap;
    pthread_mutex_unlock(&follow->mutex);
    return room;
}

bool follow_wanted(struct follow *follow)
{
    return atomic_load(&follow->following) > 0;
}

/*
 * That nobody follows may be outdated at once, and no one misses anything by it: whoever begins to
 * follow is counted before its snapshot is taken. A snapshot without this commit was taken before
 * the COMMIT, so the count was raised before it too, and the load here comes after it. (Both
 * COMMIT and the begin of a read go through the kernel's file locks: no processor moves them past
 * the count.)
 *
 * Of a shared store: a snapshot without this commit is of an earlier moment than that of the log in
 * which the writer found it, and what comes before this was found there.
 */
void follow_publish_part(struct follow *follow, const struct store_item *items, size_t count,
                         int64_t low, int64_t high)
{
    struct publication_place place = {.items = items, .count = count, .low = low, .high = high};
    size_t events, bytes;
    if (!follow_wanted(follow))
        return;
    while ((events = publication_measure(place, &bytes)) > 0) {
        struct parcel *parcel =
            follow_has_room(follow) ? publication_build(&place, events, bytes) : NULL;
        follow_queue(follow, parcel);
        if (parcel == NULL)
            break;
    }
}

void follow_publish(struct follow *follow, const struct store_item *items, size_t count)
{
    follow_publish_part(follow, items, count, 1, INT64_MAX);
}

void follow_lose(struct follow *follow)
{
    if (follow_wanted(follow))
        follow_queue(follow, NULL);
}

struct follow *follow_new(struct readers *readers)
{
    struct follow *follow = calloc(1, sizeof *follow);
    if (follow == NULL)
        return NULL;
    pthread_mutex_init(&follow->mutex, NULL);
    atomic_init(&follow->following, 0);
    follow->readers = readers;
    follow->turn.run = follow_run;
    follow->references = 1;
    follow->last = &follow->first;
    list_init(&follow->followers);
    return follow;
}

void follow_close(struct follow *follow)
{
    if (follow == NULL)
        return;
    pthread_mutex_lock(&follow->mutex);
    struct list *node = follow->followers.next, *next;
    for (; node != &follow->followers; node = next) {
        next = node->next;
        follower_end(LIST_OF(node, struct follower, node));
    }
    follow->references--;
    follow_unlock(follow);
}

struct follower *engine_follow(struct engine *engine, bool deflated, struct mailbox *reply_to,
                               follow_fn *fn, void *arg)
{
    struct follow *follow = engine->follow;
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL)
        return NULL;
    follower->follow = follow;
    follower->reply_to = reply_to;
    follower->fn = fn;
    follower->arg = arg;
    follower->deflated = deflated;
    follower->lost_mail.open = follower_open_lost;
    pthread_mutex_lock(&follow->mutex);
    follow->references++;
    list_append(&follow->followers, &follower->node);
    if (deflated)
        follow->deflating++;
    (void)atomic_fetch_add(&follow->following, 1);
    pthread_mutex_unlock(&follow->mutex);
    return follower;
}

void engine_unfollow(struct follower *follower)
{
    if (follower == NULL)
        return;
    struct follow *follow = follower->follow;
    pthread_mutex_lock(&follow->mutex);
    follower_end(follower);
    follow_unlock(follow);
}
