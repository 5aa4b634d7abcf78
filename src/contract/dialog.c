#include "contract/dialog.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/message.h"
#include "contract/scan.h"

#define DIALOG_REQ_ID_BYTES 1024   /* a longer one is not told back */
#define DIALOG_KEY_BYTES (256 * 6) /* the longest key, all of it escaped */
#define DIALOG_TOO_LARGE "the message is too large for its type"
#define DIALOG_NOT_YET "not authenticated"

/* What the functions below hand on: one message, and what has been found out about it. What it owns
 * goes into the result or is freed when the message has been dealt with. */
struct dialog_message {
    struct dialog *dialog;
    const struct dialog_means *means;
    const char *text;
    size_t len;
    struct scan_envelope envelope;
    struct batch *batch; /* NULL: the message has no events, or is none at all */
    struct error err;    /* why not */
    char *req_id;        /* JSON text; NULL when there is none, or none that is told back */
    struct dialog_result *result;
};

void dialog_init(struct dialog *dialog, const struct access *access)
{
    dialog->open = !access_has_keys(access);
    dialog->scopes = dialog->open ? ACCESS_INGEST | ACCESS_QUERY : ACCESS_NONE;
}

bool dialog_renew(struct dialog *dialog, const struct access *before, const struct access *now)
{
    /* With keys others may connect than without (Host and Origin are looked at when a connection
     * begins), and who has sent none may have one. */
    if (access_has_keys(before) != access_has_keys(now))
        return false;
    if (!dialog->open || !access_has_keys(now))
        return true;
    unsigned scopes = access_key_again(before, dialog->key, now, &dialog->key);
    if (scopes != ACCESS_NONE)
        dialog->scopes = scopes;
    return scopes != ACCESS_NONE;
}

static void dialog_close(struct dialog_message *m, const char *why)
{
    m->result->effect = DIALOG_CLOSE;
    m->result->why = why;
}

static void dialog_no_memory(struct dialog_message *m)
{
    m->result->effect = DIALOG_NO_MEMORY; /* no writer leaves half a reply behind */
}

/* text holds nothing of what the client has sent: a key could be in it. */
static void dialog_refuse(struct dialog_message *m, const char *text)
{
    if (message_error(&m->result->reply, text, m->req_id) != 0)
        dialog_no_memory(m);
    else
        m->result->effect = DIALOG_REPLY;
}

/* The reqId as it stands in the text, quotes and all. */
static struct scan_slice dialog_req_id(const struct dialog_message *m)
{
    struct scan_slice slice = m->envelope.req_id.value;
    if (m->envelope.req_id.kind == SCAN_STRING) {
        slice.at--;
        slice.len += 2;
    }
    return slice;
}

/* Keeps the reqId for an answer, as the text it came as: 1.10 and a number of thirty digits come
 * back as they were, and an ingest of megabytes is not parsed for it. 0, or -1 when out of memory.
 */
static int dialog_keep_req_id(struct dialog_message *m)
{
    struct scan_slice slice = dialog_req_id(m);
    if (m->envelope.req_id.kind == SCAN_ABSENT || slice.len > DIALOG_REQ_ID_BYTES)
        return 0;
    m->req_id = strndup(m->text + slice.at, slice.len);
    return m->req_id != NULL ? 0 : -1;
}

/* Why a text that the scanner has accepted is refused by jansson. Its own words quote the text. */
static const char *dialog_why_unread(enum json_error_code code)
{
    switch (code) {
    case json_error_numeric_overflow:
        return "the message holds a number that is too large";
    case json_error_stack_overflow:
        return "the message is nested too deep";
    case json_error_null_byte_in_key:
        return "the message holds a member name with a NUL";
    default: /* a lone surrogate; rarely it is a string that there was no memory for */
        return "the message holds a string that is no Unicode text";
    }
}

/* The message as a document; NULL when all is said. */
static json_t *dialog_parse(struct dialog_message *m)
{
    if (m->len > DIALOG_SMALL_BYTES) {
        dialog_refuse(m, DIALOG_TOO_LARGE);
        return NULL;
    }
    json_error_t error = {0};
    const struct scan_slice object = m->envelope.object; /* without a byte order mark */
    json_t *document = json_loadb(m->text + object.at, object.len, JSON_ALLOW_NUL, &error);
    if (document != NULL)
        return document;
    enum json_error_code code = json_error_code(&error);
    if (code == json_error_unknown || code == json_error_out_of_memory)
        dialog_no_memory(m);
    else
        dialog_refuse(m, dialog_why_unread(code));
    return NULL;
}

static void dialog_auth_ok(struct dialog_message *m)
{
    if (bytes_append_text(&m->result->reply, MESSAGE_AUTH_OK) != 0)
        dialog_no_memory(m);
    else
        m->result->effect = DIALOG_REPLY;
}

/*
 * What the message's key may. The scanner has found it, and jansson is not asked: where memory runs
 * out it leaves out a byte of a string of more than 16 and goes on (2.14, ran), and a client whose
 * right key was closed on never comes back.
 */
static unsigned dialog_key_scopes(const struct dialog_message *m, size_t *place)
{
    const struct scan_field *field = &m->envelope.key;
    char key[DIALOG_KEY_BYTES];
    if (field->kind != SCAN_STRING || field->value.len > sizeof key)
        return ACCESS_NONE;
    size_t len = scan_unescape(m->text + field->value.at, field->value.len, key);
    return access_key_find(m->means->access, key, len, place);
}

static void dialog_auth(struct dialog_message *m)
{
    struct dialog *dialog = m->dialog;
    if (!access_has_keys(m->means->access)) {
        dialog_auth_ok(m);
        return;
    }
    if (m->len > DIALOG_SMALL_BYTES) {
        dialog_refuse(m, DIALOG_TOO_LARGE);
        return;
    }
    dialog->scopes = dialog_key_scopes(m, &dialog->key);
    dialog->open = dialog->scopes != ACCESS_NONE;
    if (dialog->open)
        dialog_auth_ok(m);
    else
        dialog_close(m, "wrong key");
}

/* A member that is to be a text. "" is none of the texts that range_read knows, so what is no
 * string, or is cut by a NUL, gets the words of a value that can't be read. */
static const char *dialog_text(const json_t *query, const char *name)
{
    const json_t *value = json_object_get(query, name);
    if (value == NULL || json_is_null(value))
        return NULL;
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : "";
}

struct dialog_number {
    char text[24]; /* room for 64 bits, sign and NUL */
};

/* The same for a number, which may stand in a string. */
static const char *dialog_number(const json_t *query, const char *name, struct dialog_number *room)
{
    const json_t *value = json_object_get(query, name);
    if (!json_is_integer(value))
        return dialog_text(query, name);
    snprintf(room->text, sizeof room->text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return room->text;
}

/* query: what the message has by that name, NULL for nothing. 0, or -1 with err. */
static int dialog_read_query(const struct dialog_means *means, const json_t *query,
                             struct range *range, struct error *err)
{
    struct dialog_number limit, page;
    if (query != NULL && !json_is_null(query) && !json_is_object(query)) {
        error_set(err, "query: not an object");
        return -1;
    }
    const struct range_texts texts = {
        .since = dialog_text(query, "since"),
        .until = dialog_text(query, "until"),
        .after = dialog_text(query, "after"),
        .limit = dialog_number(query, "limit", &limit),
        .page = dialog_number(query, "page", &page),
        .cursor = dialog_text(query, "cursor"),
    };
    return range_read(range, &texts, means->max_events, means->secret, err);
}

static void dialog_ask(struct dialog_message *m, const json_t *query)
{
    struct dialog_result *result = m->result;
    struct error err;
    if (dialog_read_query(m->means, query, &result->range, &err) != 0) {
        dialog_refuse(m, err.text);
    } else if (message_response_head(&result->reply, m->req_id) != 0) {
        dialog_no_memory(m);
    } else {
        result->effect = DIALOG_ASK;
        result->req_id = m->req_id;
        m->req_id = NULL;
    }
}

static void dialog_query(struct dialog_message *m)
{
    if ((m->dialog->scopes & ACCESS_QUERY) == 0) {
        dialog_refuse(m, "the key may not query");
        return;
    }
    /* An answer that can't be told from others is worth nothing. */
    if (dialog_req_id(m).len > DIALOG_REQ_ID_BYTES) {
        dialog_refuse(m, "reqId: too long");
        return;
    }
    json_t *document = dialog_parse(m);
    if (document == NULL)
        return;
    dialog_ask(m, json_object_get(document, "query"));
    json_decref(document);
}

static void dialog_ingest(struct dialog_message *m)
{
    if ((m->dialog->scopes & ACCESS_INGEST) == 0) {
        dialog_refuse(m, "the key may not ingest");
    } else if (m->batch == NULL) {
        dialog_refuse(m, m->err.text);
    } else {
        m->result->effect = DIALOG_SUBMIT;
        m->result->batch = m->batch;
        m->batch = NULL;
    }
}

/* By its type. The text is JSON. */
static void dialog_dispatch(struct dialog_message *m)
{
    const struct scan_field *type = &m->envelope.type;
    bool auth = scan_field_is(m->text, type, "auth");
    if (!m->dialog->open && !auth)
        dialog_close(m, DIALOG_NOT_YET);
    else if (dialog_keep_req_id(m) != 0)
        dialog_no_memory(m);
    else if (auth)
        dialog_auth(m);
    else if (scan_field_is(m->text, type, "ingest"))
        dialog_ingest(m);
    else if (scan_field_is(m->text, type, "events:query"))
        dialog_query(m);
    else if (m->envelope.object.len == 0)
        dialog_refuse(m, m->err.text);
    else if (type->kind != SCAN_STRING)
        dialog_refuse(m, "no type");
}

void dialog_take(struct dialog *dialog, const struct dialog_means *means, const char *text,
                 size_t len, int64_t now_ms, struct dialog_result *result)
{
    struct dialog_message m = {
        .dialog = dialog, .means = means, .text = text, .len = len, .result = result};
    *result = (struct dialog_result){.effect = DIALOG_NOTHING};
    /* Nothing that large is an auth, and strangers are not scanned for. */
    if (!dialog->open && len > DIALOG_SMALL_BYTES) {
        dialog_close(&m, DIALOG_NOT_YET);
        return;
    }
    switch (batch_read_message(text, len, means->limits, means->uuids, means->secret, now_ms,
                               &m.envelope, &m.batch, &m.err)) {
    case BATCH_OK:
    case BATCH_NO_EVENTS:
        dialog_dispatch(&m);
        break;
    case BATCH_NO_JSON:
        if (dialog->open)
            dialog_refuse(&m, m.err.text);
        else
            dialog_close(&m, DIALOG_NOT_YET);
        break;
    default:
        dialog_no_memory(&m);
        break;
    }
    batch_free(m.batch);
    free(m.req_id);
}

void dialog_result_clear(struct dialog_result *result)
{
    bytes_clear(&result->reply);
    batch_free(result->batch);
    free(result->req_id);
    *result = (struct dialog_result){.effect = DIALOG_NOTHING};
}
