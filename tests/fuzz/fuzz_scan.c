/*
 * fuzz_scan.c: an ingest body through the scanner, through the scanner as it is without SSE2,
 * through jansson, and made into a batch.
 *
 * The first byte chooses the depth that is taken and the limit of an event. The two scanners must
 * agree in everything. What jansson takes the scanner must take, with the same events; what only
 * the scanner takes must be one of the things that jansson is known to refuse although they are
 * JSON. Each event of the batch is its element byte for byte, but for the id.
 */
#include <jansson.h>

#include "contract/batch.h"
#include "contract/scan.h"
#include "contract/timestamp.h"
#include "fuzz.h"
#include "portable.h"

#define FUZZ_NOW INT64_C(1710498225123)
#define FUZZ_JANSSON_DEPTH 2000 /* it takes 2,048 levels */

/* What a walk has found. */
struct fuzz_found {
    struct scan_event *events;
    size_t count, room;
    size_t depth; /* of the whole body, as brackets outside of strings tell */
    bool faulted; /* an event with any fault, also one that was forgotten */
    struct scan_envelope envelope;
    struct error err;
    int status;
};

static int fuzz_on_event(void *arg, const struct scan_event *event)
{
    struct fuzz_found *found = arg;
    if (found->count == found->room) {
        found->room = found->room * 2 + 16;
        found->events = realloc(found->events, found->room * sizeof *found->events);
        fuzz_need(found->events != NULL, "out of memory");
    }
    found->events[found->count++] = *event;
    found->faulted = found->faulted || event->fault != SCAN_FAULT_NONE;
    return 0;
}

static void fuzz_on_restart(void *arg)
{
    ((struct fuzz_found *)arg)->count = 0;
}

static bool fuzz_same_slice(struct scan_slice a, struct scan_slice b)
{
    return a.at == b.at && a.len == b.len;
}

static bool fuzz_same_field(const struct scan_field *a, const struct scan_field *b)
{
    return a->kind == b->kind && a->escaped == b->escaped && fuzz_same_slice(a->value, b->value);
}

/* shift: how much further behind b's text begins. */
static bool fuzz_same_event(const struct scan_event *a, const struct scan_event *b, size_t shift)
{
    struct scan_slice raw = {b->raw.at + shift, b->raw.len};
    struct scan_slice id = {b->id.at + shift, b->id.len};
    struct scan_slice stamp = {b->timestamp.at + shift, b->timestamp.len};
    return fuzz_same_slice(a->raw, raw) && a->fault == b->fault &&
           a->has_members == b->has_members && a->id_kind == b->id_kind &&
           a->timestamp_kind == b->timestamp_kind &&
           (a->id_kind == SCAN_ABSENT ||
            (a->id_escaped == b->id_escaped && fuzz_same_slice(a->id, id))) &&
           (a->timestamp_kind == SCAN_ABSENT ||
            (a->timestamp_escaped == b->timestamp_escaped && fuzz_same_slice(a->timestamp, stamp)));
}

static void fuzz_agree(const struct fuzz_found *a, const struct fuzz_found *b)
{
    fuzz_need(a->status == b->status, "the scanners disagree");
    fuzz_need(strcmp(a->err.text, b->err.text) == 0, "the scanners say other words");
    fuzz_need(a->status != SCAN_OK || a->count == b->count, "another number of events");
    for (size_t i = 0; a->status == SCAN_OK && i < a->count; i++)
        fuzz_need(fuzz_same_event(&a->events[i], &b->events[i], 0), "another event");
    const struct scan_envelope *x = &a->envelope, *y = &b->envelope;
    fuzz_need(fuzz_same_slice(x->object, y->object) && fuzz_same_field(&x->type, &y->type) &&
                  fuzz_same_field(&x->req_id, &y->req_id) && fuzz_same_field(&x->key, &y->key),
              "another envelope");
}

/* --- jansson ---------------------------------------------------------------------------------- */

static json_t *fuzz_parse(const char *text, size_t len, json_error_t *error)
{
    return json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, error);
}

static size_t fuzz_json_depth(const json_t *json)
{
    size_t deepest = 0, i;
    const char *name;
    json_t *value;
    if (json_is_array(json)) {
        json_array_foreach(json, i, value)
        {
            size_t depth = fuzz_json_depth(value);
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_is_object(json)) {
        json_object_foreach((json_t *)json, name, value)
        {
            size_t depth = fuzz_json_depth(value);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

/* The member as jansson has it against the slice that the scanner found. */
static bool fuzz_same_member(const char *text, const json_t *object, const char *name,
                             enum scan_kind kind, struct scan_slice slice)
{
    const json_t *wanted = json_object_get(object, name);
    if (wanted == NULL || kind == SCAN_ABSENT)
        return wanted == NULL && kind == SCAN_ABSENT;
    if (json_is_string(wanted) != (kind == SCAN_STRING))
        return false;
    size_t quote = kind == SCAN_STRING ? 1 : 0;
    json_t *found = fuzz_parse(text + slice.at - quote, slice.len + 2 * quote, NULL);
    bool same = found != NULL && json_equal(found, wanted);
    if (same && kind == SCAN_STRING) {
        char *plain = malloc(slice.len + 1);
        fuzz_need(plain != NULL, "out of memory");
        size_t len = scan_unescape(text + slice.at, slice.len, plain);
        same = fuzz_same(plain, len, json_string_value(wanted), json_string_length(wanted));
        free(plain);
    }
    json_decref(found);
    return same;
}

static void fuzz_compare_event(const char *text, const struct scan_event *event,
                               const json_t *wanted, unsigned max_depth)
{
    fuzz_need((event->fault == SCAN_FAULT_NOT_OBJECT) == !json_is_object(wanted),
              "an object is none, or the other way round");
    fuzz_need(event->fault != SCAN_FAULT_UTF8, "bad UTF-8 that jansson does not see");
    json_t *found = fuzz_parse(text + event->raw.at, event->raw.len, NULL);
    fuzz_need(found != NULL && json_equal(found, wanted), "a slice that is not the event");
    json_decref(found);
    if (!json_is_object(wanted))
        return;
    /* Of duplicate members jansson keeps the last, so it may know of less depth. */
    fuzz_need(event->fault == SCAN_FAULT_DEPTH || fuzz_json_depth(wanted) <= max_depth,
              "too deep, and not noticed");
    fuzz_need(event->has_members == (json_object_size(wanted) > 0), "members, or none");
    fuzz_need(fuzz_same_member(text, wanted, "id", event->id_kind, event->id), "another id");
    fuzz_need(fuzz_same_member(text, wanted, "timestamp", event->timestamp_kind, event->timestamp),
              "another timestamp");
}

static void fuzz_compare(const char *text, const struct fuzz_found *found, const json_t *body,
                         unsigned max_depth)
{
    const struct scan_envelope *envelope = &found->envelope;
    const json_t *events = json_object_get(body, "events");
    fuzz_need(found->status != SCAN_NO_JSON, "jansson takes it, the scanner does not");
    fuzz_need((envelope->object.len > 0) == json_is_object(body), "an object, or none");
    if (json_is_object(body))
        fuzz_need(fuzz_same_member(text, body, "type", envelope->type.kind, envelope->type.value) &&
                      fuzz_same_member(text, body, "reqId", envelope->req_id.kind,
                                       envelope->req_id.value) &&
                      fuzz_same_member(text, body, "key", envelope->key.kind, envelope->key.value),
                  "the envelope is another");
    if (!json_is_array(events)) {
        fuzz_need(found->status == SCAN_NO_EVENTS, "there are no events");
        return;
    }
    fuzz_need(found->status == SCAN_OK && json_array_size(events) == found->count,
              "not as many events as jansson has");
    for (size_t i = 0; i < found->count; i++)
        fuzz_compare_event(text, &found->events[i], json_array_get(events, i), max_depth);
}

/* Whether it is one of the known things that jansson refuses. */
static bool fuzz_known_refusal(const json_error_t *error, const struct fuzz_found *found)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow: /* integers beyond 64 bits, and 1e999 */
    case json_error_null_byte_in_key:
        return true;
    case json_error_stack_overflow:
        return found->depth > FUZZ_JANSSON_DEPTH;
    case json_error_invalid_utf8: /* in an event it is a fault, not the end */
        return found->faulted;
    case json_error_invalid_syntax:
        return strncmp(error->text, "invalid Unicode '\\uD", 20) == 0;
    default:
        return false;
    }
}

/* Levels that are open at the same time at most, of a text that is JSON. */
static size_t fuzz_depth(const char *text, size_t len)
{
    size_t depth = 0, deepest = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        if (string && text[i] == '\\')
            i++;
        else if (string)
            string = text[i] != '"';
        else if (text[i] == '"')
            string = true;
        else if (text[i] == '{' || text[i] == '[')
            deepest = ++depth > deepest ? depth : deepest;
        else if ((text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
    }
    return deepest;
}

static void fuzz_against_jansson(const char *text, size_t len, struct fuzz_found *found,
                                 unsigned max_depth)
{
    /* jansson 2.14 steps over a NUL behind a number. */
    if (memchr(text, '\0', len) != NULL)
        return;
    size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    json_error_t error;
    json_t *body = fuzz_parse(text + mark, len - mark, &error);
    found->depth = fuzz_depth(text, len);
    if (body != NULL)
        fuzz_compare(text, found, body, max_depth);
    else
        fuzz_need(found->status == SCAN_NO_JSON || fuzz_known_refusal(&error, found),
                  "the scanner takes it, jansson does not");
    json_decref(body);
}

/* --- what must hold of any walk --------------------------------------------------------------- */

static void fuzz_look(const char *text, size_t len, const struct fuzz_found *found,
                      unsigned max_depth)
{
    size_t behind = 0;
    fuzz_need(found->status == SCAN_OK || found->err.text[0] != '\0', "refused without a word");
    for (size_t i = 0; found->status == SCAN_OK && i < found->count; i++) {
        const struct scan_event *event = &found->events[i];
        const char *raw = text + event->raw.at;
        fuzz_need(event->raw.at >= behind && event->raw.len > 0 &&
                      event->raw.at + event->raw.len <= len,
                  "a slice outside of its place");
        behind = event->raw.at + event->raw.len + 1;
        fuzz_need(strchr(" \t\r\n", *raw) == NULL &&
                      strchr(" \t\r\n", raw[event->raw.len - 1]) == NULL,
                  "white space around an event");
        struct scan_event alone;
        fuzz_need(scan_event(raw, event->raw.len, max_depth, &alone, NULL) == SCAN_OK &&
                      fuzz_same_event(event, &alone, event->raw.at),
                  "another event when it stands alone");
    }
}

/* --- the batch -------------------------------------------------------------------------------- */

/* What is stored is the element but for the value of its id. */
static void fuzz_stored(const char *raw, const struct scan_event *from,
                        const struct batch_event *event)
{
    bool given = from->id_kind == SCAN_STRING && from->id.len > 0;
    size_t front = 0, back = 0,
           least = from->raw.len < event->text_len ? from->raw.len : event->text_len;
    fuzz_need(event->given == given && event->id_len > 0, "an id, given or not");
    if (given) {
        fuzz_need(fuzz_same(raw, from->raw.len, event->text, event->text_len),
                  "an event was changed");
    } else {
        while (front < least && raw[front] == event->text[front])
            front++;
        while (back < least - front &&
               raw[from->raw.len - 1 - back] == event->text[event->text_len - 1 - back])
            back++;
        size_t gone = from->id_kind == SCAN_ABSENT ? 0 : from->id.len;
        fuzz_need(front + back + gone >= from->raw.len, "more than the id was changed");
        fuzz_need(event->id >= event->text &&
                      event->id + event->id_len <= event->text + event->text_len,
                  "an id that is not in its event");
    }
    struct scan_event again;
    fuzz_need(scan_event(event->text, event->text_len, 1000000, &again, NULL) == SCAN_OK &&
                  again.id_kind == SCAN_STRING && again.id.len > 0,
              "what is stored has no id");
    char *id = malloc(again.id.len + 1);
    fuzz_need(id != NULL, "out of memory");
    size_t id_len = scan_unescape(event->text + again.id.at, again.id.len, id);
    fuzz_need(fuzz_same(id, id_len, event->id, event->id_len), "another id than is stored");
    free(id);
    char *stamp = malloc(again.timestamp.len + 1);
    fuzz_need(stamp != NULL, "out of memory");
    size_t stamp_len = scan_unescape(event->text + again.timestamp.at, again.timestamp.len, stamp);
    int64_t ts;
    fuzz_need(timestamp_parse(stamp, stamp_len, &ts) == 0 && ts == event->ts,
              "another time than is stored");
    free(stamp);
}

static void fuzz_batch(const char *text, size_t len, const struct fuzz_found *found,
                       const struct batch_limits *limits)
{
    static const unsigned char secret[16] = "0123456789abcdef";
    static struct uuid_source uuids;
    if (uuids.state[0] == 0)
        uuid_source_init(&uuids);
    struct batch *batch;
    int status = batch_read(text, len, limits, &uuids, secret, FUZZ_NOW, &batch, NULL);
    fuzz_need(status == (found->status == SCAN_OK        ? BATCH_OK
                         : found->status == SCAN_NO_JSON ? BATCH_NO_JSON
                                                         : BATCH_NO_EVENTS),
              "the batch is read in another way");
    if (status != BATCH_OK)
        return;
    fuzz_need(batch->event_count + batch->reject_count == found->count, "an event was lost");
    size_t event = 0, reject = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct scan_event *from = &found->events[i];
        const char *raw = text + from->raw.at;
        size_t position = i + 1;
        if (event < batch->event_count && batch->events[event].position == position) {
            fuzz_need(from->fault == SCAN_FAULT_NONE && from->raw.len <= limits->event_bytes,
                      "an event that can't be stored");
            fuzz_stored(raw, from, &batch->events[event++]);
        } else if (reject < batch->reject_kept) {
            const struct batch_reject *refused = &batch->rejects[reject++];
            fuzz_need(fuzz_same(raw, from->raw.len, refused->text, refused->text_len),
                      "a reject was changed");
        }
    }
    fuzz_need(event == batch->event_count && reject == batch->reject_kept, "one too many");
    batch_free(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned depths[] = {512, 1, 2, 3, 64, 65, 1000, 1023};
    static const size_t limits[] = {1 << 20, 60};
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    unsigned depth = depths[data[0] & 7];
    struct fuzz_found fast = {.count = 0}, portable = {.count = 0};
    struct scan_sink sink = {fuzz_on_event, fuzz_on_restart, &fast, &fast.envelope};
    fast.status = scan_batch(text, len, depth, &sink, &fast.err);
    sink.arg = &portable;
    sink.envelope = &portable.envelope;
    portable.status = portable_scan_batch(text, len, depth, &sink, &portable.err);
    fuzz_agree(&fast, &portable);
    fuzz_look(text, len, &fast, depth);
    fuzz_against_jansson(text, len, &fast, depth);
    fuzz_batch(text, len, &fast, &(struct batch_limits){limits[data[0] >> 3 & 1], depth});
    free(fast.events);
    free(portable.events);
    return 0;
}
