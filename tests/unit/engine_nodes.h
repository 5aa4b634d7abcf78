/*
 * engine_nodes.h: three engines on one PostgreSQL database, and one who follows each of them.
 *
 * What is stored through one at a time is all that the model of engine_model.h holds. `engine` is
 * the node that is used.
 */
#ifndef BEACOND_TESTS_ENGINE_NODES_H
#define BEACOND_TESTS_ENGINE_NODES_H

#include "postgres_run.h"

#include "engine/follow.h"
#include "engine_asks.h"

#define NODES 3

/* Who follows a node: the texts of all events, a comma behind each. */
struct ear {
    struct follower *follower;
    struct bytes text;
    size_t since; /* what had been pushed before it began, by the length of `pushed` */
    unsigned losses;
};

static struct engine *nodes[NODES];
static struct ear ears[NODES];
static struct bytes pushed; /* what a follower from the very beginning has heard */
static char base[POSTGRES_NAME_SIZE], uri[256];

static inline int64_t sql(const char *text)
{
    return postgres_shell(base, text);
}

static inline void use(size_t n)
{
    engine = nodes[n];
}

static inline size_t use_any(void)
{
    size_t n = dice_roll(&dice, NODES);
    use(n);
    return n;
}

/* --- who follows ------------------------------------------------------------------------------ */

static inline void ear_hear(void *arg, struct publication *publication)
{
    static const char head[] = "{\"type\":\"push\",\"events\":[", tail[] = "]}";
    struct ear *ear = arg;
    if (publication == NULL) {
        ear->losses++;
        return;
    }
    const struct bytes *plain = &publication->plain;
    size_t around = strlen(head) + strlen(tail);
    ck_assert_uint_gt(plain->len, around);
    ck_assert_int_eq(bytes_append(&ear->text, plain->data + strlen(head), plain->len - around), 0);
    ck_assert_int_eq(bytes_append(&ear->text, ",", 1), 0);
}

static inline void ear_begin(size_t n)
{
    struct ear *ear = &ears[n];
    engine_unfollow(ear->follower);
    bytes_clear(&ear->text);
    ear->since = pushed.len;
    ear->losses = 0;
    ear->follower = engine_follow(nodes[n], dice_roll(&dice, 2) == 0, mailbox, ear_hear, ear);
    ck_assert_ptr_nonnull(ear->follower);
}

static inline void ear_expect(const struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct batch_event *event = &batch->events[i];
        if (event->seq == 0)
            continue;
        ck_assert_int_eq(bytes_append(&pushed, event->text, event->text_len), 0);
        ck_assert_int_eq(bytes_append(&pushed, ",", 1), 0);
    }
}

/* Each has heard, or hears now, all that was stored, once, in the same order. */
static inline void check_ears(void)
{
    for (size_t n = 0; n < NODES; n++) {
        const struct ear *ear = &ears[n];
        size_t len = pushed.len - ear->since;
        while (ear->text.len < len)
            wait_for_mail(mailbox);
        (void)mailbox_open_all(mailbox);
        ck_assert_uint_eq(ear->text.len, len);
        ck_assert(len == 0 || memcmp(ear->text.data, pushed.data + ear->since, len) == 0);
        ck_assert_uint_eq(ear->losses, 0);
    }
}

/* --- nodes ------------------------------------------------------------------------------------ */

static inline void node_up(size_t n)
{
    static const size_t events[NODES] = {100000, 300, 0}, bytes[NODES] = {1 << 28, 1 << 20, 0};
    static const char *const names[NODES] = {"one", "two", "three"};
    options.cache_events = events[n];
    options.cache_bytes = bytes[n];
    options.store.node = names[n];
    engine_up();
    nodes[n] = engine;
    ear_begin(n);
}

static inline void node_down(size_t n)
{
    engine_close(nodes[n]);
    (void)mailbox_open_all(mailbox);
    nodes[n] = NULL;
    ears[n].follower = NULL;
}

static inline void nodes_setup(void)
{
    game_setup();
    begin_ms = clock_wall_ms();
    most_bytes = LITTLE_BYTES * 2;
    bytes_init(&pushed);
    postgres_make(base);
    postgres_uri(uri, sizeof uri, base);
    options = (struct engine_options){
        .store = {.database = uri, .max_rejects = 1000, .max_rejects_bytes = 1000000},
        .queue_bytes = 1 << 20,
        .receipts_bytes = 1 << 20,
        .readers = 2,
    };
    mailbox = mailbox_new();
    ck_assert_ptr_nonnull(mailbox);
    for (size_t n = 0; n < NODES; n++)
        node_up(n);
    use(0);
}

static inline void nodes_teardown(void)
{
    for (size_t n = 0; n < NODES; n++) {
        node_down(n);
        bytes_clear(&ears[n].text);
    }
    mailbox_free(mailbox);
    model_begin_anew();
    game_teardown();
    bytes_clear(&pushed);
}

/* A session of somebody else's that stays connected. */
static inline void session_do(PGconn *session, const char *text)
{
    PGresult *result = PQexec(session, text);
    int status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", text,
                  PQerrorMessage(session));
    PQclear(result);
}

#endif
