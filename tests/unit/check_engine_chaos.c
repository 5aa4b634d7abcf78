/*
 * Several engines on one PostgreSQL while everything happens at once: batches at all nodes,
 * transactions that stand in front of them, connections that break, erasing. No list says what must
 * be answered at a moment, but what holds at each: what any node has answered for is found by a
 * reading of any other that begins behind that; no moment goes back; one tag names one document;
 * what was erased does not come back; each node pushes each event once, in the order of the
 * database.
 */

#include <stdio.h>

#include "unit.h"

#ifdef HAVE_LIBPQ

#include "engine_nodes.h"

#define EVENTS 1200
#define UNDER_WAY 12
#define SLOW 2
#define TIMES 1000 /* milliseconds over which timestamps are strewn */
#define DOCUMENTS 4096

/* --- events ----------------------------------------------------------------------------------- */

static struct event {
    struct order order;
    int64_t ts;
    bool done;  /* the answer was seen */
    bool gone;  /* and before something was erased that it belonged to */
    bool maybe; /* it may have been stored before that */
} events[EVENTS];
static size_t event_count, done_count;

static void submit_one(void)
{
    char body[128], stamp[TIMESTAMP_SIZE];
    struct event *event = &events[event_count];
    *event = (struct event){.ts = begin_ms - below(TIMES)};
    timestamp_format(stamp, event->ts);
    snprintf(body, sizeof body, "{\"events\":[{\"timestamp\":\"%s\",\"text\":\"<%zu>\"}]}", stamp,
             event_count++);
    (void)use_any();
    order_submit(&event->order, mailbox, body_of(body));
}

/* --- readings --------------------------------------------------------------------------------- */

struct look {
    struct reading *reading;
    struct bytes text;
    enum reading_state state;
    bool ended;
};

static void look_hear(void *arg, enum reading_state state, struct rope *chunk)
{
    struct look *look = arg;
    look->state = state;
    rope_read(chunk, &look->text);
    look->ended = state != READING_MORE;
    if (state == READING_MORE)
        reading_next(look->reading);
}

static struct document {
    char tag[ETAG_SIZE];
    struct bytes text;
} documents[DOCUMENTS];
static size_t document_count;
static int64_t last_max_seq;

/* The same tag has always named this document. */
static void check_tag(const char *tag, const struct bytes *text)
{
    for (size_t i = 0; i < document_count; i++) {
        const struct document *document = &documents[i];
        if (strcmp(document->tag, tag) != 0)
            continue;
        ck_assert_uint_eq(document->text.len, text->len);
        ck_assert_mem_eq(document->text.data, text->data, text->len);
        return;
    }
    ck_assert_uint_lt(document_count, DOCUMENTS);
    struct document *document = &documents[document_count++];
    strcpy(document->tag, tag);
    bytes_init(&document->text);
    ck_assert_int_eq(bytes_append(&document->text, text->data, text->len), 0);
}

/* Whether the event is in the document: once. */
static bool holds(const struct bytes *text, size_t n)
{
    char name[32];
    int len = snprintf(name, sizeof name, "\"<%zu>\"", n);
    const char *found = memmem(text->data, text->len, name, (size_t)len);
    if (found == NULL)
        return false;
    const char *rest = found + len;
    ck_assert_ptr_null(memmem(rest, text->len - (size_t)(rest - text->data), name, (size_t)len));
    return true;
}

static void check_document(const struct bytes *text)
{
    size_t found = 0;
    char total[32];
    for (size_t i = 0; i < event_count; i++) {
        bool there = holds(text, i);
        found += there;
        if (events[i].done && !events[i].maybe)
            ck_assert_msg(there != events[i].gone, "event %zu, erased %d: found %d", i,
                          events[i].gone, there);
    }
    int len = snprintf(total, sizeof total, "\"total\":%zu,", found);
    ck_assert_msg(memmem(text->data, text->len, total, (size_t)len) != NULL, "not of %zu events",
                  found);
}

/* A reading of all there is, at some node. */
static void look_around(void)
{
    struct look look = {0};
    struct range range;
    struct error err = {""};
    const struct reading_form form = {.coding = READING_PLAIN};
    (void)use_any();
    ck_assert_int_eq(range_parse(&range, "", 100000, engine_secret(engine), &err), 0);
    bytes_init(&look.text);
    look.reading = reading_new(engine, &range, &form, mailbox, look_hear, &look);
    ck_assert_ptr_nonnull(look.reading);
    while (!look.ended)
        wait_for_mail(mailbox);
    seen.chunks++;
    seen.given_up += look.state == READING_FAILED;
    if (look.state == READING_LAST) { /* else its connection was cut */
        ck_assert_int_ge(reading_max_seq(look.reading), last_max_seq);
        last_max_seq = reading_max_seq(look.reading);
        check_tag(reading_tag(look.reading), &look.text);
        check_document(&look.text);
    }
    reading_free(look.reading);
    bytes_clear(&look.text);
}

/* Notes the answers that have come. Returns how many. */
static size_t hear_answers(void)
{
    size_t heard = 0;
    for (size_t i = 0; i < event_count; i++) {
        struct event *event = &events[i];
        if (event->done || !event->order.answered)
            continue;
        ck_assert(event->order.submission.stored);
        ck_assert_uint_eq(event->order.submission.saved, 1);
        batch_free(event->order.submission.batch);
        event->done = true;
        heard++;
    }
    done_count += heard;
    return heard;
}

/* --- what happens ----------------------------------------------------------------------------- */

static PGconn *slow[SLOW];

static void let_go(size_t n)
{
    if (slow[n] == NULL)
        return;
    session_do(slow[n], dice_roll(&dice, 2) == 0 ? "COMMIT" : "ROLLBACK");
    PQfinish(slow[n]);
    slow[n] = NULL;
}

static void stand_in_front(size_t n)
{
    slow[n] = postgres_connection(base);
    session_do(slow[n], "BEGIN");
    session_do(slow[n], "SELECT beacond.take_blocks(1)");
}

static void prune_some(bool cuts)
{
    struct erasure done;
    struct error err = {""};
    int64_t before = begin_ms - TIMES + below(TIMES / 8);
    for (size_t n = 0; n < SLOW; n++) /* what waits is waited for */
        let_go(n);
    (void)use_any();
    bool all = engine_prune(engine, before, NULL, &done, &err) == STORE_OK;
    ck_assert_msg(all || cuts, "%s", err.text);
    for (size_t i = 0; i < event_count; i++) {
        struct event *event = &events[i];
        if (event->ts >= before || event->gone)
            continue;
        event->gone = event->done && all;
        event->maybe = event->maybe || !event->gone;
    }
}

static void cut_some(void)
{
    (void)sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
              "current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'beacond%' "
              "AND random() < 0.3");
}

static void step(bool cuts)
{
    size_t what = dice_roll(&dice, 100), n = dice_roll(&dice, SLOW);
    if (what < 50) {
        if (event_count - done_count < UNDER_WAY && event_count < EVENTS)
            submit_one();
    } else if (what < 58) {
        if (slow[n] == NULL)
            stand_in_front(n);
    } else if (what < 68) {
        let_go(n);
    } else if (what < 70) {
        prune_some(cuts);
    } else if (what < 71 && cuts) {
        cut_some();
    } else {
        look_around();
    }
    (void)mailbox_open_all(mailbox);
    if (hear_answers() > 0)
        look_around();
}

static void play_chaos(bool cuts)
{
    event_count = done_count = 0;
    last_max_seq = 0;
    for (unsigned i = unit_rounds(50) * 16; i > 0; i--)
        step(cuts);
    for (size_t n = 0; n < SLOW; n++)
        let_go(n);
    while (done_count < event_count) {
        wait_for_mail(mailbox);
        (void)hear_answers();
    }
    for (unsigned i = 0; i < 10; i++)
        look_around();
    if (getenv("BEACOND_SEEN") != NULL)
        fprintf(stderr, "events %zu documents %zu readings %lu failed %lu\n", event_count,
                document_count, seen.chunks, seen.given_up);
    for (size_t i = 0; i < document_count; i++)
        bytes_clear(&documents[i].text);
    document_count = 0;
}

/* --- pushes ----------------------------------------------------------------------------------- */

/* Where each event stands in what a node has pushed; SIZE_MAX: nowhere. Returns whether all are
 * there but such as were erased, which a node may not have fetched before that. */
static bool find_pushed(const struct ear *ear, size_t places[EVENTS])
{
    bool all = true;
    for (size_t i = 0; i < event_count; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "\"<%zu>\"", i);
        bool there = holds(&ear->text, i);
        const char *at = there ? memmem(ear->text.data, ear->text.len, name, (size_t)len) : NULL;
        places[i] = there ? (size_t)(at - ear->text.data) : SIZE_MAX;
        all = all && (there || events[i].gone || events[i].maybe);
    }
    return all;
}

/* Each once, in the same order. */
static void check_pushes(void)
{
    static size_t first[EVENTS], other[EVENTS];
    for (size_t n = 0; n < NODES; n++) {
        size_t *places = n == 0 ? first : other;
        while (!find_pushed(&ears[n], places))
            wait_for_mail(mailbox);
        ck_assert_uint_eq(ears[n].losses, 0);
        for (size_t i = 0; i < event_count && n > 0; i++)
            for (size_t k = 0; k < i; k++)
                if (first[i] != SIZE_MAX && first[k] != SIZE_MAX && other[i] != SIZE_MAX &&
                    other[k] != SIZE_MAX)
                    ck_assert_int_eq(first[i] < first[k], other[i] < other[k]);
    }
}

START_TEST(nodes_keep_their_word_whatever_happens)
{
    play_chaos(false);
    check_pushes();
}
END_TEST

START_TEST(nodes_keep_their_word_when_connections_break_too)
{
    play_chaos(true);
    check_pushes();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_chaos");
    TCase *whole = tcase_create("whole"), *cut = tcase_create("cut");
    tcase_set_timeout(whole, 0);
    tcase_set_timeout(cut, 0);
    tcase_add_checked_fixture(whole, nodes_setup, nodes_teardown);
    tcase_add_checked_fixture(cut, nodes_setup, nodes_teardown);
    tcase_add_test(whole, nodes_keep_their_word_whatever_happens);
    tcase_add_test(cut, nodes_keep_their_word_when_connections_break_too);
    suite_add_tcase(suite, whole);
    suite_add_tcase(suite, cut);
    return postgres_run_main(suite);
}

#else
#include "without_libpq.h"
#endif
