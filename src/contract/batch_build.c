#include "contract/batch_build.h"

#include <stdlib.h>
#include <string.h>

#include "contract/timestamp.h"

#define BATCH_ID_OPEN "\"id\":\""
/* The most an event grows by: a member named id, and the comma behind it. */
#define BATCH_ID_GROWTH (sizeof BATCH_ID_OPEN - 1 + UUID_LEN + 2)
#define BATCH_USUAL_EVENT_BYTES 384 /* rather less than an event of the stock client */
#define BATCH_SLACK_BYTES 4096      /* an arena that wastes no more is not moved at the end */

static const char *build_moved(const char *text, const char *from, const char *to)
{
    return text != NULL ? to + (text - from) : NULL;
}

/* Moves what is in the arena to one of size bytes. size >= arena_used, > 0. */
static int build_arena_move(struct batch_builder *b, size_t size)
{
    struct batch *batch = b->batch;
    char *arena = malloc(size);
    if (arena == NULL)
        return -1;
    if (b->arena_used > 0)
        memcpy(arena, batch->arena, b->arena_used);
    for (size_t i = 0; i < batch->event_count; i++) {
        struct batch_event *event = &batch->events[i];
        event->text = build_moved(event->text, batch->arena, arena);
        event->id = build_moved(event->id, batch->arena, arena);
    }
    for (size_t i = 0; i < batch->reject_kept; i++) {
        struct batch_reject *reject = &batch->rejects[i];
        reject->text = build_moved(reject->text, batch->arena, arena);
    }
    free(batch->arena);
    batch->arena = arena;
    b->arena_size = size;
    return 0;
}

/* Room for len bytes behind arena_used. The first arena is as large as the body and its ids would
 * need if its events were of the usual size. */
static int build_arena_reserve(struct batch_builder *b, size_t len)
{
    if (len <= b->arena_size - b->arena_used)
        return 0;
    if (len > SIZE_MAX - b->arena_used)
        return -1;
    size_t wanted = b->arena_used + len;
    size_t size = b->arena_size == 0
                      ? b->text_len + b->text_len / BATCH_USUAL_EVENT_BYTES * BATCH_ID_GROWTH
                      : b->arena_size + b->arena_size / 2;
    return build_arena_move(b, size > wanted ? size : wanted);
}

/* One more element at the end of an array that grows by half. NULL when out of memory. */
static void *build_grown(void *array, size_t count, size_t *room, size_t first, size_t size)
{
    if (count < *room)
        return array;
    size_t more = *room == 0 ? first : *room + *room / 2 + 1;
    if (more > SIZE_MAX / size)
        return NULL;
    void *grown = realloc(array, more * size);
    if (grown != NULL)
        *room = more;
    return grown;
}

static int build_mark(struct batch_builder *b, const struct scan_event *event, int64_t ts,
                      bool fold)
{
    if (b->secret == NULL)
        return 0;
    return marks_add(&b->batch->marks, b->secret, b->text + event->raw.at, event->raw.len, ts,
                     fold);
}

int build_refuse(struct batch_builder *b, const struct scan_event *event, enum batch_reason reason)
{
    struct batch *batch = b->batch;
    /* A mark each for millions of elements that are not even kept would be too much. */
    if (build_mark(b, event, INT64_MIN, batch->reject_count >= BATCH_REJECTS_KEPT) != 0)
        return -1;
    batch->reject_count++;
    if (batch->reject_kept == BATCH_REJECTS_KEPT)
        return 0;
    struct batch_reject *rejects =
        build_grown(batch->rejects, batch->reject_kept, &b->reject_room, 8, sizeof *batch->rejects);
    if (rejects == NULL)
        return -1;
    batch->rejects = rejects;
    if (build_arena_reserve(b, event->raw.len) != 0)
        return -1;
    char *text = batch->arena + b->arena_used;
    memcpy(text, b->text + event->raw.at, event->raw.len);
    b->arena_used += event->raw.len;
    rejects[batch->reject_kept++] = (struct batch_reject){
        .text = text, .text_len = event->raw.len, .reason = reason, .position = batch->marks.count};
    return 0;
}

/* The timestamp in milliseconds. 0; 1 when it can't be read; -1 when out of memory. */
static int build_timestamp(struct batch_builder *b, const struct scan_event *event, int64_t *ts)
{
    const char *text = b->text + event->timestamp.at;
    size_t len = event->timestamp.len;
    if (event->timestamp_escaped) {
        /* Unescaped into the arena's free part, which is then used for something else. */
        if (build_arena_reserve(b, len) != 0)
            return -1;
        char *plain = b->batch->arena + b->arena_used;
        len = scan_unescape(text, len, plain);
        text = plain;
    }
    return timestamp_parse(text, len, ts) == 0 ? 0 : 1;
}

static char *build_put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

/* Writes the event's text with that id to out. Returns where it ends; *id: where the id stands. */
static char *build_put_with_id(const struct batch_builder *b, const struct scan_event *event,
                               const char name[UUID_LEN], char *out, char **id)
{
    const char *raw = b->text + event->raw.at;
    const char *raw_end = raw + event->raw.len;
    const char *rest;
    if (event->id_kind == SCAN_ABSENT) {
        *out++ = *raw; /* the opening brace */
        rest = raw + 1;
        out = build_put(out, BATCH_ID_OPEN, sizeof BATCH_ID_OPEN - 1);
    } else {
        rest = b->text + event->id.at;
        out = build_put(out, raw, (size_t)(rest - raw));
        if (event->id_kind == SCAN_OTHER) { /* the slice of a string has its quotes outside */
            rest += event->id.len;
            *out++ = '"';
        }
    }
    *id = out;
    out = build_put(out, name, UUID_LEN);
    if (event->id_kind != SCAN_STRING)
        *out++ = '"';
    if (event->id_kind == SCAN_ABSENT)
        *out++ = ','; /* something follows: without a timestamp no event comes here */
    return build_put(out, rest, (size_t)(raw_end - rest));
}

/* An id for an event that came without. 0, or -1 when out of memory. */
static int build_name(struct batch_builder *b, const struct scan_event *event, int64_t ts,
                      char out[UUID_LEN])
{
    if (b->name != NULL)
        return b->name(b->name_arg, b->text + event->raw.at, event->raw.len, ts, out);
    uuid_next(b->uuids, b->batch->received_ms, out);
    return 0;
}

int build_keep(struct batch_builder *b, const struct scan_event *event, int64_t ts)
{
    struct batch *batch = b->batch;
    bool given = event->id_kind == SCAN_STRING && event->id.len > 0;
    struct batch_event *events =
        build_grown(batch->events, batch->event_count, &b->event_room,
                    b->text_len / BATCH_USUAL_EVENT_BYTES + 1, sizeof *batch->events);
    if (events == NULL)
        return -1;
    batch->events = events;
    if (build_mark(b, event, ts, false) != 0)
        return -1;
    /* A given id stands in the text; an escaped one is kept a second time, unescaped. */
    size_t more = !given ? BATCH_ID_GROWTH : event->id_escaped ? event->id.len : 0;
    if (build_arena_reserve(b, event->raw.len + more) != 0)
        return -1;

    char name[UUID_LEN];
    char *text = batch->arena + b->arena_used;
    char *id, *end;
    size_t text_len = event->raw.len, id_len = UUID_LEN;
    if (!given) {
        if (build_name(b, event, ts, name) != 0)
            return -1;
        end = build_put_with_id(b, event, name, text, &id);
        text_len = (size_t)(end - text);
    } else {
        end = build_put(text, b->text + event->raw.at, event->raw.len);
        id = text + (event->id.at - event->raw.at);
        id_len = event->id.len;
        if (event->id_escaped) {
            id_len = scan_unescape(id, id_len, end);
            id = end;
            end += id_len;
        }
    }
    b->arena_used = (size_t)(end - batch->arena);
    events[batch->event_count++] = (struct batch_event){.ts = ts,
                                                        .text = text,
                                                        .text_len = text_len,
                                                        .id = id,
                                                        .id_len = id_len,
                                                        .given = given || b->name != NULL,
                                                        .position = batch->marks.count};
    return 0;
}

int build_judge(struct batch_builder *b, const struct scan_event *event, int64_t *ts,
                enum batch_reason *reason)
{
    switch (event->fault) {
    case SCAN_FAULT_NONE:
        break;
    case SCAN_FAULT_NOT_OBJECT:
        *reason = BATCH_NOT_OBJECT;
        return 1;
    case SCAN_FAULT_DEPTH:
        *reason = BATCH_TOO_DEEP;
        return 1;
    case SCAN_FAULT_UTF8:
        *reason = BATCH_BAD_UTF8;
        return 1;
    }
    *reason = BATCH_TOO_LARGE;
    if (event->raw.len > b->limits->event_bytes)
        return 1;
    *reason = BATCH_NO_TIMESTAMP;
    if (event->timestamp_kind != SCAN_STRING)
        return 1;
    *reason = BATCH_BAD_TIMESTAMP;
    return build_timestamp(b, event, ts);
}

int build_take(struct batch_builder *b, const struct scan_event *event)
{
    int64_t ts = 0;
    enum batch_reason reason;
    int unfit = build_judge(b, event, &ts, &reason);
    if (unfit < 0)
        return -1;
    return unfit == 0 ? build_keep(b, event, ts) : build_refuse(b, event, reason);
}

void build_restart(struct batch_builder *b)
{
    b->batch->event_count = 0;
    b->batch->reject_kept = 0;
    b->batch->reject_count = 0;
    marks_reset(&b->batch->marks);
    b->arena_used = 0;
}

int build_begin(struct batch_builder *b, int64_t now_ms)
{
    b->batch = calloc(1, sizeof *b->batch);
    if (b->batch == NULL)
        return -1;
    b->batch->received_ms = now_ms;
    return 0;
}

void build_abandon(struct batch_builder *b)
{
    batch_free(b->batch);
    b->batch = NULL;
}

/* Gives back what was asked for too much, and counts what is held. Without memory for the smaller
 * the larger stays. */
struct batch *build_finish(struct batch_builder *b)
{
    struct batch *batch = b->batch;
    size_t wasted = b->arena_size - b->arena_used;
    if (wasted > BATCH_SLACK_BYTES && wasted > b->arena_size / 4) {
        int moved = build_arena_move(b, b->arena_used > 0 ? b->arena_used : 1);
        (void)moved;
    }
    size_t spare = b->event_room - batch->event_count;
    if (spare * sizeof *batch->events > BATCH_SLACK_BYTES && batch->event_count > 0) {
        struct batch_event *events =
            realloc(batch->events, batch->event_count * sizeof *batch->events);
        if (events != NULL) {
            batch->events = events;
            b->event_room = batch->event_count;
        }
    }
    marks_finish(&batch->marks);
    batch->memory = sizeof *batch + batch->marks.count * sizeof *batch->marks.running +
                    b->arena_size + b->event_room * sizeof *batch->events +
                    b->reject_room * sizeof *batch->rejects;
    b->batch = NULL;
    return batch;
}
