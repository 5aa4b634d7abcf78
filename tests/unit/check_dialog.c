/* Messages and their effects. check_dialog_ask.c has what an events:query asks for,
 * check_dialog_batch.c what an ingest brings. */
#include <jansson.h>

#include "dialogs.h"

#define AUTH_OK "{\"type\":\"auth_ok\"}"
#define ERROR(text) "{\"type\":\"error\",\"error\":\"" text "\"}"
#define ERROR_FOR(id, text) "{\"type\":\"error\",\"reqId\":" id ",\"error\":\"" text "\"}"
#define HEAD "{\"type\":\"events:response\",\"response\":"
#define HEAD_FOR(id) "{\"type\":\"events:response\",\"reqId\":" id ",\"response\":"
#define NOT_YET "not authenticated"
#define WRONG "wrong key"
#define NO_EVENTS "the body has no \\\"events\\\" array"
#define NO_UNICODE "the message holds a string that is no Unicode text"

#define INGEST "{\"type\":\"ingest\",\"events\":[]}"
#define QUERY "{\"type\":\"events:query\"}"

static const struct {
    enum who who;
    const char *message;
    enum dialog_effect effect;
    const char *said; /* REPLY, ASK: the reply. CLOSE: why */
} cases[] = {
    /* the scopes */
    {BOTH, INGEST, DIALOG_SUBMIT, NULL},
    {INGESTER, INGEST, DIALOG_SUBMIT, NULL},
    {READER, INGEST, DIALOG_REPLY, ERROR("the key may not ingest")},
    {KEYLESS, INGEST, DIALOG_SUBMIT, NULL},
    {STRANGER, INGEST, DIALOG_CLOSE, NOT_YET},
    {BOTH, QUERY, DIALOG_ASK, HEAD},
    {INGESTER, QUERY, DIALOG_REPLY, ERROR("the key may not query")},
    {READER, QUERY, DIALOG_ASK, HEAD},
    {KEYLESS, QUERY, DIALOG_ASK, HEAD},
    {STRANGER, QUERY, DIALOG_CLOSE, NOT_YET},
    {READER, "{\"type\":\"ingest\",\"reqId\":7}", DIALOG_REPLY,
     ERROR_FOR("7", "the key may not ingest")},
    {INGESTER, "{\"type\":\"events:query\",\"reqId\":\"a\",\"query\":5}", DIALOG_REPLY,
     ERROR_FOR("\"a\"", "the key may not query")},

    /* members in any order, names after unescaping, the last of duplicates */
    {BOTH, "{\"events\":[],\"type\":\"ingest\"}", DIALOG_SUBMIT, NULL},
    {BOTH, "{\"events\":[{\"type\":\"auth\"}],\"x\":{\"type\":\"auth\"},\"type\":\"ingest\"}",
     DIALOG_SUBMIT, NULL},
    {BOTH, "{\"\\u0074ype\":\"ingest\",\"events\":[]}", DIALOG_SUBMIT, NULL},
    {BOTH, "{\"type\":\"in\\u0067est\",\"\\u0065vents\":[]}", DIALOG_SUBMIT, NULL},
    {BOTH,
     "{\"type\":\"\\u0065\\u0076\\u0065\\u006e\\u0074\\u0073\\u003a\\u0071\\u0075\\u0065\\u0072"
     "\\u0079\",\"\\u0072\\u0065\\u0071\\u0049\\u0064\":1}",
     DIALOG_ASK, HEAD_FOR("1")},
    {BOTH, "{\"type\":\"auth\",\"events\":[],\"type\":\"ingest\"}", DIALOG_SUBMIT, NULL},
    {BOTH, "{\"type\":\"ingest\",\"events\":[],\"type\":\"events:query\"}", DIALOG_ASK, HEAD},
    {BOTH, "{\"type\":\"ingest\",\"events\":[],\"type\":null}", DIALOG_REPLY, ERROR("no type")},
    {BOTH, "{\"type\":\"ingest\",\"events\":[],\"events\":5}", DIALOG_REPLY, ERROR(NO_EVENTS)},
    {BOTH, "{\"reqId\":1,\"type\":\"events:query\",\"reqId\":2}", DIALOG_ASK, HEAD_FOR("2")},
    {BOTH, "{\"Type\":\"ingest\",\"type \":\"ingest\",\"events\":[]}", DIALOG_REPLY,
     ERROR("no type")},
    {BOTH, "\xef\xbb\xbf {\"type\":\"events:query\"} \n", DIALOG_ASK, HEAD},

    /* reqId is told back as it came */
    {BOTH, "{\"type\":\"events:query\",\"reqId\":\"r-1\"}", DIALOG_ASK, HEAD_FOR("\"r-1\"")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":\"\"}", DIALOG_ASK, HEAD_FOR("\"\"")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":\"\\u0041\\\"\\u0000\"}", DIALOG_ASK,
     HEAD_FOR("\"\\u0041\\\"\\u0000\"")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\": 1.10 }", DIALOG_ASK, HEAD_FOR("1.10")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":null}", DIALOG_ASK, HEAD_FOR("null")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":false}", DIALOG_ASK, HEAD_FOR("false")},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":{\"a\":[1, 2]}}", DIALOG_ASK,
     HEAD_FOR("{\"a\":[1, 2]}")},
    {BOTH, "{\"type\":\"ingest\",\"reqId\":\"i\"}", DIALOG_REPLY, ERROR_FOR("\"i\"", NO_EVENTS)},
    {BOTH, "{\"type\":\"ingest\",\"reqId\":\"i\",\"events\":[]}", DIALOG_SUBMIT, NULL},
    {BOTH, "{\"reqId\":[]}", DIALOG_REPLY, ERROR_FOR("[]", "no type")},

    /* keys */
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"key\":\"in\",\"type\":\"auth\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"out\",\"reqId\":1}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"k\\u0065y\":\"b\\u006fth\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"no\",\"key\":\"both\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\",\"key\":\"no\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"no\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"bot\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\\u0000\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both:ingest\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\\u00e9\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\"}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":null}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"12\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"key\":12}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"key\":[\"both\"]}", DIALOG_CLOSE, WRONG},
    {STRANGER, "{\"type\":\"auth\",\"auth\":{\"key\":\"both\"}}", DIALOG_CLOSE, WRONG},
    {BOTH, "{\"type\":\"auth\",\"key\":\"in\"}", DIALOG_REPLY, AUTH_OK},
    {BOTH, "{\"type\":\"auth\",\"key\":\"no\"}", DIALOG_CLOSE, WRONG},
    {KEYLESS, "{\"type\":\"auth\",\"key\":\"anything\"}", DIALOG_REPLY, AUTH_OK},
    {KEYLESS, "{\"type\":\"auth\"}", DIALOG_REPLY, AUTH_OK},
    {KEYLESS, "{\"type\":\"auth\",\"key\":\"\\ud800\"}", DIALOG_REPLY, AUTH_OK},

    /* jansson would refuse these: nothing but the key decides */
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\",\"x\":\"\\ud800\"}", DIALOG_REPLY, AUTH_OK},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"\\udc00both\",\"reqId\":3}", DIALOG_CLOSE, WRONG},
    /* no word of what it refuses is told back */
    {BOTH, "{\"type\":\"events:query\",\"reqId\":\"\\ud800\"}", DIALOG_REPLY,
     ERROR_FOR("\"\\ud800\"", NO_UNICODE)},
    {BOTH, "{\"type\":\"events:query\",\"reqId\":123456789012345678901}", DIALOG_REPLY,
     ERROR_FOR("123456789012345678901", "the message holds a number that is too large")},
    {BOTH, "{\"type\":\"events:query\",\"x\":1e999}", DIALOG_REPLY,
     ERROR("the message holds a number that is too large")},
    {BOTH, "{\"type\":\"events:query\",\"x\\u0000\":1}", DIALOG_REPLY,
     ERROR("the message holds a member name with a NUL")},
    {BOTH, "{\"type\":\"ingest\",\"x\":\"\\ud800\",\"y\":1e999,\"events\":[]}", DIALOG_SUBMIT,
     NULL},

    /* other types */
    {BOTH, "{\"type\":\"hello\"}", DIALOG_NOTHING, NULL},
    {BOTH, "{\"type\":\"\",\"reqId\":1}", DIALOG_NOTHING, NULL},
    {BOTH, "{\"type\":\"Ingest\",\"events\":[{}]}", DIALOG_NOTHING, NULL},
    {BOTH, "{\"type\":\"ingest\\u0000\",\"events\":[]}", DIALOG_NOTHING, NULL},
    {BOTH, "{\"type\":\"\\ud800\"}", DIALOG_NOTHING, NULL},
    {INGESTER, "{\"type\":\"push\",\"events\":[]}", DIALOG_NOTHING, NULL},
    {STRANGER, "{\"type\":\"hello\"}", DIALOG_CLOSE, NOT_YET},
    {STRANGER, "{\"type\":\"auth \",\"key\":\"both\"}", DIALOG_CLOSE, NOT_YET},
    {BOTH, "{}", DIALOG_REPLY, ERROR("no type")},
    {BOTH, "{\"events\":[]}", DIALOG_REPLY, ERROR("no type")},
    {BOTH, "{\"type\":[\"ingest\"],\"events\":[]}", DIALOG_REPLY, ERROR("no type")},
    {STRANGER, "{}", DIALOG_CLOSE, NOT_YET},
    {STRANGER, "{\"type\":5}", DIALOG_CLOSE, NOT_YET},

    /* no JSON, no object */
    {BOTH, "", DIALOG_REPLY, ERROR("no JSON: the text ends too early at byte 0")},
    {BOTH, "{\"type\":\"ingest\",\"reqId\":1,", DIALOG_REPLY,
     ERROR("no JSON: the text ends too early at byte 27")},
    {BOTH, "{\"type\":\"auth\",\"key\":\"both\"]", DIALOG_REPLY,
     ERROR("no JSON: expected a comma or the end of the object at byte 27")},
    {BOTH, "{\"type\":\"events:query\",\"x\":\"\xff\"}", DIALOG_REPLY,
     ERROR("no JSON: no UTF-8 at byte 28")},
    {KEYLESS, "[]", DIALOG_REPLY, ERROR(NO_EVENTS)},
    {BOTH, "\"type\"", DIALOG_REPLY, ERROR(NO_EVENTS)},
    {BOTH, "[{\"type\":\"ingest\",\"events\":[]}]", DIALOG_REPLY, ERROR(NO_EVENTS)},
    {STRANGER, "", DIALOG_CLOSE, NOT_YET},
    {STRANGER, "{\"type\":\"auth\",\"key\":\"both\"", DIALOG_CLOSE, NOT_YET},
    {STRANGER, "[{\"type\":\"auth\",\"key\":\"both\"}]", DIALOG_CLOSE, NOT_YET},
};

START_TEST(message_has_its_effect)
{
    become(cases[_i].who);
    bool was_open = dialog.open;
    take(cases[_i].message);
    ck_assert_msg(result.effect == cases[_i].effect, "%s: %d", cases[_i].message, result.effect);
    check_said(cases[_i].said);
    ck_assert_int_eq(result.batch != NULL, result.effect == DIALOG_SUBMIT);
    if (result.effect != DIALOG_ASK)
        ck_assert_ptr_null(result.req_id);
    /* Nothing but an auth opens or closes a dialog. */
    bool opened = result.effect == DIALOG_REPLY && strcmp(cases[_i].said, AUTH_OK) == 0;
    bool closed = result.effect == DIALOG_CLOSE;
    ck_assert_int_eq(dialog.open, (was_open || opened) && !closed);
}
END_TEST

START_TEST(auth_gives_the_scopes_of_the_last_key)
{
    become(STRANGER);
    ck_assert_uint_eq(dialog.scopes, ACCESS_NONE);
    static const struct {
        const char *message;
        unsigned scopes;
    } steps[] = {
        {"{\"type\":\"auth\",\"key\":\"in\"}", ACCESS_INGEST},
        {"{\"type\":\"auth\",\"key\":\"out\"}", ACCESS_QUERY},
        {"{\"type\":\"auth\",\"key\":\"both\"}", ACCESS_INGEST | ACCESS_QUERY},
        {"{\"type\":\"auth\",\"key\":\"in\"}", ACCESS_INGEST},
        {"{\"type\":\"auth\",\"key\":\"nobody's\"}", ACCESS_NONE},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        take(steps[i].message);
        ck_assert_uint_eq(dialog.scopes, steps[i].scopes);
    }
    take(QUERY);
    check_said(NOT_YET);
}
END_TEST

START_TEST(auth_takes_the_longest_key_however_it_is_written)
{
    char key[257], text[1700];
    memset(key, 'k', 256);
    key[256] = '\0';
    ck_assert_int_eq(access_add_key(keys, key, NULL), 0);
    for (size_t letters = 255; letters <= 257; letters++) {
        size_t len = (size_t)sprintf(text, "{\"type\":\"auth\",\"key\":\"");
        for (size_t i = 0; i < letters; i++)
            len += (size_t)sprintf(text + len, "\\u006b");
        strcpy(text + len, "\"}");
        become(STRANGER);
        take(text);
        check_said(letters == 256 ? AUTH_OK : WRONG);
    }
    snprintf(text, sizeof text, "{\"type\":\"auth\",\"key\":\"%01600d\"}", 0);
    become(STRANGER);
    take(text);
    check_said(WRONG);
}
END_TEST

START_TEST(keyless_dialog_has_both_scopes_whatever_key_comes)
{
    become(KEYLESS);
    ck_assert_uint_eq(dialog.scopes, ACCESS_INGEST | ACCESS_QUERY);
    take("{\"type\":\"auth\",\"key\":\"nobody's\"}");
    ck_assert_uint_eq(dialog.scopes, ACCESS_INGEST | ACCESS_QUERY);
}
END_TEST

/* A message of this type with a reqId of len bytes, quotes and all. */
static void take_req_id(const char *type, size_t len)
{
    struct bytes text;
    bytes_init(&text);
    ck_assert_int_eq(bytes_append_format(&text, "{\"type\":\"%s\",\"reqId\":\"", type), 0);
    ck_assert_int_eq(bytes_reserve(&text, len), 0);
    memset(text.data + text.len, 'r', len - 2);
    text.len += len - 2;
    ck_assert_int_eq(bytes_append_text(&text, "\",\"events\":[]}"), 0);
    take_bytes(text.data, text.len);
    bytes_clear(&text);
}

START_TEST(req_id_of_1024_bytes_is_told_back_and_a_longer_one_refused)
{
    become(READER);
    take_req_id("events:query", 1024);
    ck_assert_int_eq(result.effect, DIALOG_ASK);
    ck_assert_uint_eq(strlen(result.req_id), 1024);
    take_req_id("events:query", 1025);
    check_said(ERROR("reqId: too long"));
    take_req_id("ingest", 1025);
    check_said(ERROR("the key may not ingest"));
    /* Events are not lost for it. */
    become(BOTH);
    take_req_id("ingest", 1025);
    ck_assert_int_eq(result.effect, DIALOG_SUBMIT);
    take_req_id("hello", 1025);
    ck_assert_int_eq(result.effect, DIALOG_NOTHING);
}
END_TEST

/* A message of len bytes in all: head, white space, tail. */
static void take_padded(const char *head, size_t len, const char *tail)
{
    char *text = malloc(len);
    memset(text, ' ', len);
    memcpy(text, head, strlen(head));
    memcpy(text + len - strlen(tail), tail, strlen(tail));
    take_bytes(text, len);
    free(text);
}

START_TEST(control_messages_are_small)
{
    static const char query[] = "{\"type\":\"events:query\",\"reqId\":1";
    static const char auth[] = "{\"type\":\"auth\",\"key\":\"both\"";
    become(BOTH);
    take_padded(query, DIALOG_SMALL_BYTES, "}");
    ck_assert_int_eq(result.effect, DIALOG_ASK);
    take_padded(query, DIALOG_SMALL_BYTES + 1, "}");
    check_said(ERROR_FOR("1", "the message is too large for its type"));
    take_padded(auth, DIALOG_SMALL_BYTES + 1, "}");
    check_said(ERROR("the message is too large for its type"));
    take_padded("{\"type\":\"hello\"", DIALOG_SMALL_BYTES + 1, "}");
    ck_assert_int_eq(result.effect, DIALOG_NOTHING);
    take_padded("{\"type\":\"ingest\",\"events\":[{}]", DIALOG_SMALL_BYTES + 1, "}");
    ck_assert_int_eq(result.effect, DIALOG_SUBMIT);
}
END_TEST

START_TEST(strangers_are_not_listened_to_at_length)
{
    static const char auth[] = "{\"type\":\"auth\",\"key\":\"both\"";
    become(STRANGER);
    take_padded(auth, DIALOG_SMALL_BYTES + 1, "}");
    ck_assert_int_eq(result.effect, DIALOG_CLOSE);
    check_said(NOT_YET);
    take_padded(auth, DIALOG_SMALL_BYTES, "}");
    check_said(AUTH_OK);
}
END_TEST

START_TEST(json_deeper_than_jansson_reads_is_an_error)
{
    char text[10000];
    int depth = 3000, len = sprintf(text, "{\"type\":\"events:query\",\"reqId\":1,\"query\":");
    memset(text + len, '[', (size_t)depth);
    memset(text + len + depth, ']', (size_t)depth);
    strcpy(text + len + 2 * depth, "}");
    become(BOTH);
    take(text);
    check_said(ERROR_FOR("1", "the message is nested too deep"));
}
END_TEST

/* ---- out of memory ---- */

static int until_failure; /* allocations of jansson that succeed before one fails */

static void *failing_malloc(size_t size)
{
    return until_failure-- == 0 ? NULL : malloc(size);
}

static const struct {
    const char *message;
    enum dialog_effect effect; /* in the end */
} thrifty[] = {
    {"{\"type\":\"events:query\",\"reqId\":1,\"query\":{\"limit\":5}}", DIALOG_ASK},
    {"{\"type\":\"events:query\",\"query\":5}", DIALOG_REPLY},
    {"{}", DIALOG_REPLY},
    {"{\"type\":\"auth\",\"key\":\"a-key-of-more-than-thirty-two-characters\"}", DIALOG_REPLY},
};

/* jansson does not always tell: then it is an error, or done as if nothing had happened. */
START_TEST(without_memory_a_right_message_is_never_closed_on)
{
    ck_assert_int_eq(access_add_key(keys, "a-key-of-more-than-thirty-two-characters", NULL), 0);
    for (int failure = 0, failed = true; failed; failure++) {
        become(BOTH);
        until_failure = failure;
        json_set_alloc_funcs(failing_malloc, free);
        take(thrifty[_i].message);
        json_set_alloc_funcs(malloc, free);
        failed = until_failure < 0;
        if (failure == 0 && failed)
            ck_assert_int_eq(result.effect, DIALOG_NO_MEMORY);
        if (!failed)
            ck_assert_int_eq(result.effect, thrifty[_i].effect);
        if (result.effect == DIALOG_NO_MEMORY) {
            ck_assert_uint_eq(result.reply.len, 0);
            ck_assert_ptr_null(result.req_id);
        }
        ck_assert_int_ne(result.effect, DIALOG_CLOSE);
        ck_assert_int_ne(result.effect, DIALOG_NOTHING);
        ck_assert_uint_eq(dialog.scopes, ACCESS_INGEST | ACCESS_QUERY);
    }
}
END_TEST

/* ---- other keys ---- */

/* Keys before and now, which of them has come ("" for none), and what becomes of the dialog: the
 * scopes that it goes on with, or AGAIN. */
#define AGAIN 99u

static const struct {
    const char *before[4], *now[4], *key;
    unsigned scopes;
} renewals[] = {
    {{"a"}, {"a"}, "a", ACCESS_INGEST | ACCESS_QUERY},
    {{"a", "b"}, {"b", "a"}, "a", ACCESS_INGEST | ACCESS_QUERY}, /* at another place */
    {{"a:query", "b"}, {"c", "b", "a:ingest"}, "a", ACCESS_INGEST},
    {{"a", "b:ingest"}, {"b"}, "b", ACCESS_INGEST | ACCESS_QUERY},
    {{"a", "b"}, {"b"}, "a", AGAIN},
    {{"a", "b"}, {"aa", "A"}, "a", AGAIN},
    {{"a"}, {"b"}, "", ACCESS_NONE}, /* a stranger has time to send one */
    {{"a"}, {NULL}, "a", AGAIN},
    {{"a"}, {NULL}, "", AGAIN}, /* nobody has judged where it comes from */
    {{NULL}, {"a"}, "", AGAIN},
    {{NULL}, {NULL}, "", ACCESS_INGEST | ACCESS_QUERY},
};

static struct access *access_of(const char *const *texts)
{
    struct access *access = access_new();
    for (size_t i = 0; i < 4 && texts[i] != NULL; i++)
        ck_assert_int_eq(access_add_key(access, texts[i], NULL), 0);
    return access;
}

START_TEST(other_keys_leave_a_dialog_its_key_or_end_it)
{
    struct access *before = access_of(renewals[_i].before), *now = access_of(renewals[_i].now);
    char text[64];
    dialog_init(&dialog, before);
    means.access = before;
    if (*renewals[_i].key != '\0') {
        snprintf(text, sizeof text, "{\"type\":\"auth\",\"key\":\"%s\"}", renewals[_i].key);
        take(text);
        ck_assert(dialog.open);
    }
    bool open = dialog.open;
    if (dialog_renew(&dialog, before, now)) {
        ck_assert_uint_eq(dialog.scopes, renewals[_i].scopes);
        ck_assert(dialog.open == open);
        /* And again, where its place must be known. */
        ck_assert(dialog_renew(&dialog, now, now));
        ck_assert_uint_eq(dialog.scopes, renewals[_i].scopes);
    } else {
        ck_assert_uint_eq(renewals[_i].scopes, AGAIN);
    }
    access_free(before);
    access_free(now);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialog");
    TCase *tests = tcase_create("dialog");
    tcase_add_checked_fixture(tests, dialogs_setup, dialogs_teardown);
    tcase_add_loop_test(tests, message_has_its_effect, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, auth_gives_the_scopes_of_the_last_key);
    tcase_add_test(tests, auth_takes_the_longest_key_however_it_is_written);
    tcase_add_test(tests, keyless_dialog_has_both_scopes_whatever_key_comes);
    tcase_add_test(tests, req_id_of_1024_bytes_is_told_back_and_a_longer_one_refused);
    tcase_add_test(tests, control_messages_are_small);
    tcase_add_test(tests, strangers_are_not_listened_to_at_length);
    tcase_add_test(tests, json_deeper_than_jansson_reads_is_an_error);
    tcase_add_loop_test(tests, without_memory_a_right_message_is_never_closed_on, 0,
                        sizeof thrifty / sizeof *thrifty);
    tcase_add_loop_test(tests, other_keys_leave_a_dialog_its_key_or_end_it, 0,
                        sizeof renewals / sizeof *renewals);
    suite_add_tcase(suite, tests);
    return unit_main(suite);
}
