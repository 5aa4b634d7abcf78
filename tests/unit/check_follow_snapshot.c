/* A snapshot and what is heard behind it, while several threads submit. */

#include <pthread.h>

#include "cache/ring.h"
#include "contract/range.h"
#include "engine/keeper.h"
#include "engine/reading.h"
#include "hearer.h"
#include "rope_text.h"

enum { BUSY_THREADS = 3, BUSY_BATCHES = 150, BUSY_EVENTS = 4, BUSY_ROUNDS = 20 };

/* Each submits one batch after the other. Its number stands in the text. */
static void *busy_main(void *arg)
{
    struct mailbox *box = mailbox_new();
    const char *trouble = NULL;
    for (unsigned i = 0; i < BUSY_BATCHES && trouble == NULL; i++) {
        struct order order;
        char text[32];
        snprintf(text, sizeof text, "%d-%u", *(int *)arg, i);
        order_submit(&order, box, batch_of(i, BUSY_EVENTS, text));
        while (!order.answered) {
            struct pollfd poll_fd = {.fd = mailbox_fd(box), .events = POLLIN};
            if (poll(&poll_fd, 1, LONG_MS) != 1)
                return "an answer is missing";
            (void)mailbox_open_all(box);
        }
        if (!order.submission.stored)
            trouble = "a batch was not stored";
        batch_free(order.submission.batch);
    }
    mailbox_free(box);
    return (void *)trouble;
}

/* One that follows, takes a snapshot, and must then know each event once. */
struct witness {
    struct hearer hearer;
    struct reading *reading;
    struct bytes snapshot;
    int64_t max_seq;
    bool done;
    unsigned char seen[BUSY_THREADS][BUSY_BATCHES][BUSY_EVENTS];
};

static void witness_read(void *arg, enum reading_state state, struct rope *chunk)
{
    struct witness *witness = arg;
    ck_assert_int_ne(state, READING_FAILED);
    rope_read(chunk, &witness->snapshot);
    witness->max_seq = reading_max_seq(witness->reading);
    witness->done = state == READING_LAST;
    if (state == READING_MORE)
        reading_next(witness->reading);
}

static void witness_begin(struct witness *witness, bool deflated)
{
    const struct reading_form form = {.coding = READING_PLAIN};
    struct range range;
    *witness = (struct witness){0};
    bytes_init(&witness->snapshot);
    ck_assert_int_eq(range_parse(&range, NULL, 500000, engine_secret(engine), NULL), 0);
    hearer_begin(&witness->hearer, deflated, mailbox);
    witness->reading = reading_new(engine, &range, &form, mailbox, witness_read, witness);
    ck_assert_ptr_nonnull(witness->reading);
}

static void witness_note(struct witness *witness, const json_t *events)
{
    const json_t *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        int thread;
        unsigned batch;
        size_t n = (size_t)json_integer_value(json_object_get(event, "n"));
        const char *text = json_string_value(json_object_get(event, "text"));
        ck_assert_int_eq(sscanf(text, "%d-%u", &thread, &batch), 2);
        witness->seen[thread][batch][n]++;
    }
}

/* The last event, once all have been submitted, has the seq given. */
static void witness_end(struct witness *witness, int64_t last_seq)
{
    struct hearer *hearer = &witness->hearer;
    while (!witness->done ||
           (witness->max_seq < last_seq &&
            (hearer->count == 0 || hearer->heard[hearer->count - 1]->last_seq < last_seq)))
        wait_for_mail(mailbox);
    json_t *document = json_loadb(witness->snapshot.data, witness->snapshot.len, 0, NULL);
    witness_note(witness, json_object_get(document, "events"));
    json_decref(document);
    for (size_t i = 0; i < hearer->count; i++) {
        const struct publication *publication = hearer->heard[i];
        json_t *events = message_events(publication);
        /* Wholly part of the snapshot, or wholly not. */
        ck_assert(publication->last_seq <= witness->max_seq ||
                  publication->first_seq > witness->max_seq);
        if (publication->first_seq > witness->max_seq)
            witness_note(witness, events);
        json_decref(events);
    }
    assert_gapless(hearer, 0, hearer->count);
    ck_assert_uint_eq(hearer->losses, 0);
    for (size_t i = 0; i < sizeof witness->seen; i++)
        ck_assert_uint_eq(((const unsigned char *)witness->seen)[i], 1);
    reading_free(witness->reading);
    bytes_clear(&witness->snapshot);
    hearer_end(hearer);
}

START_TEST(snapshot_and_what_is_heard_behind_it_hold_every_event_once)
{
    static struct witness witnesses[BUSY_ROUNDS];
    pthread_t threads[BUSY_THREADS];
    int numbers[BUSY_THREADS];
    for (int i = 0; i < BUSY_THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, busy_main, &numbers[i]), 0);
    }
    /* The next begins when the one before has its snapshot, so that they are spread over the
     * time, each in the midst of the commits. */
    for (int i = 0; i < BUSY_ROUNDS; i++) {
        witness_begin(&witnesses[i], i % 4 == 3);
        while (!witnesses[i].done)
            wait_for_mail(mailbox);
    }
    for (int i = 0; i < BUSY_THREADS; i++) {
        void *trouble = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &trouble), 0);
        ck_assert_msg(trouble == NULL, "%s", (const char *)trouble);
    }
    for (int i = 0; i < BUSY_ROUNDS; i++)
        witness_end(&witnesses[i], ring_last_seq(keeper_ring(engine->keeper)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow_snapshot");
    TCase *tcase = tcase_create("follow_snapshot");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, run_setup, run_teardown);
    tcase_add_test(tcase, snapshot_and_what_is_heard_behind_it_hold_every_event_once);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
