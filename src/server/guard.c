#include "server/guard_parts.h"

#include <stdlib.h>

#include <event2/buffer.h>

/* Of a body over the limit so many times the limit are read and thrown away, so that the client has
 * sent all of it and reads the answer; beyond, the answer comes at once, and who goes on sending
 * has to read it before the connection ends (linger.h). */
#define GUARD_DISCARD_TIMES 4

void guard_init(struct guard *guard, struct bufferevent *bev, size_t max_header, size_t max_body)
{
    *guard = (struct guard){.bev = bev, .max_header = max_header, .max_body = max_body};
    bytes_init(&guard->head);
    bytes_init(&guard->body);
}

void guard_clear(struct guard *guard)
{
    if (guard->stash != NULL)
        evbuffer_free(guard->stash);
    guard->stash = NULL;
    bytes_clear(&guard->head);
    bytes_clear(&guard->body);
}

/* Takes all of the input into the stash. */
static int guard_take(struct guard *guard)
{
    if (guard->stash == NULL)
        guard->stash = evbuffer_new();
    if (guard->stash == NULL)
        return -1;
    guard->touching = true;
    int status = evbuffer_add_buffer(guard->stash, bufferevent_get_input(guard->bev));
    guard->touching = false;
    return status;
}

static void guard_release(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    free(arg);
}

void guard_unfreeze(const struct guard *guard)
{
    if (!guard->secure)
        (void)evbuffer_unfreeze(bufferevent_get_input(guard->bev), 0);
}

void guard_freeze(const struct guard *guard)
{
    if (!guard->secure)
        (void)evbuffer_freeze(bufferevent_get_input(guard->bev), 0);
}

/* Gives evhttp head and body (both may be empty), then what is in the stash. */
static int guard_give(struct guard *guard)
{
    struct evbuffer *input = bufferevent_get_input(guard->bev);
    size_t len = 0;
    char *body = bytes_steal(&guard->body, &len);
    guard->touching = true;
    guard_unfreeze(guard);
    int status = evbuffer_add(input, guard->head.data, guard->head.len);
    if (status == 0 && body != NULL) {
        status = evbuffer_add_reference(input, body, len, guard_release, body);
        body = status == 0 ? NULL : body;
    }
    if (status == 0)
        status = evbuffer_add_buffer(input, guard->stash);
    guard_freeze(guard);
    guard->given = evbuffer_get_length(input);
    guard->touching = false;
    free(body);
    guard->head.len = 0;
    guard->phase = GUARD_PASS;
    return status;
}

static int guard_line(struct bytes *out, const char *name, struct head_slice value)
{
    if (value.at == NULL)
        return 0;
    return bytes_append_format(out, "%s: %.*s\r\n", name, (int)value.len, value.at);
}

/* Hands evhttp a plain request that stands for the one refused. What else has come is dropped: the
 * connection closes behind the answer. */
static int guard_stand_in(struct guard *guard)
{
    struct head head = {0};
    struct bytes text;
    bytes_init(&text);
    if (guard->head.len > 0)
        head_check(guard->head.data, guard->head.len, guard->max_body, &head);
    if (head.target.at == NULL)
        head.target = (struct head_slice){"/", 1};
    if (head.method.at == NULL)
        head.method = (struct head_slice){"GET", 3};
    /* POST, PUT, PATCH: those that have a body. */
    const char *length = head.method.at[0] == 'P' ? "Content-Length: 0\r\n\r\n" : "\r\n";
    if (bytes_append_format(&text, "%.*s %.*s HTTP/1.1\r\n", (int)head.method.len, head.method.at,
                            (int)head.target.len, head.target.at) != 0 ||
        guard_line(&text, "Host", head.host) != 0 ||
        guard_line(&text, "Origin", head.origin) != 0 || bytes_append_text(&text, length) != 0) {
        bytes_clear(&text);
        return -1;
    }
    bytes_clear(&guard->head);
    bytes_clear(&guard->body);
    guard->head = text;
    (void)evbuffer_drain(guard->stash, evbuffer_get_length(guard->stash));
    return guard_give(guard);
}

static int guard_refuse(struct guard *guard, int status, const char *why)
{
    guard->refuse = status;
    guard->why = why;
    return guard_stand_in(guard);
}

/* Gives evhttp the head with the length of the body that was decoded, or kept none of. */
static int guard_give_head(struct guard *guard)
{
    struct bytes head;
    bytes_init(&head);
    if (head_with_length(guard->head.data, guard->head.len, guard->body.len, &head) != 0) {
        bytes_clear(&head);
        return -1;
    }
    bytes_clear(&guard->head);
    guard->head = head;
    return guard_give(guard);
}

/* Throws away what has come of a body that nobody will read; answers when that was all of it. */
static int guard_discard(struct guard *guard)
{
    size_t have = evbuffer_get_length(guard->stash);
    size_t take = have < guard->discard ? have : (size_t)guard->discard;
    (void)evbuffer_drain(guard->stash, take);
    guard->discard -= take;
    if (guard->discard > 0)
        return 0;
    return guard->unwanted ? guard_give_head(guard) : guard_stand_in(guard);
}

static int guard_chunks(struct guard *guard)
{
    int status = CHUNKED_MORE;
    while (status == CHUNKED_MORE && evbuffer_get_length(guard->stash) > 0) {
        size_t run = evbuffer_get_contiguous_space(guard->stash), used = 0;
        const char *data = (const char *)evbuffer_pullup(guard->stash, (ev_ssize_t)run);
        if (run == 0 || data == NULL)
            return -1;
        status = chunked_read(&guard->chunked, data, run, guard->max_body, &guard->body, &used);
        (void)evbuffer_drain(guard->stash, used);
        if (guard->unwanted)
            guard->body.len = 0;
    }
    switch (status) {
    case CHUNKED_MORE:
        return 0;
    case CHUNKED_BAD:
        return guard_refuse(guard, 400, "malformed chunked body");
    case CHUNKED_TOO_LARGE:
        return guard_refuse(guard, 413, "body over the limit");
    case CHUNKED_NO_MEMORY:
        return guard_refuse(guard, 503, "out of memory");
    default:
        break;
    }
    return guard_give_head(guard);
}

/* The body goes from the stash into one run of memory: single bytes that come one by one would take
 * a buffer each. */
static int guard_body(struct guard *guard)
{
    size_t have = evbuffer_get_length(guard->stash), left = guard->need - guard->body.len;
    size_t take = have < left ? have : left;
    if (bytes_reserve(&guard->body, take) != 0)
        return guard_refuse(guard, 503, "out of memory");
    if (take > 0)
        (void)evbuffer_remove(guard->stash, guard->body.data + guard->body.len, take);
    guard->body.len += take;
    return guard->body.len < guard->need ? 0 : guard_give(guard);
}

/* The head goes from the stash into guard->head. */
static int guard_keep_head(struct guard *guard, const char *text, size_t len)
{
    guard->head.len = 0;
    if (bytes_append(&guard->head, text, len) != 0)
        return -1;
    (void)evbuffer_drain(guard->stash, len);
    return 0;
}

/* A head that is refused: its body is thrown away first, if that is a matter of time. */
static int guard_reject(struct guard *guard, const struct head *head, const char *text, size_t len)
{
    if (guard_keep_head(guard, text, len) != 0)
        return -1;
    guard->refuse = head->refuse;
    guard->why = head->why;
    guard->unwanted = false;
    guard->discard = 0;
    if (head->refuse == 413 && !head->expects &&
        head->content_length <= (uint64_t)guard->max_body * GUARD_DISCARD_TIMES)
        guard->discard = head->content_length;
    guard->phase = GUARD_DISCARD;
    return guard_discard(guard);
}

/* Lines that nobody wants, more than any other body may have: who is not let in is told that,
 * and not that it is too much. */
static int guard_too_large(struct guard *guard, const struct head *head, const char *text,
                           size_t len)
{
    if (guard_keep_head(guard, text, len) != 0)
        return -1;
    guard->unwanted = true;
    guard->phase = GUARD_DISCARD;
    guard->discard = head->content_length;
    if (!head->expects && guard->discard <= (uint64_t)guard->max_body * GUARD_DISCARD_TIMES)
        return guard_discard(guard);
    guard->closing = true;
    (void)evbuffer_drain(guard->stash, evbuffer_get_length(guard->stash));
    return guard_give_head(guard);
}

/* A fit head: what to do with its body. */
static int guard_accept(struct guard *guard, const struct head *head, const char *text, size_t len)
{
    bool body = head->content_length > 0 || head->chunked;
    bool starts = evbuffer_get_length(guard->stash) > len;
    bool wanted =
        (!body && !head->lines) || guard->wants == NULL || guard->wants(guard->wants_arg, head);
    if (head->lines && wanted)
        return guard_open(guard, head, text, len);
    if (head->content_length > guard->max_body)
        return guard_too_large(guard, head, text, len);
    guard->unwanted = body && !wanted;
    if (body && head->expects && !head->http_1_0 && !guard->unwanted && !starts)
        guard_continue(guard);
    /* Mostly all of it is here already, and nothing need be moved. */
    if (!guard->unwanted && !head->chunked &&
        evbuffer_get_length(guard->stash) >= len + head->content_length)
        return guard_give(guard);
    if (guard_keep_head(guard, text, len) != 0)
        return -1;
    if (guard->unwanted && head->expects && !starts) {
        /* Who asks first does not send the body, or does after all: there is no telling where the
         * next request would begin. */
        guard->closing = true;
        return guard_give_head(guard);
    }
    if (head->chunked) {
        guard->phase = GUARD_CHUNKS;
        guard->chunked = (struct chunked){0};
        return guard_chunks(guard);
    }
    guard->need = guard->discard = head->content_length;
    guard->phase = guard->unwanted ? GUARD_DISCARD : GUARD_BODY;
    return guard->unwanted ? guard_discard(guard) : guard_body(guard);
}

/* A whole head of len bytes is at the front of the stash. */
static int guard_judge(struct guard *guard, const char *text, size_t len)
{
    struct head head;
    head_check(text, len, guard->max_body, &head);
    return head.refuse == 0 ? guard_accept(guard, &head, text, len)
                            : guard_reject(guard, &head, text, len);
}

/* Empty lines before a request line are to be ignored (RFC 9112, 2.2); evhttp would not. */
static size_t guard_skip_lines(struct guard *guard)
{
    char c;
    while (guard->seen == 0 && evbuffer_copyout(guard->stash, &c, 1) == 1 &&
           (c == '\r' || c == '\n'))
        (void)evbuffer_drain(guard->stash, 1);
    return evbuffer_get_length(guard->stash);
}

static int guard_look(struct guard *guard)
{
    size_t have = guard_skip_lines(guard);
    if (have == 0)
        return 0;
    /* Mostly the head is in the first run of memory, and nothing need be moved to look at it. One
     * byte over the limit is enough to know. */
    size_t most = have < guard->max_header + 1 ? have : guard->max_header + 1;
    size_t run = evbuffer_get_contiguous_space(guard->stash), view = run < most ? run : most,
           len = 0;
    const char *text;
    for (;;) {
        text = (const char *)evbuffer_pullup(guard->stash, (ev_ssize_t)view);
        if (text == NULL)
            return -1;
        len = head_end(text, view, &guard->seen);
        if (len > 0 || view == most)
            break;
        view = most;
    }
    if (len > 0 && len <= guard->max_header)
        return guard_judge(guard, text, len);
    if (view <= guard->max_header)
        return 0;
    guard->head.len = 0;
    return guard_refuse(guard, 431, "request head over the limit");
}

static int guard_proceed(struct guard *guard)
{
    if (guard->phase == GUARD_PASS)
        return 0;
    if (guard->phase == GUARD_POUR && guard->unread > 0)
        return guard_pour_keep(guard);
    if (guard_take(guard) != 0)
        return -1;
    switch (guard->phase) {
    case GUARD_HEAD:
        return guard_look(guard);
    case GUARD_BODY:
        return guard_body(guard);
    case GUARD_CHUNKS:
        return guard_chunks(guard);
    case GUARD_POUR:
        return 0;
    default:
        return guard_discard(guard);
    }
}

int guard_input(struct guard *guard)
{
    return guard->touching ? 0 : guard_proceed(guard);
}

int guard_next(struct guard *guard)
{
    /* What is left of a poured body is no request. */
    if (guard->closing && guard->stash != NULL)
        (void)evbuffer_drain(guard->stash, evbuffer_get_length(guard->stash));
    guard->phase = GUARD_HEAD;
    guard->seen = 0;
    /* What was pipelined behind the last request is in the input already. */
    return evbuffer_get_length(bufferevent_get_input(guard->bev)) > 0 ? guard_proceed(guard) : 0;
}

int guard_give_up(struct guard *guard, int status, const char *why)
{
    guard->unwanted = false;
    if (guard->phase == GUARD_HEAD)
        guard->head.len = 0;
    return guard_refuse(guard, status, why);
}

size_t guard_bytes(const struct guard *guard)
{
    if (guard->phase == GUARD_PASS)
        return guard->given;
    size_t stash = guard->stash == NULL ? 0 : evbuffer_get_length(guard->stash);
    return stash + guard->body.len;
}

bool guard_idle(const struct guard *guard)
{
    return guard->phase == GUARD_HEAD &&
           (guard->stash == NULL || evbuffer_get_length(guard->stash) == 0);
}
