/* The three levels with a meaning: the body's members, the events, the members of an event. What
 * is nested deeper is scan_value's. */
#include "contract/scan.h"
#include "contract/scan_value.h"

#define SCAN_EXPECTED_NAME "expected a member name"

/* What scan_batch carries from level to level. */
struct scan_walk {
    struct scan scan;
    unsigned max_depth;
    const struct scan_sink *sink;
    bool found;   /* the last "events" so far was an array */
    bool given;   /* an array has been handed out */
    bool stopped; /* by the sink */
};

/* The value of a member. Strings are read here: their slice may be wanted. */
SCAN_INLINE const char *scan_member_value(struct scan *s, const char *at, struct scan_slice *slice,
                                          enum scan_kind *kind, bool *escaped)
{
    at = scan_space(at, s->end);
    if (scan_sees(s, at, '"')) {
        struct scan_string string = scan_string(s, at + 1);
        if (string.end == NULL)
            return NULL;
        slice->at = (size_t)(at + 1 - s->text);
        slice->len = (size_t)(string.end - at - 1);
        *kind = SCAN_STRING;
        *escaped = string.escaped;
        return string.end + 1;
    }
    const char *behind = scan_value(s, at);
    if (behind == NULL)
        return NULL;
    slice->at = (size_t)(at - s->text);
    slice->len = (size_t)(behind - at);
    *kind = SCAN_OTHER;
    *escaped = false;
    return behind;
}

/* One member of an event, from white space in front of its name. */
SCAN_INLINE const char *scan_member(struct scan *s, const char *at, struct scan_event *event)
{
    at = scan_space(at, s->end);
    if (!scan_sees(s, at, '"'))
        return scan_fail(s, at, SCAN_EXPECTED_NAME);
    const char *name = at + 1;
    struct scan_string string = scan_string(s, name);
    if (string.end == NULL)
        return NULL;
    size_t len = (size_t)(string.end - name);
    at = scan_colon(s, string.end + 1);
    if (at == NULL)
        return NULL;

    if (scan_name_is(name, len, string.escaped, "id", 2))
        return scan_member_value(s, at, &event->id, &event->id_kind, &event->id_escaped);
    if (scan_name_is(name, len, string.escaped, "timestamp", 9))
        return scan_member_value(s, at, &event->timestamp, &event->timestamp_kind,
                                 &event->timestamp_escaped);
    return scan_value(s, at);
}

/* at: the opening brace. */
static const char *scan_members(struct scan *s, const char *at, struct scan_event *event)
{
    at = scan_space(at + 1, s->end);
    if (at < s->end && *at == '}')
        return at + 1;
    event->has_members = true;
    for (;;) {
        at = scan_member(s, at, event);
        if (at == NULL)
            return NULL;
        at = scan_space(at, s->end);
        if (scan_sees(s, at, ','))
            at++;
        else if (scan_sees(s, at, '}'))
            return at + 1;
        else
            return scan_fail(s, at, "expected a comma or the end of the event");
    }
}

/* at: the first byte of an element. Fills in event and returns the place behind the element. */
static const char *scan_element(struct scan *s, const char *at, unsigned max_depth,
                                struct scan_event *event)
{
    const char *start = at;
    *event = (struct scan_event){0};
    s->deepest = 0;
    s->bad_utf8 = NULL;
    if (scan_sees(s, at, '{')) {
        at = scan_members(s, at, event);
        /* The event is a level of its own, above what scan_value has counted. */
        if (s->deepest >= max_depth)
            event->fault = SCAN_FAULT_DEPTH;
        else if (s->bad_utf8 != NULL)
            event->fault = SCAN_FAULT_UTF8;
    } else {
        at = scan_value(s, at);
        event->fault = SCAN_FAULT_NOT_OBJECT;
    }
    s->bad_utf8 = NULL;
    if (at == NULL)
        return NULL;
    event->raw.at = (size_t)(start - s->text);
    event->raw.len = (size_t)(at - start);
    return at;
}

/* at: behind the opening bracket of the events. */
static const char *scan_events(struct scan_walk *walk, const char *at)
{
    struct scan *s = &walk->scan;
    at = scan_space(at, s->end);
    if (at < s->end && *at == ']')
        return at + 1;
    for (;;) {
        struct scan_event event;
        at = scan_element(s, scan_space(at, s->end), walk->max_depth, &event);
        if (at == NULL)
            return NULL;
        if (walk->sink->event(walk->sink->arg, &event) != 0) {
            walk->stopped = true;
            return NULL;
        }
        at = scan_space(at, s->end);
        if (scan_sees(s, at, ','))
            at++;
        else if (scan_sees(s, at, ']'))
            return at + 1;
        else
            return scan_fail(s, at, "expected a comma or the end of the events");
    }
}

/* Outside the events there is nobody to hold a bad string against but the body. */
static const char *scan_clean(struct scan *s, const char *at)
{
    if (at == NULL || s->bad_utf8 == NULL)
        return at;
    return scan_fail(s, s->bad_utf8, "no UTF-8");
}

/* The value of a body's "events" member. */
static const char *scan_events_value(struct scan_walk *walk, const char *at)
{
    struct scan *s = &walk->scan;
    if (walk->given)
        walk->sink->restart(walk->sink->arg);
    walk->given = walk->found = false;
    at = scan_space(at, s->end);
    if (!(at < s->end && *at == '['))
        return scan_clean(s, scan_value(s, at));
    walk->given = walk->found = true;
    return scan_events(walk, at + 1);
}

/* Where the value of a member of this name is to be noted; NULL for nowhere. */
static struct scan_field *scan_wanted(struct scan_envelope *envelope, const char *name,
                                      struct scan_string string)
{
    size_t len = (size_t)(string.end - name);
    if (envelope == NULL)
        return NULL;
    if (scan_name_is(name, len, string.escaped, "type", 4))
        return &envelope->type;
    if (scan_name_is(name, len, string.escaped, "reqId", 5))
        return &envelope->req_id;
    if (scan_name_is(name, len, string.escaped, "key", 3))
        return &envelope->key;
    return NULL;
}

/* The value of a body's member besides the events. */
static const char *scan_other_value(struct scan *s, const char *at, struct scan_field *field)
{
    if (field == NULL)
        return scan_clean(s, scan_value(s, at));
    return scan_clean(s, scan_member_value(s, at, &field->value, &field->kind, &field->escaped));
}

/* at: the opening brace of the body. */
static const char *scan_body(struct scan_walk *walk, const char *at)
{
    struct scan *s = &walk->scan;
    at = scan_space(at + 1, s->end);
    if (at < s->end && *at == '}')
        return at + 1;
    for (;;) {
        at = scan_space(at, s->end);
        if (!scan_sees(s, at, '"'))
            return scan_fail(s, at, SCAN_EXPECTED_NAME);
        const char *name = at + 1;
        struct scan_string string = scan_string(s, name);
        if (string.end == NULL || scan_clean(s, string.end) == NULL)
            return NULL;
        at = scan_colon(s, string.end + 1);
        if (at == NULL)
            return NULL;
        if (scan_name_is(name, (size_t)(string.end - name), string.escaped, "events", 6))
            at = scan_events_value(walk, at);
        else
            at = scan_other_value(s, at, scan_wanted(walk->sink->envelope, name, string));
        if (at == NULL)
            return NULL;
        at = scan_space(at, s->end);
        if (scan_sees(s, at, ','))
            at++;
        else if (scan_sees(s, at, '}'))
            return at + 1;
        else
            return scan_fail(s, at, "expected a comma or the end of the object");
    }
}

/* The body where it is an object. at: its opening brace. */
static const char *scan_object(struct scan_walk *walk, const char *at)
{
    struct scan_envelope *envelope = walk->sink->envelope;
    const char *behind = scan_body(walk, at);
    if (envelope != NULL && behind != NULL)
        envelope->object =
            (struct scan_slice){(size_t)(at - walk->scan.text), (size_t)(behind - at)};
    return behind;
}

/* The place of the text's one value, behind byte order mark and white space. */
static const char *scan_start(const struct scan *s)
{
    const char *at = s->text;
    if (s->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    return scan_space(at, s->end);
}

/* Nothing but white space may stand behind the value. */
static const char *scan_finish(struct scan *s, const char *at)
{
    if (at == NULL)
        return NULL;
    at = scan_space(at, s->end);
    return at == s->end ? at : scan_fail(s, at, "something stands behind the end");
}

/* What a walk that ended in NULL has to say. */
static int scan_status(const struct scan *s, struct error *err)
{
    if (s->fault == NULL) {
        error_set(err, "out of memory");
        return SCAN_NO_MEMORY;
    }
    error_set(err, "no JSON: %s at byte %zu", s->fault, (size_t)(s->fault_at - s->text));
    return SCAN_NO_JSON;
}

int scan_batch(const char *text, size_t len, unsigned max_depth, const struct scan_sink *sink,
               struct error *err)
{
    struct scan_walk walk = {.max_depth = max_depth, .sink = sink};
    struct scan *s = &walk.scan;
    scan_init(s, text, len);
    if (sink->envelope != NULL)
        *sink->envelope = (struct scan_envelope){0};

    const char *at = scan_start(s);
    if (at < s->end && *at == '{')
        at = scan_object(&walk, at);
    else
        at = scan_clean(s, scan_value(s, at));
    at = scan_finish(s, at);

    int status = SCAN_OK;
    if (walk.stopped) {
        error_set(err, "stopped");
        status = SCAN_STOPPED;
    } else if (at == NULL) {
        status = scan_status(s, err);
    } else if (!walk.found) {
        error_set(err, "the body has no \"events\" array");
        status = SCAN_NO_EVENTS;
    }
    if (status != SCAN_OK && status != SCAN_NO_EVENTS && sink->envelope != NULL)
        *sink->envelope = (struct scan_envelope){0}; /* what it held is half of it */
    scan_clear(s);
    return status;
}

bool scan_field_is(const char *text, const struct scan_field *field, const char *wanted)
{
    return field->kind == SCAN_STRING && scan_name_is(text + field->value.at, field->value.len,
                                                      field->escaped, wanted, strlen(wanted));
}

int scan_event(const char *text, size_t len, unsigned max_depth, struct scan_event *event,
               struct error *err)
{
    struct scan s;
    scan_init(&s, text, len);
    int status = SCAN_OK;
    const char *at = scan_start(&s);
    at = scan_element(&s, at, max_depth, event);
    at = scan_finish(&s, at);
    if (at == NULL)
        status = scan_status(&s, err);
    scan_clear(&s);
    return status;
}
