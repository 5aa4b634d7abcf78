/* Followers and readers that are too slow: what is lost, and that it is told. */

#include "hearer.h"

START_TEST(follower_that_is_slow_is_told_once_and_hears_again)
{
    static struct hearer slow, quick;
    struct mailbox *box = mailbox_new();
    hearer_begin(&slow, false, box);
    hearer_begin(&quick, false, mailbox);
    for (unsigned i = 0; i < 24; i++) {
        store_batch(batch_of_a_mib(i));
        (void)mailbox_open_all(mailbox);
    }
    (void)mailbox_open_all(box);
    ck_assert_uint_eq(quick.losses, 0);
    ck_assert_uint_eq(quick.events, 24 * 8);
    assert_gapless(&quick, 0, quick.count);
    ck_assert_uint_eq(slow.losses, 1);
    ck_assert_uint_eq(slow.count_at_loss, slow.count);
    ck_assert_uint_ge(slow.events, 15 * 8);
    ck_assert_uint_lt(slow.events, 18 * 8);
    ck_assert_mem_eq(slow.heard, quick.heard, slow.count * sizeof *slow.heard);
    /* What comes after it was told is heard. */
    size_t before = slow.count;
    store_batch(batch_of(1, 1, "again"));
    (void)mailbox_open_all(box);
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(slow.losses, 1);
    ck_assert_uint_eq(slow.count, before + 1);
    ck_assert_ptr_eq(slow.heard[before], quick.heard[quick.count - 1]);
    /* And a second loss is told anew. */
    for (unsigned i = 0; i < 20; i++)
        store_batch(batch_of_a_mib(i));
    (void)mailbox_open_all(box);
    ck_assert_uint_eq(slow.losses, 2);
    ck_assert_uint_eq(slow.count_at_loss, slow.count);
    hearer_end(&slow);
    hearer_end(&quick);
    (void)mailbox_open_all(mailbox);
    mailbox_free(box);
}
END_TEST

START_TEST(followers_are_told_of_what_the_readers_were_too_slow_for)
{
    static struct hearer hearer;
    size_t before;
    hearer_begin(&hearer, true, mailbox);
    block_readers();
    for (unsigned i = 0; i < 20; i++)
        store_batch(batch_of_a_mib(i));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(hearer.count + hearer.losses, 0);
    unblock_readers();
    while (hearer.losses == 0)
        wait_for_mail(mailbox);
    ck_assert_uint_eq(hearer.losses, 1);
    ck_assert_uint_eq(hearer.count_at_loss, hearer.count);
    ck_assert_uint_ge(hearer.events, 15 * 8);
    ck_assert_uint_lt(hearer.events, 18 * 8);
    assert_gapless(&hearer, 0, hearer.count);
    before = hearer.count;
    store_batch(batch_of(1, 1, "again"));
    hearer_wait(&hearer, before + 1, mailbox);
    ck_assert_uint_eq(hearer.losses, 1);
    ck_assert_int_eq(hearer.heard[before]->first_seq, 20 * 8 + 1);
    hearer_end(&hearer);
}
END_TEST

/* Publishes n MiB in the writer's place, which has nothing to do: parts with seqs of their own. */
static void publish(struct batch *batch, unsigned n, int64_t *seq)
{
    struct store_item item = {.batch = batch};
    for (; n > 0; n--) {
        for (size_t i = 0; i < batch->event_count; i++)
            batch->events[i].seq = ++*seq;
        follow_publish(engine->follow, &item, 1);
    }
}

/* The holes in what was heard: each where a loss was told, and nowhere else. */
static unsigned count_holes(const struct hearer *hearer)
{
    unsigned holes = 0;
    for (size_t i = 1; i < hearer->count; i++) {
        bool hole = hearer->heard[i]->first_seq != hearer->heard[i - 1]->last_seq + 1;
        ck_assert_int_gt(hearer->heard[i]->first_seq, hearer->heard[i - 1]->last_seq);
        ck_assert(hole == hearer->lost_before[i]);
        holes += hole;
    }
    return holes;
}

START_TEST(losses_are_told_where_they_happened)
{
    static struct hearer hearer;
    struct batch *batch = batch_of_a_mib(1);
    unsigned rounds = 0, holes;
    int64_t seq = 0;
    hearer_begin(&hearer, true, mailbox);
    while (rounds++ < 3) {
        unsigned losses = hearer.losses;
        block_readers();
        publish(batch, 20, &seq);
        unblock_readers();
        publish(batch, 2, &seq);
        (void)mailbox_open_all(mailbox);
        publish(batch, 2, &seq);
        while (hearer.losses == losses)
            wait_for_mail(mailbox);
        /* Either what is published last is heard, or a loss is told behind it. */
        do {
            losses = hearer.losses;
            publish(batch, 1, &seq);
            while (hearer.losses == losses && hearer.heard[hearer.count - 1]->last_seq < seq)
                wait_for_mail(mailbox);
        } while (hearer.heard[hearer.count - 1]->last_seq < seq);
    }
    holes = count_holes(&hearer);
    ck_assert_uint_ge(holes, 3);
    ck_assert_uint_le(holes, hearer.losses);
    hearer_end(&hearer);
    batch_free(batch);
}
END_TEST

static struct batch *more_batch;
static int64_t more_seq;

/* Hears, and publishes more with the very first: it has made room for one part, but a loss is on
 * its way already. */
static void hear_and_publish(void *arg, struct publication *publication)
{
    struct hearer *hearer = arg;
    hearer_hear(arg, publication);
    if (hearer->count + hearer->losses == 1)
        publish(more_batch, 2, &more_seq);
}

START_TEST(losses_behind_one_that_is_not_told_yet_are_told_with_it)
{
    static struct hearer hearer;
    struct follower *follower = engine_follow(engine, false, mailbox, hear_and_publish, &hearer);
    ck_assert_ptr_nonnull(follower);
    more_batch = batch_of_a_mib(1);
    publish(more_batch, 20, &more_seq);
    (void)mailbox_open_all(mailbox); /* what was there */
    (void)mailbox_open_all(mailbox); /* what that had published */
    publish(more_batch, 1, &more_seq);
    (void)mailbox_open_all(mailbox);
    ck_assert_int_eq(hearer.heard[hearer.count - 1]->last_seq, more_seq);
    ck_assert_uint_eq(count_holes(&hearer), 1);
    ck_assert_uint_eq(hearer.losses, 1);
    engine_unfollow(follower);
    hearer_drop(&hearer);
    batch_free(more_batch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow_losses");
    TCase *tcase = tcase_create("follow_losses");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, run_setup, run_teardown);
    tcase_add_test(tcase, follower_that_is_slow_is_told_once_and_hears_again);
    tcase_add_test(tcase, followers_are_told_of_what_the_readers_were_too_slow_for);
    tcase_add_test(tcase, losses_are_told_where_they_happened);
    tcase_add_test(tcase, losses_behind_one_that_is_not_told_yet_are_told_with_it);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
