/*
 * hearer.h: one that follows an engine and keeps what it is handed, and the means to make the
 * engine slow.
 */
#ifndef BEACOND_TESTS_HEARER_H
#define BEACOND_TESTS_HEARER_H

#include <jansson.h>
#include <semaphore.h>

#include "engine/follow.h"
#include "engine/internal.h"
#include "engine_run.h"

/* Who follows, and keeps what it was handed. */
struct hearer {
    struct follower *follower;
    struct publication *heard[4096];
    size_t count;
    size_t events;
    unsigned losses;
    size_t count_at_loss;   /* heard before the last of them */
    bool lost_before[4097]; /* whether a loss was told in front of the one */
    unsigned most;          /* publications after which it ends, from within; 0 for never */
};

static inline void hearer_hear(void *arg, struct publication *publication)
{
    struct hearer *hearer = arg;
    if (publication == NULL) {
        hearer->losses++;
        hearer->count_at_loss = hearer->count;
        hearer->lost_before[hearer->count] = true;
        return;
    }
    ck_assert_uint_lt(hearer->count, sizeof hearer->heard / sizeof *hearer->heard);
    publication_hold(publication);
    hearer->heard[hearer->count++] = publication;
    hearer->events += publication->events;
    if (hearer->count == hearer->most) {
        engine_unfollow(hearer->follower);
        hearer->follower = NULL;
    }
}

static inline void hearer_begin(struct hearer *hearer, bool deflated, struct mailbox *box)
{
    *hearer = (struct hearer){0};
    hearer->follower = engine_follow(engine, deflated, box, hearer_hear, hearer);
    ck_assert_ptr_nonnull(hearer->follower);
}

static inline void hearer_drop(struct hearer *hearer)
{
    for (size_t i = 0; i < hearer->count; i++)
        publication_drop(hearer->heard[i]);
    hearer->count = 0;
}

static inline void hearer_end(struct hearer *hearer)
{
    engine_unfollow(hearer->follower);
    hearer_drop(hearer);
}

static inline void hearer_wait(const struct hearer *hearer, size_t count, struct mailbox *box)
{
    while (hearer->count < count)
        wait_for_mail(box);
}

static inline void store_batch(struct batch *batch)
{
    struct order order;
    struct mailbox *box = mailbox_new();
    ck_assert_ptr_nonnull(box);
    order_submit(&order, box, batch);
    order_wait(&order, box);
    ck_assert(order.submission.stored);
    batch_free(batch);
    mailbox_free(box);
}

/* A batch of one MiB and somewhat more: an eighth of it each event. */
static inline struct batch *batch_of_a_mib(unsigned n)
{
    static char text[(128 << 10) + 1];
    memset(text, 'x', sizeof text - 1);
    return batch_of(n, 8, text);
}

/* Keeps all reader threads busy until told to go on. */
struct blocker {
    struct turn turn;
    sem_t entered, go, left;
};

static struct blocker blockers[2];

static inline void blocker_run(struct turn *turn, struct readers_desk *desk)
{
    struct blocker *blocker = (struct blocker *)turn;
    (void)desk;
    sem_post(&blocker->entered);
    while (sem_wait(&blocker->go) != 0)
        ;
    sem_post(&blocker->left);
}

static inline void block_readers(void)
{
    ck_assert_uint_eq(options.readers, 2);
    for (int i = 0; i < 2; i++) {
        blockers[i].turn.run = blocker_run;
        sem_init(&blockers[i].entered, 0, 0);
        sem_init(&blockers[i].go, 0, 0);
        sem_init(&blockers[i].left, 0, 0);
        readers_take(engine->readers, &blockers[i].turn);
    }
    for (int i = 0; i < 2; i++)
        while (sem_wait(&blockers[i].entered) != 0)
            ;
}

static inline void unblock_readers(void)
{
    for (int i = 0; i < 2; i++)
        sem_post(&blockers[i].go);
    for (int i = 0; i < 2; i++)
        while (sem_wait(&blockers[i].left) != 0)
            ;
}

/* The publication is a push message of so many events. */
static inline json_t *message_events(const struct publication *publication)
{
    json_t *message = json_loadb(publication->plain.data, publication->plain.len, 0, NULL);
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(json_object_size(message), 2);
    ck_assert_str_eq(json_string_value(json_object_get(message, "type")), "push");
    json_t *events = json_incref(json_object_get(message, "events"));
    ck_assert_uint_eq(json_array_size(events), publication->events);
    ck_assert_int_ge(publication->last_seq - publication->first_seq + 1,
                     (json_int_t)publication->events);
    json_decref(message);
    return events;
}

/* Whether what was heard from the given place on is one run of seqs without a hole, but for those
 * between commits where the store makes such. */
static inline void assert_gapless(const struct hearer *hearer, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct publication *publication = hearer->heard[i];
        ck_assert_int_eq(publication->last_seq - publication->first_seq + 1,
                         (int64_t)publication->events);
        if (i > from && RUN_SHARED)
            ck_assert_int_gt(publication->first_seq, hearer->heard[i - 1]->last_seq);
        else if (i > from)
            ck_assert_int_eq(publication->first_seq, hearer->heard[i - 1]->last_seq + 1);
    }
}

#endif
