/*
 * fuzz_dialog.c: the messages of one WebSocket, one after the other, against a model made of
 * jansson and of what the contract says.
 *
 * The first byte of the input chooses: bit 0 whether there are keys. Messages follow with a byte of
 * 0xFF between them, which no text of UTF-8 has. What is no UTF-8 never comes so far and is left
 * out. Of messages that jansson refuses only what holds of all is asked.
 */
#include <jansson.h>

#include "contract/dialog.h"
#include "contract/message.h"
#include "contract/timestamp.h"
#include "contract/utf8.h"
#include "fuzz.h"

#define FUZZ_NOW INT64_C(1710498225123)
#define FUZZ_MOST 5000

static const unsigned char fuzz_secret[SIPHASH_KEY_BYTES] = "0123456789abcdef";
static const struct batch_limits fuzz_limits = {.event_bytes = 4096, .depth = 32};
static struct access *fuzz_keys, *fuzz_no_keys;
static struct uuid_source fuzz_uuids;

/* What the contract says of the connection so far. */
struct fuzz_talk {
    struct dialog dialog;
    struct dialog_means means;
    bool keyed, open, over;
    unsigned scopes;
};

static unsigned fuzz_scopes_of(const json_t *message)
{
    const json_t *key = json_object_get(message, "key");
    const char *text = json_string_value(key);
    if (text == NULL || strlen(text) != json_string_length(key))
        return ACCESS_NONE;
    return strcmp(text, "both") == 0  ? ACCESS_INGEST | ACCESS_QUERY
           : strcmp(text, "in") == 0  ? ACCESS_INGEST
           : strcmp(text, "out") == 0 ? ACCESS_QUERY
                                      : ACCESS_NONE;
}

static void fuzz_is_error(const struct dialog_result *result)
{
    json_t *reply = json_loadb(result->reply.data, result->reply.len, JSON_ALLOW_NUL, NULL);
    const char *type = json_string_value(json_object_get(reply, "type"));
    fuzz_need(result->effect == DIALOG_REPLY && type != NULL && strcmp(type, "error") == 0 &&
                  json_is_string(json_object_get(reply, "error")),
              "not an error");
    json_decref(reply);
}

/* The head of an answer with something behind it is a message; it tells the reqId that came. */
static void fuzz_is_head(const struct dialog_result *result, const json_t *message)
{
    struct bytes whole;
    bytes_init(&whole);
    fuzz_need(bytes_append(&whole, result->reply.data, result->reply.len) == 0 &&
                  bytes_append_text(&whole, "{}" MESSAGE_RESPONSE_TAIL) == 0,
              "out of memory");
    json_t *reply = json_loadb(whole.data, whole.len, JSON_ALLOW_NUL, NULL);
    const json_t *came = json_object_get(message, "reqId"), *back = json_object_get(reply, "reqId");
    fuzz_need(json_is_object(json_object_get(reply, "response")), "no head of an answer");
    fuzz_need(came == NULL ? back == NULL
                           : back != NULL && json_equal((json_t *)came, (json_t *)back),
              "another reqId");
    json_decref(reply);
    bytes_clear(&whole);
}

static void fuzz_query(const struct fuzz_talk *talk, const struct dialog_result *result,
                       const json_t *message)
{
    const json_t *query = json_object_get(message, "query");
    const json_t *since = json_object_get(query, "since"), *limit = json_object_get(query, "limit");
    int64_t ts = INT64_MIN;
    bool readable = query == NULL || json_is_null(query) || json_is_object(query);
    if ((talk->scopes & ACCESS_QUERY) == 0 || !readable) {
        fuzz_is_error(result);
        return;
    }
    if (result->effect != DIALOG_ASK) {
        fuzz_is_error(result);
        fuzz_need(json_object_size(query) > 0 || json_object_get(message, "reqId") != NULL,
                  "a plain query was refused");
        return;
    }
    fuzz_is_head(result, message);
    fuzz_need(result->range.limit >= 0 && result->range.limit <= FUZZ_MOST,
              "a limit above the most");
    fuzz_need(!json_is_integer(limit) || json_integer_value(limit) > FUZZ_MOST ||
                  result->range.limit == json_integer_value(limit),
              "another limit");
    if (json_is_string(since) && !result->range.resumed &&
        json_object_get(query, "after") == NULL &&
        timestamp_parse(json_string_value(since), json_string_length(since), &ts) == 0)
        fuzz_need(result->range.since == ts, "another since");
}

static void fuzz_ingest(const struct fuzz_talk *talk, const struct dialog_result *result,
                        const json_t *message)
{
    const json_t *events = json_object_get(message, "events");
    if ((talk->scopes & ACCESS_INGEST) == 0 || !json_is_array(events)) {
        fuzz_is_error(result);
        return;
    }
    fuzz_need(result->effect == DIALOG_SUBMIT &&
                  result->batch->event_count + result->batch->reject_count ==
                      json_array_size(events),
              "not all of its events");
}

/* What the message must have done, by the contract. */
static void fuzz_expect(struct fuzz_talk *talk, const struct dialog_result *result,
                        const json_t *message)
{
    const json_t *member = json_object_get(message, "type");
    const char *type = json_string_value(member);
    if (type == NULL || strlen(type) != json_string_length(member))
        type = "";
    if (talk->keyed && strcmp(type, "auth") == 0) {
        talk->scopes = fuzz_scopes_of(message);
        talk->open = talk->scopes != ACCESS_NONE;
        fuzz_need(talk->open == (result->effect == DIALOG_REPLY), "a key that is one, or not");
    }
    if (!talk->open)
        fuzz_need(result->effect == DIALOG_CLOSE, "acted on without a key");
    else if (strcmp(type, "auth") == 0)
        fuzz_need(fuzz_same(result->reply.data, result->reply.len, MESSAGE_AUTH_OK,
                            sizeof MESSAGE_AUTH_OK - 1),
                  "auth, and not auth_ok");
    else if (strcmp(type, "ingest") == 0)
        fuzz_ingest(talk, result, message);
    else if (strcmp(type, "events:query") == 0)
        fuzz_query(talk, result, message);
    else if (!json_is_string(member))
        fuzz_is_error(result);
    else
        fuzz_need(result->effect == DIALOG_NOTHING, "an unknown type had an effect");
}

/* What holds whatever was sent. */
static void fuzz_always(const struct fuzz_talk *talk, const struct dialog_result *result)
{
    struct utf8 utf8 = {0};
    fuzz_need(utf8_add(&utf8, result->reply.data, result->reply.len) && utf8_whole(&utf8),
              "a reply that is not UTF-8");
    fuzz_need(result->effect != DIALOG_NO_MEMORY, "out of memory");
    unsigned needed = result->effect == DIALOG_SUBMIT ? ACCESS_INGEST
                      : result->effect == DIALOG_ASK  ? ACCESS_QUERY
                                                      : ACCESS_NONE;
    fuzz_need((talk->scopes & needed) == needed, "more than the key may");
    fuzz_need((result->effect == DIALOG_SUBMIT) == (result->batch != NULL), "a batch, or none");
    fuzz_need((result->effect == DIALOG_REPLY || result->effect == DIALOG_ASK) ==
                  (result->reply.len > 0),
              "a reply, or none");
    fuzz_need(result->effect != DIALOG_CLOSE ||
                  (talk->keyed && result->why != NULL && !talk->dialog.open),
              "closed for no reason");
}

static void fuzz_message(struct fuzz_talk *talk, const char *text, size_t len)
{
    struct utf8 utf8 = {0};
    struct dialog_result result;
    if (talk->over || !utf8_add(&utf8, text, len) || !utf8_whole(&utf8))
        return;
    /* In memory of that size. */
    char *copy = malloc(len + 1);
    fuzz_need(copy != NULL, "out of memory");
    memcpy(copy + 1, text, len);
    dialog_take(&talk->dialog, &talk->means, copy + 1, len, FUZZ_NOW, &result);
    fuzz_always(talk, &result);
    size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    json_t *message = memchr(text, '\0', len) == NULL
                          ? json_loadb(text + mark, len - mark, JSON_ALLOW_NUL, NULL)
                          : NULL;
    if (json_is_object(message))
        fuzz_expect(talk, &result, message);
    json_decref(message);
    talk->open = talk->dialog.open;
    talk->scopes = talk->dialog.scopes;
    talk->over = result.effect == DIALOG_CLOSE;
    dialog_result_clear(&result);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz_keys == NULL) {
        fuzz_keys = access_new();
        fuzz_no_keys = access_new();
        fuzz_need(fuzz_keys != NULL && fuzz_no_keys != NULL &&
                      access_add_key(fuzz_keys, "both", NULL) == 0 &&
                      access_add_key(fuzz_keys, "in:ingest", NULL) == 0 &&
                      access_add_key(fuzz_keys, "out:query", NULL) == 0,
                  "out of memory");
        uuid_source_init(&fuzz_uuids);
    }
    if (size == 0)
        return 0;
    struct fuzz_talk talk = {.keyed = (data[0] & 1) != 0};
    talk.means = (struct dialog_means){.access = talk.keyed ? fuzz_keys : fuzz_no_keys,
                                       .limits = &fuzz_limits,
                                       .uuids = &fuzz_uuids,
                                       .secret = fuzz_secret,
                                       .max_events = FUZZ_MOST};
    dialog_init(&talk.dialog, talk.means.access);
    talk.open = talk.dialog.open;
    talk.scopes = talk.dialog.scopes;
    const uint8_t *at = data + 1, *end = data + size;
    while (at < end) {
        const uint8_t *stop = memchr(at, 0xff, (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        fuzz_message(&talk, (const char *)at, len);
        at += len + 1;
    }
    return 0;
}
