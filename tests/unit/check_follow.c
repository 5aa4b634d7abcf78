/* What is committed, handed to those who follow: order, sharing and lifetimes. */

#include "hearer.h"

static struct hearer early;
static size_t heard_at_answer;

static void early_open(struct mail *mail)
{
    ((struct order *)mail)->answered = true;
    heard_at_answer = early.count;
}

START_TEST(follower_hears_a_commit_as_a_push_message_before_its_answer)
{
    struct order order = {.submission = {.mail = {.open = early_open},
                                         .reply_to = mailbox,
                                         .batch = batch_of(1, 3, "a")}};
    hearer_begin(&early, false, mailbox);
    engine_submit(engine, &order.submission);
    order_wait(&order, mailbox);
    ck_assert_uint_eq(heard_at_answer, 1);
    ck_assert_uint_eq(early.count, 1);
    const struct publication *publication = early.heard[0];
    ck_assert(RUN_SHARED || publication->first_seq == 1);
    ck_assert_int_eq(publication->last_seq, publication->first_seq + 2);
    ck_assert_uint_eq(publication->deflated.len, 0);
    json_t *events = message_events(publication);
    ck_assert_uint_eq(json_array_size(events), 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(
            (size_t)json_integer_value(json_object_get(json_array_get(events, i), "n")), i);
    json_decref(events);
    /* Byte for byte the text that was stored. */
    ck_assert_ptr_nonnull(memmem(publication->plain.data, publication->plain.len,
                                 order.submission.batch->events[2].text,
                                 order.submission.batch->events[2].text_len));
    batch_free(order.submission.batch);
    hearer_end(&early);
}
END_TEST

START_TEST(follower_does_not_hear_what_was_committed_before_or_after)
{
    static struct hearer hearer;
    store_batch(batch_of(1, 2, "before"));
    hearer_begin(&hearer, false, mailbox);
    store_batch(batch_of(1, 2, "while"));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(hearer.count, 1);
    ck_assert(RUN_SHARED || hearer.heard[0]->first_seq == 3);
    engine_unfollow(hearer.follower);
    store_batch(batch_of(1, 2, "after"));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(hearer.count, 1);
    hearer_drop(&hearer);
}
END_TEST

#define EVENT_A "{\"timestamp\":\"2024-01-01T00:00:00.001Z\",\"n\":1}"
#define EVENT_B "{\"timestamp\":\"2024-01-01T00:00:00.002Z\",\"n\":2}"
#define EVENT_C "{\"timestamp\":\"2024-01-01T00:00:00.003Z\",\"n\":3}"
#define EVENT_D "{\"timestamp\":\"2024-01-01T00:00:00.003Z\",\"id\":\"chosen\"}"
#define BODY(events) "{\"events\":[" events "]}"

START_TEST(follower_does_not_hear_duplicates_and_rejects)
{
    static struct hearer hearer;
    hearer_begin(&hearer, false, mailbox);
    store_batch(body_of(BODY(EVENT_A "," EVENT_B)));
    store_batch(body_of(BODY(EVENT_A "," EVENT_B)));                 /* a retry */
    store_batch(body_of(BODY(EVENT_A "," EVENT_B ",1," EVENT_C)));   /* and more */
    store_batch(body_of(BODY("1,{},{\"timestamp\":\"tomorrow\"}"))); /* rejects alone */
    store_batch(body_of(BODY("")));                                  /* nothing */
    store_batch(body_of(BODY(EVENT_D)));
    store_batch(body_of(BODY("{\"timestamp\":\"2024-01-01T00:00:00.009Z\"}," EVENT_D)));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(hearer.count, 4);
    ck_assert_uint_eq(hearer.heard[0]->events, 2);
    ck_assert_uint_eq(hearer.heard[1]->events, 1);
    ck_assert_ptr_nonnull(
        memmem(hearer.heard[1]->plain.data, hearer.heard[1]->plain.len, "\"n\":3", 5));
    ck_assert_uint_eq(hearer.heard[2]->events, 1);
    ck_assert_uint_eq(hearer.heard[3]->events, 1);
    ck_assert_ptr_null(
        memmem(hearer.heard[3]->plain.data, hearer.heard[3]->plain.len, "chosen", 6));
    for (size_t i = 0; i < hearer.count; i++)
        json_decref(message_events(hearer.heard[i]));
    hearer_end(&hearer);
}
END_TEST

START_TEST(followers_share_what_they_hear)
{
    static struct hearer hearers[3];
    struct mailbox *other = mailbox_new();
    for (int i = 0; i < 3; i++)
        hearer_begin(&hearers[i], i == 1, i == 2 ? other : mailbox);
    for (unsigned i = 0; i < 10; i++)
        store_batch(batch_of(i, i + 1, "a text of some length, so that it is worth deflating"));
    hearer_wait(&hearers[0], 10, mailbox);
    hearer_wait(&hearers[1], 10, mailbox);
    hearer_wait(&hearers[2], 10, other);
    ck_assert_mem_eq(hearers[0].heard, hearers[1].heard, 10 * sizeof *hearers[0].heard);
    ck_assert_mem_eq(hearers[0].heard, hearers[2].heard, 10 * sizeof *hearers[0].heard);
    for (int i = 0; i < 3; i++)
        hearer_end(&hearers[i]);
    mailbox_free(other);
}
END_TEST

START_TEST(follower_hears_a_large_commit_in_parts)
{
    static struct hearer hearer;
    const size_t most = (256 << 10) + 1000; /* and an event */
    hearer_begin(&hearer, false, mailbox);
    store_batch(batch_of(1, 5000,
                         "0123456789 0123456789 0123456789 0123456789 0123456789"
                         "0123456789 0123456789 0123456789 0123456789 0123456789"));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_gt(hearer.count, 3);
    ck_assert_uint_eq(hearer.events, 5000);
    assert_gapless(&hearer, 0, hearer.count);
    for (size_t i = 0; i < hearer.count; i++) {
        ck_assert_uint_lt(hearer.heard[i]->plain.len, most);
        ck_assert(i == hearer.count - 1 || hearer.heard[i]->plain.len >= 256 << 10);
        json_decref(message_events(hearer.heard[i]));
    }
    hearer_end(&hearer);
}
END_TEST

START_TEST(deflated_text_inflates_to_the_plain_one)
{
    static struct hearer hearer;
    hearer_begin(&hearer, true, mailbox);
    store_batch(batch_of(1, 1, "short"));
    store_batch(batch_of(1, 25, "a text that comes again and again"));
    store_batch(batch_of(1, 5000, "a text that comes again and again and makes several parts"));
    while (hearer.events < 5026)
        wait_for_mail(mailbox);
    ck_assert_uint_gt(hearer.count, 4);
    assert_gapless(&hearer, 0, hearer.count);
    ck_assert_uint_eq(hearer.heard[0]->deflated.len, 0);
    for (size_t i = 1; i < hearer.count; i++) {
        const struct publication *publication = hearer.heard[i];
        struct bytes inflated;
        ck_assert_uint_gt(publication->deflated.len, 0);
        ck_assert_uint_lt(publication->deflated.len, publication->plain.len / 2);
        ck_assert_mem_ne(publication->deflated.data + publication->deflated.len - 4, "\0\0\xff\xff",
                         4);
        inflate_message(&publication->deflated, &inflated);
        ck_assert_uint_eq(inflated.len, publication->plain.len);
        ck_assert_mem_eq(inflated.data, publication->plain.data, inflated.len);
        bytes_clear(&inflated);
    }
    hearer_end(&hearer);
}
END_TEST

/* Nothing to wait for while nobody wants it deflated; but never in front of what waits. */
START_TEST(follower_hears_in_order_when_the_last_who_wants_it_deflated_has_gone)
{
    static struct hearer plain, deflated;
    hearer_begin(&plain, false, mailbox);
    hearer_begin(&deflated, true, mailbox);
    block_readers();
    store_batch(batch_of(1, 1, "first"));
    engine_unfollow(deflated.follower);
    store_batch(batch_of(1, 1, "second"));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(plain.count, 0);
    unblock_readers();
    hearer_wait(&plain, 2, mailbox);
    store_batch(batch_of(1, 1, "third"));
    hearer_wait(&plain, 3, mailbox);
    assert_gapless(&plain, 0, 3);
    ck_assert(RUN_SHARED || plain.heard[0]->first_seq == 1);
    ck_assert_uint_eq(deflated.count, 0);
    hearer_end(&plain);
}
END_TEST

/* Hears and forgets. */
static void hear_nothing(void *arg, struct publication *publication)
{
    (void)publication;
    ++*(unsigned *)arg;
}

START_TEST(follower_may_end_with_mail_under_way)
{
    unsigned heard = 0;
    for (int deflated = 0; deflated < 2; deflated++) {
        struct mailbox *box = mailbox_new();
        struct follower *follower = engine_follow(engine, deflated, box, hear_nothing, &heard);
        ck_assert_ptr_nonnull(follower);
        store_batch(batch_of(1, 30, "posted, or perhaps at a reader"));
        if (deflated)
            block_readers();
        store_batch(batch_of(1, 30, "posted, or waiting for a reader"));
        engine_unfollow(follower);
        (void)mailbox_open_all(box);
        if (deflated)
            unblock_readers();
        store_batch(batch_of(1, 30, "nobody's"));
        (void)mailbox_open_all(box);
        mailbox_free(box);
    }
    ck_assert_uint_eq(heard, 0);
    engine_unfollow(NULL);
}
END_TEST

START_TEST(follower_may_end_while_it_hears)
{
    static struct hearer hearer;
    struct mailbox *box = mailbox_new();
    hearer_begin(&hearer, false, box);
    hearer.most = 2;
    for (unsigned i = 0; i < 4; i++)
        store_batch(batch_of(i, 1, "a"));
    (void)mailbox_open_all(box);
    ck_assert_uint_eq(hearer.count, 2);
    ck_assert_ptr_null(hearer.follower);
    hearer_drop(&hearer);
    mailbox_free(box);
}
END_TEST

START_TEST(engine_closes_under_its_followers)
{
    unsigned heard = 0;
    struct follower *ended;
    for (int i = 0; i < 4; i++) {
        struct follower *follower =
            engine_follow(engine, i % 2 == 0, mailbox, hear_nothing, &heard);
        ck_assert_ptr_nonnull(follower);
    }
    ended = engine_follow(engine, false, mailbox, hear_nothing, &heard);
    for (unsigned i = 0; i < 20; i++)
        store_batch(batch_of_a_mib(i)); /* losses are under way as well */
    engine_unfollow(ended);
    engine_close(engine);
    engine = NULL;
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(heard, 0);
}
END_TEST

START_TEST(publication_held_outlives_the_engine)
{
    static struct hearer hearer;
    hearer_begin(&hearer, false, mailbox);
    store_batch(batch_of(1, 3, "a"));
    (void)mailbox_open_all(mailbox);
    ck_assert_uint_eq(hearer.count, 1);
    engine_close(engine);
    engine = NULL;
    json_decref(message_events(hearer.heard[0]));
    hearer_drop(&hearer);
    publication_drop(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow");
    TCase *tcase = tcase_create("follow");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, run_setup, run_teardown);
    tcase_add_test(tcase, follower_hears_a_commit_as_a_push_message_before_its_answer);
    tcase_add_test(tcase, follower_does_not_hear_what_was_committed_before_or_after);
    tcase_add_test(tcase, follower_does_not_hear_duplicates_and_rejects);
    tcase_add_test(tcase, followers_share_what_they_hear);
    tcase_add_test(tcase, follower_hears_a_large_commit_in_parts);
    tcase_add_test(tcase, deflated_text_inflates_to_the_plain_one);
    tcase_add_test(tcase, follower_hears_in_order_when_the_last_who_wants_it_deflated_has_gone);
    tcase_add_test(tcase, follower_may_end_with_mail_under_way);
    tcase_add_test(tcase, follower_may_end_while_it_hears);
    tcase_add_test(tcase, engine_closes_under_its_followers);
    tcase_add_test(tcase, publication_held_outlives_the_engine);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
