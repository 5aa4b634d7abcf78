/*
 * postgres_stores.h: a database of a case's own on the program's server, and the stores of two
 * nodes on it. The first is opened with the case; the second is, where a case has one.
 */
#ifndef BEACOND_TESTS_POSTGRES_STORES_H
#define BEACOND_TESTS_POSTGRES_STORES_H

#include "postgres_run.h"

#include "store/store.h"

static char name[POSTGRES_NAME_SIZE], uri[256];
static struct store_options options;
static struct store *store, *other; /* other: NULL where there is none */
static struct uuid_source uuids;
static const struct store_receipts no_receipts;

static inline int64_t shell(const char *sql)
{
    return postgres_shell(name, sql);
}

static inline struct store *open_node(const char *node)
{
    struct store *opened = NULL;
    struct error err = {""};
    options.node = node;
    int status = store_open(&opened, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
    return opened;
}

static inline void stores_setup(int64_t max_rejects, int64_t max_rejects_bytes)
{
    postgres_make(name);
    postgres_uri(uri, sizeof uri, name);
    options = (struct store_options){
        .database = uri, .max_rejects = max_rejects, .max_rejects_bytes = max_rejects_bytes};
    uuid_source_init(&uuids);
    store = open_node("one");
    other = NULL;
}

static inline void stores_teardown(void)
{
    store_close(store);
    store_close(other);
}

/* A body, with marks unless secret is NULL. */
static inline struct batch *read_body(const char *text, const unsigned char *secret,
                                      int64_t received)
{
    struct batch *batch = NULL;
    struct error err = {""};
    const struct batch_limits limits = {1 << 20, 512};
    int status = batch_read(text, strlen(text), &limits, &uuids, secret, received, &batch, &err);
    ck_assert_msg(status == BATCH_OK, "%s", err.text);
    return batch;
}

#endif
