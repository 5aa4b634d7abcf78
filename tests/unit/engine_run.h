/*
 * engine_run.h: an engine without a socket for one test: a real store in a folder of its own, real
 * threads, a mailbox opened by the test.
 */
#ifndef BEACOND_TESTS_ENGINE_RUN_H
#define BEACOND_TESTS_ENGINE_RUN_H

#include <poll.h>
#include <zlib.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "folder.h"

/* With RUN_ON_POSTGRES the store is a database of its own on a server of the program's. There the
 * numbers of two commits have a gap between them, and nothing is answered without a question to the
 * database. */
#ifdef RUN_ON_POSTGRES
#include "postgres_run.h"
#define unit_main postgres_run_main
enum { RUN_SHARED = true };
#else
enum { RUN_SHARED = false };
#endif

#define LONG_MS 120000 /* a test that waits longer has failed */

static struct folder folder;
static char database[PATH_MAX];
static struct engine_options options;
static struct engine *engine;
static struct mailbox *mailbox;

static inline void engine_up(void)
{
    struct error err = {""};
    int status = engine_open(&engine, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
}

static inline const char *run_database(void)
{
#ifdef RUN_ON_POSTGRES
    char name[POSTGRES_NAME_SIZE];
    postgres_make(name);
    postgres_uri(database, sizeof database, name);
    return database;
#else
    return folder_file(&folder, database, "t.db");
#endif
}

static inline void run_setup(void)
{
    folder_make(&folder);
    options = (struct engine_options){
        .store = {.database = run_database(),
                  .synchronous = STORE_SYNC_OFF,
                  .max_rejects = 100,
                  .max_rejects_bytes = 100000},
        .queue_bytes = 1 << 20,
        .receipts_bytes = 1 << 20,
        .cache_events = 1000, /* some of what a test stores, not all */
        .cache_bytes = 1 << 20,
        .readers = 2,
    };
    mailbox = mailbox_new();
    ck_assert_ptr_nonnull(mailbox);
    engine_up();
}

static inline void run_teardown(void)
{
    engine_close(engine);
    (void)mailbox_open_all(mailbox);
    mailbox_free(mailbox);
    folder_remove(&folder);
}

struct order {
    struct submission submission;
    bool answered;
};

static inline void order_open(struct mail *mail)
{
    ((struct order *)mail)->answered = true;
}

/* count events of the day n, each with number and text of its own. */
static inline struct batch *batch_of(unsigned n, unsigned count, const char *text)
{
    struct uuid_source uuids;
    struct bytes body;
    struct batch *batch = NULL;
    const struct batch_limits limits = {1 << 20, 512};
    bytes_init(&body);
    uuid_source_init(&uuids);
    ck_assert_int_eq(bytes_append_text(&body, "{\"events\":["), 0);
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(
            bytes_append_format(&body,
                                "%s{\"timestamp\":\"2024-01-%02uT00:00:%02uZ\",\"n\":%u,"
                                "\"text\":\"%s\"}",
                                i > 0 ? "," : "", n % 28 + 1, i % 60, i, text),
            0);
    ck_assert_int_eq(bytes_append_text(&body, "]}"), 0);
    ck_assert_int_eq(batch_read(body.data, body.len, &limits, &uuids, NULL, 0, &batch, NULL),
                     BATCH_OK);
    bytes_clear(&body);
    return batch;
}

static inline void order_submit(struct order *order, struct mailbox *box, struct batch *batch)
{
    *order = (struct order){
        .submission = {.mail = {.open = order_open}, .reply_to = box, .batch = batch}};
    engine_submit(engine, &order->submission);
}

static inline void wait_for_mail(struct mailbox *box)
{
    struct pollfd poll_fd = {.fd = mailbox_fd(box), .events = POLLIN};
    ck_assert_int_eq(poll(&poll_fd, 1, LONG_MS), 1);
    (void)mailbox_open_all(box);
}

static inline void order_wait(struct order *order, struct mailbox *box)
{
    while (!order->answered)
        wait_for_mail(box);
}

/* A body of the text given, with marks. */
static inline struct batch *body_of(const char *text)
{
    struct uuid_source uuids;
    struct batch *batch = NULL;
    const struct batch_limits limits = {1 << 20, 512};
    uuid_source_init(&uuids);
    ck_assert_int_eq(
        batch_read(text, strlen(text), &limits, &uuids, engine_secret(engine), 0, &batch, NULL),
        BATCH_OK);
    return batch;
}

/* Inflates a message as permessage-deflate sends it. */
static inline void inflate_message(const struct bytes *packed, struct bytes *out)
{
    static const char end[] = {0, 0, '\xff', '\xff'};
    z_stream stream = {0};
    struct bytes in;
    int code = Z_OK;
    bytes_init(&in);
    bytes_init(out);
    ck_assert_int_eq(bytes_append(&in, packed->data, packed->len), 0);
    ck_assert_int_eq(bytes_append(&in, end, sizeof end), 0);
    ck_assert_int_eq(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = (unsigned char *)in.data;
    stream.avail_in = (uInt)in.len;
    while (code == Z_OK) {
        ck_assert_int_eq(bytes_reserve(out, 1 << 16), 0);
        stream.next_out = (unsigned char *)out->data + out->len;
        stream.avail_out = 1 << 16;
        code = inflate(&stream, Z_SYNC_FLUSH);
        out->len += (1 << 16) - stream.avail_out;
    }
    /* Nothing more to do, and no final block: RFC 7692 lets a message end so. */
    ck_assert_int_eq(code, Z_BUF_ERROR);
    ck_assert_uint_eq(stream.avail_in, 0);
    inflateEnd(&stream);
    bytes_clear(&in);
}

#endif
