/*
 * store_run.h: a real store in a folder of a test's own, and bodies made ready for it.
 */
#ifndef BEACOND_TESTS_STORE_RUN_H
#define BEACOND_TESTS_STORE_RUN_H

#include "folder.h"
#include "store/store.h"

enum { STORE_RUN_RECEIVED = 12345 }; /* when every body came */

static struct folder folder;
static char database[PATH_MAX];
static struct store_options options; /* to be changed before the store is opened anew */
static struct store *store;
static struct uuid_source uuids;
static const struct store_receipts no_receipts;

static inline void store_up(void)
{
    struct error err = {""};
    int status = store_open(&store, &options, &err);
    ck_assert_msg(status == STORE_OK, "%s", err.text);
}

/* Makes the folder and opens a store of that name in it. */
static inline void store_run_begin(const char *name, int64_t max_rejects, int64_t max_rejects_bytes)
{
    folder_make(&folder);
    folder_file(&folder, database, name);
    options = (struct store_options){.database = database,
                                     .synchronous = STORE_SYNC_OFF,
                                     .max_rejects = max_rejects,
                                     .max_rejects_bytes = max_rejects_bytes};
    uuid_source_init(&uuids);
    store_up();
}

static inline void store_run_end(void)
{
    store_close(store);
    store = NULL;
    folder_remove(&folder);
}

static inline struct batch *batch_of(const char *text, size_t len)
{
    struct batch *batch = NULL;
    struct error err = {""};
    const struct batch_limits limits = {1 << 20, 512};
    int status = batch_read(text, len, &limits, &uuids, NULL, STORE_RUN_RECEIVED, &batch, &err);
    ck_assert_msg(status == BATCH_OK, "%s", err.text);
    return batch;
}

#endif
