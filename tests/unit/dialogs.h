/*
 * dialogs.h: a dialog of each kind of client, for the tests of contract/dialog.
 */
#ifndef BEACOND_TESTS_DIALOGS_H
#define BEACOND_TESTS_DIALOGS_H

#include <stdlib.h>
#include <string.h>

#include "contract/dialog.h"
#include "contract/message.h"
#include "unit.h"

#define NOW INT64_C(1710498225123)
#define MAX_EVENTS 500000

/* Nothing said yet; a key with both scopes, or one alone; a daemon without keys. */
enum who { STRANGER, BOTH, INGESTER, READER, KEYLESS };

static const unsigned char secret[SIPHASH_KEY_BYTES] = "0123456789abcdef";
static const struct batch_limits limits = {.event_bytes = 1 << 20, .depth = 512};
static struct access *keys, *no_keys;
static struct uuid_source uuids;
static struct dialog_means means;
static struct dialog dialog;
static struct dialog_result result; /* of the last message */

static inline void dialogs_setup(void)
{
    keys = access_new();
    no_keys = access_new();
    ck_assert_int_eq(access_add_key(keys, "both", NULL), 0);
    ck_assert_int_eq(access_add_key(keys, "in:ingest", NULL), 0);
    ck_assert_int_eq(access_add_key(keys, "out:query", NULL), 0);
    ck_assert_int_eq(access_add_key(keys, "12", NULL), 0);
    ck_assert_int_eq(access_add_key(keys, "tk_test", NULL), 0); /* of the recordings */
    uuid_source_init(&uuids);
    means = (struct dialog_means){
        .limits = &limits, .uuids = &uuids, .secret = secret, .max_events = MAX_EVENTS};
}

static inline void dialogs_teardown(void)
{
    dialog_result_clear(&result);
    access_free(keys);
    access_free(no_keys);
}

static inline void take_bytes(const char *text, size_t len)
{
    /* A copy of that size: nothing behind it may be read, and nothing of it is kept. */
    char *copy = malloc(len + 1);
    memcpy(copy + 1, text, len);
    dialog_result_clear(&result);
    dialog_take(&dialog, &means, copy + 1, len, NOW, &result);
    memset(copy, 0x55, len + 1);
    free(copy);
}

static inline void take(const char *text)
{
    take_bytes(text, strlen(text));
}

static inline void become(enum who who)
{
    static const char *const auths[] = {
        [BOTH] = "{\"type\":\"auth\",\"key\":\"both\"}",
        [INGESTER] = "{\"type\":\"auth\",\"key\":\"in\"}",
        [READER] = "{\"type\":\"auth\",\"key\":\"out\"}",
        [KEYLESS] = NULL,
    };
    means.access = who == KEYLESS ? no_keys : keys;
    dialog_init(&dialog, means.access);
    ck_assert_int_eq(dialog.open, who == KEYLESS);
    if (auths[who] != NULL) {
        take(auths[who]);
        ck_assert_int_eq(result.effect, DIALOG_REPLY);
        ck_assert(dialog.open);
    }
}

/* The reply, or why the connection is closed; NULL for neither. */
static inline void check_said(const char *said)
{
    if (result.effect == DIALOG_CLOSE) {
        ck_assert_str_eq(result.why, said);
        said = NULL;
    } else {
        ck_assert_ptr_null(result.why);
    }
    size_t len = said != NULL ? strlen(said) : 0;
    ck_assert_msg(result.reply.len == len &&
                      (len == 0 || memcmp(result.reply.data, said, len) == 0),
                  "%.*s instead of %s", (int)result.reply.len, result.reply.data,
                  said != NULL ? said : "nothing");
}

#endif
